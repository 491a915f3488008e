"""Composition root of alerting."""

from vigil.v1.alerting_service_pb2_grpc import add_AlertingServiceServicer_to_server
from vigil.v1.alerts_pb2 import PatientAlerts

from services.alerting.commands import Commands
from services.alerting.config import AlertingSettings
from services.alerting.evidence import Evidences
from services.alerting.fusion import FusionClient
from services.alerting.grpc_api import SERVICE_NAME, AlertingServicer
from services.alerting.handlers import Alerting, AlertProducer
from services.alerting.http_api import Api, create_routes
from services.alerting.live import create_live
from services.alerting.notes import NoteReader
from services.alerting.policy import DEFAULT_POLICY
from services.alerting.streams import Streams
from services.common.blobs import BlobStore
from services.common.clock import utc_now
from services.common.grpc_server import serve_grpc
from services.common.health import Health
from services.common.http import serve_http
from services.common.runtime import run_until_stopped
from services.common.stateful import Stateful, StatefulService
from services.common.topics import Topic

INPUTS = (Topic.PATIENT_RISK, Topic.ENCOUNTERS, Topic.NOTES_CODED, Topic.ALERT_COMMANDS)


async def main(settings: AlertingSettings) -> None:
    """Run alerting until it is asked to stop."""
    shared, health, live = settings.shared, Health(), create_live(settings.events_kept)
    alerting = Alerting(DEFAULT_POLICY, live, utc_now)
    spec = Stateful("alerting", INPUTS, "alerts", PatientAlerts, alerting.handle)
    async with (
        AlertProducer(shared, "alerting", live, utc_now) as producer,
        NoteReader(shared, settings.note_read_s) as notes,
        FusionClient(settings.fusion_url, settings.fusion_deadline_s) as fusion,
    ):
        service = StatefulService(spec, shared, producer, health)
        health.dependency("kafka", producer.check)
        states = service.states
        commands = Commands(states, producer, live.patients, utc_now, settings.command_wait_s)
        streams = Streams(states, live, health, utc_now, settings.heartbeat_s)
        evidence = Evidences(states, notes, fusion, BlobStore(shared.blob_url))

        def recovered() -> bool:
            return service.recovered

        routes = create_routes(Api(states, streams, commands, evidence, DEFAULT_POLICY, recovered))
        servicer = AlertingServicer(states, streams, commands, recovered)
        await run_until_stopped(
            service.run(),
            serve_http(shared.bind_host, settings.http_port, health, routes),
            serve_grpc(
                shared.bind_host,
                settings.grpc_port,
                health,
                lambda server: add_AlertingServiceServicer_to_server(servicer, server),
                [SERVICE_NAME],
            ),
        )
