"""Settings come from the environment (`VIGIL_...`) or a `.env` file; `vigil config` prints them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

MIN_SECRET_BYTES = 16  # of the patient keys
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
REPOSITORY = Path(__file__).resolve().parents[2]


def _existing_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"there is no time zone {name!r}") from None
    return name


def _level(name: str) -> str:
    if name.upper() not in LOG_LEVELS:
        raise ValueError(f"should be one of {', '.join(LOG_LEVELS)}")
    return name.upper()


def _long_enough(secret: SecretStr | None) -> SecretStr | None:
    if secret is not None and len(secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"should have at least {MIN_SECRET_BYTES} bytes")
    return secret


def _addresses(text: str) -> str:
    """Raises ValueError for anything but host:port, by commas, or nothing."""
    for address in text.split(",") if text else ():
        host, _, port = address.strip().rpartition(":")
        if not (host and port.isdecimal()):
            raise ValueError("should be host:port")
    return text


Addresses = Annotated[str, AfterValidator(_addresses)]
# An IANA zone that this machine knows.
ZoneName = Annotated[str, AfterValidator(_existing_zone)]


def _config(prefix: str) -> SettingsConfigDict:
    return SettingsConfigDict(
        env_prefix=prefix, env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )


class SharedSettings(BaseSettings):
    """What every part of a stack must agree on."""

    model_config = _config("VIGIL_")

    data_dir: Path = Field(Path("var"), description="Holds all state of the local stack.")
    port_offset: int = Field(
        0, ge=0, le=40000, description="Added to every port that is not set itself; for stacks side by side."
    )
    bind_host: str = Field("127.0.0.1", description="Address that every server listens on; 0.0.0.0 for all.")
    kafka_port: int = Field(9092, description="Kafka.")
    kafka_bootstrap: Addresses = Field("", description="Brokers, host:port by commas; empty: the local stack's.")
    triton_http_port: int = Field(8000, description="Triton, HTTP.")
    triton_grpc_port: int = Field(8001, description="Triton, gRPC.")
    triton_metrics_port: int = Field(8002, description="Triton, Prometheus metrics.")
    triton_url: Addresses = Field("", description="Triton's gRPC address, host:port; empty: the local stack's.")
    triton_deadline_s: float = Field(2.0, gt=0, description="Seconds that one inference may take.")
    triton_concurrency: int = Field(16, gt=0, description="Inferences of one service that may be under way.")
    model_repository: Path = Field(
        REPOSITORY / "triton_models",
        description="Triton's model repository; services read vocabularies from it.",
    )
    blob_url: str = Field("", description="fsspec location of the blob store; empty: blobs/ in the data dir.")
    patient_key_secret: Annotated[SecretStr | None, AfterValidator(_long_enough)] = Field(
        None, description="Secret of the patient keys, 16 bytes or more; unset: the file of the local stack."
    )
    default_authority: str = Field(
        "VIGIL", description="Assigning authority of patient identifiers that are sent without one."
    )
    authority_aliases: dict[str, str] = Field(
        default_factory=dict,
        description='JSON: other names of assigning authorities, e.g. {"urn:oid:1.2.3": "WARD"}.',
    )
    instance: str = Field(
        "0",
        description="Tells members of one service's consumer group apart; stable over restarts (a pod's name).",
    )
    log_level: Annotated[str, AfterValidator(_level)] = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @model_validator(mode="before")
    @classmethod
    def _shift_default_ports(cls, values: dict[str, Any]) -> dict[str, Any]:
        offset = str(values.get("port_offset") or 0)  # anything but digits is refused by the field itself
        return shift_ports(cls, values, int(offset) if offset.isdigit() else 0)

    @model_validator(mode="after")
    def _fill_locations(self) -> Self:
        data = self.data_dir.resolve()
        filled = {
            "data_dir": data,
            "kafka_bootstrap": self.kafka_bootstrap or f"127.0.0.1:{self.kafka_port}",
            "triton_url": self.triton_url or f"127.0.0.1:{self.triton_grpc_port}",
            "blob_url": self.blob_url or f"file://{data}/blobs",
        }
        for name, value in filled.items():
            object.__setattr__(self, name, value)  # the model is frozen for everyone else
        return self

    def member_id(self, service: str) -> str:
        """Static membership of a consumer group: a restarted process takes its partitions up at once."""
        return f"{service}-{self.instance}"

    @property
    def patient_key_file(self) -> Path:
        """Where the local stack keeps the secret of its patient keys, mode 0600."""
        return self.data_dir / "secrets" / "patient-key"


def shift_ports(cls: type[BaseSettings], values: dict[str, Any], offset: int) -> dict[str, Any]:
    """`values` with every `*_port` field that was not set moved by `offset` from its default."""
    ports = {name: field.default for name, field in cls.model_fields.items() if name.endswith("_port")}
    return {name: default + offset for name, default in ports.items()} | values


class ServiceSettings(BaseSettings):
    """Base of a service's settings. A service sets its ports and its `env_prefix`."""

    model_config = _config("VIGIL_")

    http_port: int
    grpc_port: int
    shared: SharedSettings = Field(default_factory=SharedSettings, description="Settings of the whole stack.")

    @model_validator(mode="before")
    @classmethod
    def _shift_default_ports(cls, values: dict[str, Any]) -> dict[str, Any]:
        shared = values.get("shared") or SharedSettings()
        return shift_ports(cls, {"shared": shared} | values, shared.port_offset)


def service_config(service: str) -> SettingsConfigDict:
    """`model_config` of a service's settings, e.g. `service_config("note-ingest")` for VIGIL_NOTE_INGEST_..."""
    return _config(f"VIGIL_{service.replace('-', '_').upper()}_")


def faults_of(error: ValidationError | SettingsError) -> Iterator[tuple[str, str]]:
    """The environment variable of each wrong setting, and what is wrong; never its value, which may be a secret."""
    if isinstance(error, SettingsError):
        named = re.search(r'field "(\w+)"', str(error))
        yield f"VIGIL_{named[1].upper()}" if named else "VIGIL_...", "should be JSON"
        return
    service = re.sub(r"(?<!^)(?=[A-Z])", "_", error.title.removesuffix("Settings")).upper()
    prefix = "VIGIL_" if service in {"LOCAL", "SHARED"} else f"VIGIL_{service}_"
    for fault in error.errors(include_input=False):
        name = "_".join(map(str, fault["loc"])).upper()
        yield f"{prefix}{name}", fault["msg"].removeprefix("Value error, ")
