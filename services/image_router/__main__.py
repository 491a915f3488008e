"""`python -m services.image_router`."""

from services.common.runtime import start
from services.image_router.app import SERVICE, main
from services.image_router.config import ImageRouterSettings

if __name__ == "__main__":
    start(SERVICE, ImageRouterSettings, main)
