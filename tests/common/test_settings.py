from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, ValidationError
from pydantic_settings import SettingsError

from services.common.settings import ServiceSettings, SharedSettings, ZoneName, faults_of, service_config
from services.fusion.config import FusionSettings


class Example(ServiceSettings):
    model_config = service_config("note-ingest")

    http_port: int = Field(8081, description="HTTP.")
    grpc_port: int = Field(50051, description="gRPC.")
    mllp_port: int = Field(2575, description="MLLP.")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("VIGIL_PORT_OFFSET", "VIGIL_KAFKA_PORT", "VIGIL_DATA_DIR", "VIGIL_NOTE_INGEST_HTTP_PORT"):
        monkeypatch.delenv(name, raising=False)


def test_an_offset_moves_every_port_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_PORT_OFFSET", "100")
    monkeypatch.setenv("VIGIL_NOTE_INGEST_HTTP_PORT", "7000")
    settings = Example()
    assert (settings.http_port, settings.grpc_port, settings.mllp_port) == (7000, 50151, 2675)
    assert settings.shared.kafka_bootstrap == "127.0.0.1:9192"


def test_locations_follow_the_data_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIGIL_DATA_DIR", str(tmp_path / "a"))
    shared = SharedSettings()
    assert shared.blob_url == f"file://{tmp_path}/a/blobs"
    assert shared.patient_key_file == tmp_path / "a" / "secrets" / "patient-key"


def test_a_dotenv_file_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("VIGIL_KAFKA_PORT=9999\nVIGIL_NOTE_INGEST_HTTP_PORT=8888\n")
    settings = Example()
    assert settings.shared.kafka_port == 9999
    assert settings.http_port == 8888


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in SharedSettings.model_fields.items() if not field.description] == []


class InAZone(Example):
    time_zone: ZoneName = Field("UTC", description="Zone.")


def test_a_time_zone_has_to_exist() -> None:
    assert InAZone(time_zone="Europe/Madrid").time_zone == "Europe/Madrid"
    with pytest.raises(ValueError, match="there is no time zone 'Mars/Base'"):
        InAZone(time_zone="Mars/Base")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("VIGIL_PATIENT_KEY_SECRET", "short-secret", "should have at least 16 bytes"),
        ("VIGIL_LOG_LEVEL", "loud", "should be one of DEBUG, INFO"),
        ("VIGIL_KAFKA_BOOTSTRAP", "broker", "should be host:port"),
        ("VIGIL_KAFKA_BOOTSTRAP", "kafka:9092,other", "should be host:port"),
        ("VIGIL_TRITON_URL", "http://triton", "should be host:port"),
        ("VIGIL_AUTHORITY_ALIASES", "no-json", "should be JSON"),
    ],
)
def test_a_wrong_value_is_said_with_its_variable_and_not_repeated(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    wrong: Any  # one of two kinds
    with pytest.raises((ValidationError, SettingsError)) as wrong:
        SharedSettings()
    ((variable, why),) = faults_of(wrong.value)
    assert variable == name
    assert said in why
    assert value not in str(wrong.value)


def test_a_wrong_value_of_a_service_is_said_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_FUSION_HTTP_PORT", "abc")
    with pytest.raises(ValidationError) as wrong:
        FusionSettings()
    assert [variable for variable, _ in faults_of(wrong.value)] == ["VIGIL_FUSION_HTTP_PORT"]


def test_the_level_of_logs_may_be_written_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_LOG_LEVEL", "debug")
    assert SharedSettings().log_level == "DEBUG"
