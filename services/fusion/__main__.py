from services.common.runtime import start
from services.fusion.app import main
from services.fusion.config import FusionSettings

start("fusion", FusionSettings, main)
