"""Settings of nlp-coder (`VIGIL_NLP_CODER_...`)."""

from pydantic import Field

from services.common.settings import ServiceSettings, service_config


class NlpCoderSettings(ServiceSettings):
    """How notes are read."""

    model_config = service_config("nlp-coder")

    http_port: int = Field(8083, description="HTTP: health and metrics.")
    grpc_port: int = Field(50052, description="gRPC: NlpCoderService.")
    max_note_chars: int = Field(
        1_048_576, gt=0, description="Characters of a note that are read; what follows is carried but not read."
    )
    model_wait_s: float = Field(
        8.0, ge=0, description="Seconds of an outage of Triton that a note waits; then the dictionary alone answers."
    )
    entities: bool = Field(
        default=True,
        description="Whether medications, tests and whatever else the code set does not name are marked; without, a "
        "note takes half the time.",
    )
    batch_notes: int = Field(32, gt=0, description="Notes handled at a time.")
