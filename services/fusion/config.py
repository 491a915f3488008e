from datetime import timedelta

from pydantic import Field

from services.common.settings import ServiceSettings, service_config
from services.fusion.state import Limits
from services.fusion.vitals import Staleness


class FusionSettings(ServiceSettings):
    """Settings of fusion (VIGIL_FUSION_...)."""

    model_config = service_config("fusion")

    http_port: int = Field(8084, description="GET /patients, health, metrics.")
    grpc_port: int = Field(50054, description="gRPC FusionService.")
    staleness_vitals: timedelta = Field(
        timedelta(hours=1),
        description="Older vital signs count as missing. NEWS2 asks for hourly values from a score of 5 on.",
    )
    staleness_consciousness: timedelta = Field(
        timedelta(hours=4),
        description="The same for AVPU and GCS, charted by hand. Local policy; NEWS2 asks for 4 to 6 hourly at 1 to 4.",
    )
    history: timedelta = Field(
        timedelta(hours=24), description="Event time over which values are kept; the newest of a name always is."
    )
    evidence_window: timedelta = Field(
        timedelta(hours=48),
        description="Notes and images older than this no longer support a syndrome (48 h: Seymour et al., JAMA 2016).",
    )
    report_window: timedelta = Field(
        timedelta(hours=24),
        description="A radiology report without the accession number of an image is held against one so near in time.",
    )
    future_tolerance: timedelta = Field(
        timedelta(minutes=5),
        description="Event times further after their arrival do not move the time at which a patient is judged.",
    )
    models_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Share of its time that fusion spends on the models' live scores; patients take turns in it.",
    )
    models_batch: int = Field(4, gt=0, description="Patients whose live scores one batch of messages waits for.")
    models_deadline_s: float = Field(
        0.5, gt=0, description="Seconds that bedside scores wait for the models; then they go out without, and say so."
    )
    stays_wait_s: float = Field(
        10.0, ge=0, description="Seconds of an outage of Triton that a stay sent whole waits; then no model answers."
    )
    max_observations: int = Field(1500, gt=0, description="Values kept of a patient.")
    max_earlier: int = Field(
        500, gt=0, description="Values of one name kept for the models alone, of those older than the history."
    )
    max_notes: int = Field(30, gt=0, description="Coded notes kept of a patient, without their text.")
    max_images: int = Field(30, gt=0, description="Image findings kept of a patient.")

    @property
    def staleness(self) -> Staleness:
        """How old an input of a score may be."""
        return Staleness(vitals=self.staleness_vitals, consciousness=self.staleness_consciousness)

    @property
    def limits(self) -> Limits:
        """How much is kept of a patient."""
        return Limits(
            history=self.history,
            future_tolerance=self.future_tolerance,
            observations=self.max_observations,
            earlier=self.max_earlier,
            notes=self.max_notes,
            images=self.max_images,
        )
