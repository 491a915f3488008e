from services.alerting.app import main
from services.alerting.config import AlertingSettings
from services.common.runtime import start

start("alerting", AlertingSettings, main)
