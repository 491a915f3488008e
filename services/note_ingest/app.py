"""Composition root of note-ingest."""

from zoneinfo import ZoneInfo

from services.common.bus import Producer
from services.common.clock import utc_now
from services.common.grpc_server import serve_grpc
from services.common.health import Health
from services.common.http import serve_http
from services.common.identity import canonical_aliases, load_patient_keys
from services.common.runtime import run_until_stopped
from services.note_ingest.config import NoteIngestSettings
from services.note_ingest.fhir.routes import fhir_routes
from services.note_ingest.grpc_notes import RECEIVE_FACTOR, SERVICE_NAME, register
from services.note_ingest.hl7v2.messages import Hl7Settings
from services.note_ingest.intake import Intake
from services.note_ingest.mllp_server import MllpLimits, MllpServer
from services.note_ingest.reception import SERVICE, Publisher, Reception
from services.note_ingest.units import Units


async def main(settings: NoteIngestSettings) -> None:
    """Run the service until it is asked to stop."""
    async with Producer(settings.shared, SERVICE) as producer:
        health = Health()
        health.dependency("kafka", producer.check)
        await run(settings, reception(settings, producer), health)


def reception(settings: NoteIngestSettings, publisher: Publisher) -> Reception:
    """The way in, publishing to `publisher`."""
    intake = Intake(
        keys=load_patient_keys(settings.shared),
        units=Units(),
        clock=utc_now,
        default_authority=settings.shared.default_authority,
        max_note_chars=settings.max_note_chars,
        authorities=canonical_aliases(settings.shared.authority_aliases),
    )
    return Reception(intake, publisher, settings.max_in_flight)


async def run(settings: NoteIngestSettings, way_in: Reception, health: Health) -> None:
    """Serve MLLP, FHIR and gRPC."""
    host = settings.shared.bind_host
    hl7 = Hl7Settings(ZoneInfo(settings.time_zone), settings.max_future)
    limits = MllpLimits(
        settings.max_message_bytes, settings.pipeline, settings.max_connections, settings.mllp_end_pause_s
    )
    routes = fhir_routes(way_in, settings.max_message_bytes, settings.max_future, settings.fhir_id_authority)
    await run_until_stopped(
        MllpServer(way_in, hl7, limits).serve(host, settings.mllp_port, health),
        serve_http(host, settings.http_port, health, routes),
        serve_grpc(
            host,
            settings.grpc_port,
            health,
            register(way_in, settings),
            [SERVICE_NAME],
            max_receive_bytes=RECEIVE_FACTOR * settings.max_message_bytes,
        ),
    )
