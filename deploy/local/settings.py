"""Settings of the local stack itself, beside those that services share."""

import shlex
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from services.common.settings import SharedSettings


class LocalSettings(SharedSettings):
    """`SharedSettings` and what only the local stack needs."""

    cache_dir: Path = Field(Path("~/.cache/vigil"), description="Downloaded programs, shared by all stacks.")
    kafka_controller_port: int = Field(
        9093, description="Kafka's controller (KRaft); unset: the one after VIGIL_KAFKA_PORT."
    )
    # Measured: ready after 2.8 s of CPU instead of 5.5 s, which a machine of two cores feels at every start.
    kafka_java_options: str = Field(
        "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        description="Java options of the local Kafka: a quick start rather than the highest throughput.",
    )
    kafka_heap_mb: int = Field(512, ge=256, description="Java heap of the local Kafka, MiB.")
    triton_onnx_threads: int = Field(1, ge=1, description="Threads of one ONNX inference in the local Triton.")
    log_max_mb: int = Field(20, ge=1, description="A log file is rotated at this size, MiB.")
    log_backups: int = Field(3, ge=0, description="Rotated log files kept of each process.")

    @model_validator(mode="before")
    @classmethod
    def _put_controller_beside_kafka(cls, values: dict[str, Any]) -> dict[str, Any]:
        """So that a second stack needs no port of its own that only this file knows."""
        kafka = str(values.get("kafka_port", ""))  # anything but digits is refused by the field itself
        return ({"kafka_controller_port": int(kafka) + 1} if kafka.isdecimal() else {}) | values

    @field_validator("kafka_java_options")
    @classmethod
    def _splits_like_a_shell(cls, options: str) -> str:
        shlex.split(options)  # raises ValueError, e.g. "No closing quotation"
        return options

    @model_validator(mode="after")
    def _expand_cache_dir(self) -> "LocalSettings":
        object.__setattr__(self, "cache_dir", self.cache_dir.expanduser().resolve())
        return self
