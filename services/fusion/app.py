"""Composition root of fusion."""

from vigil.v1.fusion_service_pb2_grpc import add_FusionServiceServicer_to_server

from services.common.bus import Producer
from services.common.clock import utc_now
from services.common.grpc_server import serve_grpc
from services.common.health import Health
from services.common.http import serve_http
from services.common.runtime import run_until_stopped
from services.common.stateful import Stateful, StatefulService
from services.common.topics import Topic
from services.common.triton import TritonClient
from services.fusion import metrics
from services.fusion.config import FusionSettings
from services.fusion.grpc_api import SERVICE_NAME, FusionServicer
from services.fusion.handlers import Fusion
from services.fusion.http_api import create_routes
from services.fusion.models import load_models
from services.fusion.monitor import watched
from services.fusion.risk import Judging
from services.fusion.scoring import Scorer
from services.fusion.state import PatientRecord
from services.fusion.turns import Turns
from services.fusion.views import Patients

INPUTS = (Topic.OBSERVATIONS_RECEIVED, Topic.ENCOUNTERS, Topic.NOTES_CODED, Topic.IMAGE_FINDINGS)


async def main(settings: FusionSettings) -> None:
    """Run fusion until it is asked to stop."""
    shared, health = settings.shared, Health()
    models = load_models(shared.model_repository)
    async with Producer(shared, "fusion") as producer, TritonClient(shared) as triton:
        live = Scorer(triton, models, settings.models_deadline_s, "live", watched(models))
        judging = Judging(settings.staleness, settings.evidence_window, settings.report_window)
        turns = Turns(settings.models_share, settings.models_batch)
        fusion = Fusion(settings.limits, judging, utc_now, live, turns)
        spec = Stateful("fusion", INPUTS, "patients", PatientRecord, fusion.handle, completion=fusion.complete)
        service = StatefulService(spec, shared, producer, health)
        health.dependency("kafka", producer.check)
        metrics.PATIENTS.set_function(lambda: len(service.states))
        patients = Patients(service.states, settings.staleness, utc_now, lambda: service.recovered)
        stays = Scorer(triton, models, shared.triton_deadline_s, "stay", patience_s=settings.stays_wait_s)
        servicer = FusionServicer(patients, stays)
        await run_until_stopped(
            service.run(),
            serve_http(shared.bind_host, settings.http_port, health, create_routes(patients)),
            serve_grpc(
                shared.bind_host,
                settings.grpc_port,
                health,
                lambda server: add_FusionServiceServicer_to_server(servicer, server),
                [SERVICE_NAME],
            ),
        )
