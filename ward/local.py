"""The ward's view of a local stack, from the same settings that the stack itself reads."""

from deploy.local.components import settings_class
from deploy.local.settings import LocalSettings
from services.common.identity import load_patient_keys
from ward.player import Endpoints
from ward.run import Stack


def local_stack(settings: LocalSettings) -> Stack:
    """Where the local stack of `settings` listens. Raises ValueError before the stack was started once."""
    ingest, images = settings_class("note-ingest")(shared=settings), settings_class("image-router")(shared=settings)
    return Stack(
        endpoints=Endpoints(
            host=reachable(settings),
            mllp_port=ingest.model_dump()["mllp_port"],
            fhir_port=ingest.http_port,
            dicom_port=images.model_dump()["dicom_port"],
        ),
        bootstrap=settings.kafka_bootstrap,
        keys=load_patient_keys(settings),
        data_dir=settings.data_dir,
    )


def board_url(settings: LocalSettings) -> str:
    """Where the board of the local stack is."""
    return f"http://{reachable(settings)}:{settings_class('alerting')(shared=settings).http_port}/"


def reachable(settings: LocalSettings) -> str:
    """Where this machine reaches what listens on `bind_host`."""
    return "127.0.0.1" if settings.bind_host in {"0.0.0.0", "::", ""} else settings.bind_host  # noqa: S104 - compared
