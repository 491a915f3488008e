"""`vigil config`."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.commands.config import Setting, all_settings, masked
from deploy.local.settings import LocalSettings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "VIGIL_DATA_DIR",
        "VIGIL_PORT_OFFSET",
        "VIGIL_KAFKA_PORT",
        "VIGIL_LOG_LEVEL",
        "VIGIL_PATIENT_KEY_SECRET",
    ):
        monkeypatch.delenv(name, raising=False)


def settings() -> dict[str, Setting]:
    return {setting.name: setting for setting in all_settings()}


def test_every_setting_has_a_meaning_and_a_name_of_its_own() -> None:
    found = all_settings()
    assert len({setting.name for setting in found}) == len(found)
    assert [setting.name for setting in found if not setting.meaning] == []


def test_the_ports_of_every_service_are_there() -> None:
    ports = {name: setting.value for name, setting in settings().items() if name.endswith("_PORT")}
    assert ports["VIGIL_KAFKA_PORT"] == "9092"
    assert ports["VIGIL_NOTE_INGEST_MLLP_PORT"] == "2575"
    assert ports["VIGIL_IMAGE_ROUTER_DICOM_PORT"] == "11112"
    assert ports["VIGIL_ALERTING_HTTP_PORT"] == "8080"
    assert ports["VIGIL_FUSION_GRPC_PORT"] == "50054"


def test_the_origin_tells_default_environment_file_and_offset_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_LOG_LEVEL", "DEBUG")
    Path(".env").write_text("VIGIL_PORT_OFFSET=100\n")
    found = settings()
    assert (found["VIGIL_LOG_LEVEL"].value, found["VIGIL_LOG_LEVEL"].origin) == ("DEBUG", "environment")
    assert (found["VIGIL_PORT_OFFSET"].value, found["VIGIL_PORT_OFFSET"].origin) == ("100", ".env")
    assert (found["VIGIL_KAFKA_PORT"].value, found["VIGIL_KAFKA_PORT"].origin) == ("9192", "offset")
    assert found["VIGIL_BIND_HOST"].origin == "default"


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_PATIENT_KEY_SECRET", "a secret of sixteen bytes")
    shown = settings()["VIGIL_PATIENT_KEY_SECRET"]
    assert "secret of" not in str(shown)
    assert shown.value == "********"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (SecretStr("x"), "********"),
        ("s3://user:hidden@host/bucket", "s3://user:********@host/bucket"),
        ("file:///data/blobs", "file:///data/blobs"),
        (None, ""),
        (3.5, "3.5"),
    ],
)
def test_values_are_shown_without_passwords(value: object, shown: str) -> None:
    assert masked(value) == shown


@pytest.mark.parametrize(
    ("environment", "port"),
    [
        ({}, 9093),
        ({"VIGIL_PORT_OFFSET": "100"}, 9193),
        ({"VIGIL_KAFKA_PORT": "19092"}, 19093),
        ({"VIGIL_KAFKA_PORT": "19092", "VIGIL_KAFKA_CONTROLLER_PORT": "19500"}, 19500),
    ],
)
def test_the_controller_is_beside_kafka_unless_it_is_set(
    environment: dict[str, str], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIGIL_KAFKA_CONTROLLER_PORT", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert LocalSettings().kafka_controller_port == port
