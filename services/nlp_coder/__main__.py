from services.common.runtime import start
from services.nlp_coder.app import SERVICE, main
from services.nlp_coder.config import NlpCoderSettings

if __name__ == "__main__":
    start(SERVICE, NlpCoderSettings, main)
