"""Settings of alerting."""

from typing import Self

from pydantic import Field, model_validator

from services.common.settings import ServiceSettings, service_config


class AlertingSettings(ServiceSettings):
    """VIGIL_ALERTING_..."""

    model_config = service_config("alerting")

    http_port: int = Field(8080, description="The board, alerts, SSE, health and metrics.")
    grpc_port: int = Field(50055, description="AlertingService.")
    fusion_url: str = Field("", description="Fusion's gRPC address, host:port; empty: the local stack's.")
    fusion_deadline_s: float = Field(2.0, gt=0, description="Seconds that fusion may take for an answer.")
    heartbeat_s: float = Field(3.0, gt=0, description="Seconds between signs of life on the event streams.")
    command_wait_s: float = Field(
        5.0, gt=0, description="Seconds that an acknowledgement waits to be applied before the answer is 202."
    )
    events_kept: int = Field(10_000, gt=0, description="Changes that a returning client can catch up with.")
    note_read_s: float = Field(3.0, gt=0, description="Seconds that reading a note's text from Kafka may take.")

    @model_validator(mode="after")
    def _fill_locations(self) -> Self:
        url = self.fusion_url or f"127.0.0.1:{FusionAddress(shared=self.shared).grpc_port}"
        object.__setattr__(self, "fusion_url", url)  # the model is frozen for everyone else
        return self


class FusionAddress(ServiceSettings):
    """Where fusion listens: its own VIGIL_FUSION_... settings."""

    model_config = service_config("fusion")

    http_port: int = Field(8084, description="Fusion's HTTP.")
    grpc_port: int = Field(50054, description="FusionService.")
