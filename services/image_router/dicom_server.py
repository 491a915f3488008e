"""The DICOM SCP: C-STORE and C-ECHO. It only translates; what happens to an instance is in `store`."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from services.common.clock import Clock
from services.common.health import Health
from services.common.outcomes import Invalid, Transient
from services.common.startup import taking_port
from services.image_router.config import ImageRouterSettings
from services.image_router.intake import Arrival, Mismatch
from services.image_router.metrics import ASSOCIATIONS, INSTANCES, STORE_SECONDS

log = structlog.get_logger()

# Status codes of the storage service, DICOM PS3.4 B.2.3.
SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
DATA_SET_DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
COMMENT_LENGTH = 64
P_DATA = 0x04
WATCH_EVERY_S = 2.0
ECHO_TIMEOUT_S = 2.0

Store = Callable[[bytes, Arrival], None]


@dataclass(slots=True)
class Associations:
    """When the first byte of the request under way reached us, by association."""

    clock: Clock
    first_bytes: dict[int, datetime] = field(default_factory=dict)

    def pdu_received(self, event: evt.Event) -> None:
        """Note the time of the first P-DATA since the last answer."""
        if getattr(event.pdu, "pdu_type", None) == P_DATA:
            self.first_bytes.setdefault(id(event.assoc), self.clock())

    def answered(self, event: evt.Event) -> datetime:
        """The noted time; the next P-DATA begins a new request."""
        return self.first_bytes.pop(id(event.assoc), None) or self.clock()

    def opened(self, _: evt.Event) -> None:
        """Count."""
        ASSOCIATIONS.inc()

    def closed(self, event: evt.Event) -> None:
        """Count and forget."""
        ASSOCIATIONS.dec()
        self.first_bytes.pop(id(event.assoc), None)


def store_status(content: bytes, arrival: Arrival, store: Store) -> Dataset:
    """Store one instance and say how it went, as the sender reads it. `store` returns once the image is safe."""
    try:
        with STORE_SECONDS.time():
            store(content, arrival)
    except Transient as error:
        return _status(OUT_OF_RESOURCES, error.reason)
    except Mismatch as error:
        return _status(DATA_SET_DOES_NOT_MATCH, error.reason)
    except Invalid as error:
        return _status(CANNOT_UNDERSTAND, error.reason)
    return _status(SUCCESS, "")


def _status(code: int, comment: str) -> Dataset:
    outcome = {SUCCESS: "stored", OUT_OF_RESOURCES: "out_of_resources"}.get(code, "refused")
    INSTANCES.labels(outcome).inc()
    status = Dataset()
    status.Status = code
    if comment:
        log.warning("instance refused", status=f"0x{code:04X}", reason=comment)
        status.ErrorComment = comment[:COMMENT_LENGTH]
    return status


def application_entity(settings: ImageRouterSettings) -> AE:
    """Takes every storage SOP class, private ones too, in every transfer syntax, in PDUs of any length."""
    # Storage needs no contexts of ours then; those that are there are copied for every association.
    _config.UNRESTRICTED_STORAGE_SERVICE = True
    entity = AE(ae_title=settings.ae_title)
    entity.add_supported_context(Verification)
    entity.maximum_pdu_size = 0
    entity.maximum_associations = settings.max_associations
    entity.network_timeout = settings.network_timeout_s
    return entity


def event_handlers(associations: Associations, store: Store, max_bytes: int) -> list[evt.EventHandlerType]:
    """What pynetdicom calls, each in the association's own thread. max_bytes: of a data set that is taken."""

    def on_store(event: evt.Event) -> Dataset:
        first_byte = associations.answered(event)
        if _bytes_of(event) > max_bytes:
            return _status(OUT_OF_RESOURCES, f"a data set of more than {max_bytes} bytes")
        named = str(getattr(event.request, "AffectedSOPInstanceUID", ""))
        return store_status(event.encoded_dataset(), Arrival(f"dicom:{_title(event)}", named, first_byte), store)

    def on_echo(event: evt.Event) -> int:
        associations.answered(event)
        return SUCCESS

    return [
        (evt.EVT_C_STORE, on_store),
        (evt.EVT_C_ECHO, on_echo),
        (evt.EVT_PDU_RECV, associations.pdu_received),
        (evt.EVT_CONN_OPEN, associations.opened),
        (evt.EVT_CONN_CLOSE, associations.closed),
    ]


def _bytes_of(event: evt.Event) -> int:
    """Size of the request's data set."""
    content = getattr(event.request, "DataSet", None)
    return len(content.getbuffer()) if content else 0


def _title(event: evt.Event) -> str:
    """The calling application entity: a device's name of 16 characters at most."""
    return "".join(c for c in str(event.assoc.requestor.ae_title) if c.isalnum() or c in "_-.")


async def serve_dicom(settings: ImageRouterSettings, health: Health, clock: Clock, store: Store) -> None:
    """Serve until cancelled. Raises CannotStart when the port is taken, RuntimeError when the server stopped."""
    entity = application_entity(settings)
    host, port = settings.shared.bind_host, settings.dicom_port
    with taking_port("dicom_port", host, port):
        server = entity.make_server(
            (host, port),
            evt_handlers=event_handlers(Associations(clock), store, settings.max_instance_bytes),
            server_class=ThreadedAssociationServer,
        )
    accepting = threading.Thread(target=server.serve_forever, name="dicom", daemon=True)
    accepting.start()
    progress = health.progress("dicom")
    health.dependency("dicom", lambda: asyncio.to_thread(echo, settings))
    try:
        while accepting.is_alive():
            progress.tick()
            await asyncio.sleep(WATCH_EVERY_S)
    finally:
        await asyncio.to_thread(_shut_down, server, entity)
    raise RuntimeError("the DICOM server stopped listening")


def _shut_down(server: ThreadedAssociationServer, entity: AE) -> None:
    """Take no more connections, abort the open ones; what was not acknowledged is the sender's to send again."""
    server.shutdown()
    entity.shutdown()


def echo(settings: ImageRouterSettings) -> None:
    """C-ECHO to our own SCP. Raises ConnectionError without a success. Blocks: call it from a thread."""
    entity = AE(ae_title="VIGIL-PROBE")
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = ECHO_TIMEOUT_S
    entity.add_requested_context(Verification)
    association = entity.associate(settings.shared.bind_host, settings.dicom_port, ae_title=settings.ae_title)
    try:
        answer = association.send_c_echo() if association.is_established else Dataset()
        if answer.get("Status") != SUCCESS:
            raise ConnectionError("the DICOM server does not answer C-ECHO")
    finally:
        association.release()
