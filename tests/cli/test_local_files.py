"""What the local stack writes before it starts anything: jars, storage, supervisord's configuration."""

import configparser
import os
import stat
import threading
from pathlib import Path

import pytest

from deploy.local import java, kafka, readiness, supervision
from deploy.local.components import Component, Port
from deploy.local.errors import StackError
from deploy.local.processes import require_free_ports
from deploy.local.settings import LocalSettings
from deploy.local.supervision import Home
from deploy.local.topics import topic_config
from services.common.topics import registry

FORMATTED = "version=1\ncluster.id=4L6g3nShT-eMCtK--X86sw\n"


def program(folder: Path, name: str, script: str) -> None:
    """A program on the PATH: other people's tools are the boundary of this process."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalSettings:
    for name in [name for name in os.environ if name.startswith("VIGIL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return LocalSettings(data_dir=tmp_path / "var")


@pytest.mark.parametrize(("said", "version"), [("17.0.15", 17), ("1.8.0_292", 8), ("21", 21)])
def test_java_versions_are_read_as_java_says_them(tools: Path, said: str, version: int) -> None:
    program(tools, "java", f"echo 'openjdk version \"{said}\" 2024-01-01' >&2")
    if version >= java.MIN_JAVA:
        assert java.java() == str(tools / "java")
    else:
        with pytest.raises(StackError, match=f"is {version}; install it or set JAVA_HOME"):
            java.java()


def test_a_java_home_without_java_is_named(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    with pytest.raises(StackError, match=r"none in JAVA_HOME \(/nowhere\)"):
        java.java()


def test_a_failed_download_leaves_nothing_that_could_be_taken_for_kafka(tools: Path, tmp_path: Path) -> None:
    program(
        tools,
        "mvn",
        'for a; do case $a in -DoutputDirectory=*) d="${a#*=}";; esac; done\n'
        'mkdir -p "$d"; echo half > "$d/kafka.jar"; echo "[ERROR] no route to host"; exit 1',
    )
    with pytest.raises(StackError, match="no route to host"):
        java.kafka_jars(tmp_path / "cache")
    assert list((tmp_path / "cache").glob("*kafka-*")) == []
    assert list((tmp_path / "cache").glob("download-*")) == []


def test_many_stacks_at_once_download_once(tools: Path, tmp_path: Path) -> None:
    program(
        tools,
        "mvn",
        'for a; do case $a in -DoutputDirectory=*) d="${a#*=}";; esac; done\n'
        f'mkdir -p "$d"; echo x >> {tmp_path}/downloads; sleep 0.2; echo jar > "$d/kafka.jar"',
    )
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(java.kafka_jars(tmp_path / "cache"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert (found[0] / "kafka.jar").read_text() == "jar\n"
    assert (tmp_path / "downloads").read_text() == "x\n"


def test_without_maven_cached_jars_are_enough(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(StackError, match="no mvn on the PATH"):
        java.kafka_jars(tmp_path)
    program(tools, "mvn", 'for a; do case $a in -DoutputDirectory=*) /bin/mkdir -p "${a#*=}";; esac; done')
    jars = java.kafka_jars(tmp_path)
    (tools / "mvn").unlink()
    assert java.kafka_jars(tmp_path) == jars


def test_kafkas_storage_is_whole_missing_half_or_damaged(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert not kafka._is_formatted(data)
    data.mkdir()
    assert not kafka._is_formatted(data)
    (data / "bootstrap.checkpoint").write_text("")
    assert not kafka._is_formatted(data)
    (data / "meta.properties").write_text("ver")
    assert not kafka._is_formatted(data)
    (data / "meta.properties").write_text(FORMATTED)
    assert kafka._is_formatted(data)
    (data / "meta.properties").unlink()
    (data / "alerts-0").mkdir()
    with pytest.raises(StackError, match="holds messages"):
        kafka._is_formatted(data)


def component(**environment: str) -> Component:
    return Component("fusion", lambda: ["/a folder/python", "100%", "-m", "x"], (), "", environment)


def configured(settings: LocalSettings, *parts: Component) -> configparser.RawConfigParser:
    home = Home(settings.data_dir)
    settings.data_dir.mkdir(exist_ok=True)
    supervision.write_config(home, settings, parts)
    assert stat.S_IMODE(home.config.stat().st_mode) == 0o600
    parser = configparser.RawConfigParser()
    parser.read(home.config)
    return parser


def test_the_configuration_quotes_and_escapes(settings: LocalSettings) -> None:
    program_ = configured(settings, component(GREETING="50% off, it's"))["program:fusion"]
    assert program_["command"] == "'/a folder/python' 100%% -m x"
    assert 'GREETING="50%% off, it\'s"' in program_["environment"]


def test_a_value_that_supervisord_cannot_carry_is_refused(settings: LocalSettings) -> None:
    with pytest.raises(StackError, match="GREETING holds a quote"):
        configured(settings, component(GREETING='say "hi"'))


def test_a_service_sees_shared_settings_and_its_own_but_no_others(
    settings: LocalSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIL_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("VIGIL_FUSION_HTTP_PORT", "1")
    monkeypatch.setenv("VIGIL_ALERTING_HTTP_PORT", "2")
    environment = configured(settings, component())["program:fusion"]["environment"]
    assert "VIGIL_LOG_LEVEL" in environment
    assert "VIGIL_FUSION_HTTP_PORT" in environment
    assert "VIGIL_ALERTING_HTTP_PORT" not in environment


def test_a_data_folder_with_a_long_path_gets_its_socket_elsewhere() -> None:
    short, long = Home(Path("/data")), Home(Path("/data") / ("x" * 100))
    assert short.socket == Path("/data/supervisor/supervisor.sock")
    assert len(str(long.socket)) < 100
    assert long.socket != Home(Path("/data") / ("y" * 100)).socket


def test_restarts_are_counted_from_the_last_stop_on_purpose(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.folder.mkdir()
    home.log.write_text(
        "2026-01-01 10:00:00,000 INFO spawned: 'kafka' with pid 1\n"
        "2026-01-01 10:00:00,000 INFO spawned: 'note-ingest' with pid 2\n"
        "2026-01-01 10:00:01,000 INFO stopped: kafka (exit status 143)\n"
        "2026-01-01 10:00:02,000 INFO spawned: 'kafka' with pid 3\n"
        "2026-01-01 10:00:03,000 WARN exited: kafka (terminated by SIGKILL; not expected)\n"
        "2026-01-01 10:00:04,000 INFO spawned: 'kafka' with pid 4\n"
    )
    assert supervision.starts(home) == {"kafka": 2, "note-ingest": 1}


def test_last_words_are_the_last_error_and_its_cause(tmp_path: Path) -> None:
    home = Home(tmp_path)
    path = home.process_log("fusion")
    path.parent.mkdir()
    path.write_text(
        '{"level":"error","event":"crashed","exception":"Traceback\\n  File x\\nValueError: no key"}\n'
        '{"level":"info","event":"bye"}\n'
    )
    assert supervision.last_words(home, "fusion") == "crashed: ValueError: no key"
    path.write_text("Segmentation fault\n")
    assert supervision.last_words(home, "fusion") == "Segmentation fault"
    assert supervision.last_words(home, "alerting") == ""


def test_a_port_beyond_the_last_is_refused() -> None:
    part = Component("fusion", list, (Port(90055, "VIGIL_FUSION_GRPC_PORT"),), "")
    with pytest.raises(StackError, match="VIGIL_FUSION_GRPC_PORT is 90055; ports go from 1 to 65535"):
        require_free_ports([part], "127.0.0.1")


def test_topics_keep_what_the_registry_says() -> None:
    for spec in registry().values():
        config = topic_config(spec)
        assert config["cleanup.policy"] == spec.cleanup
        if spec.cleanup == "delete":
            assert config["retention.ms"] == str((spec.retention_hours or 0) * 3_600_000)


def test_an_address_of_another_machine_is_refused() -> None:
    part = Component("fusion", list, (Port(50054, "VIGIL_FUSION_GRPC_PORT"),), "")
    with pytest.raises(StackError, match=r"VIGIL_BIND_HOST=192\.0\.2\.1 is not an address of this machine"):
        require_free_ports([part], "192.0.2.1")  # reserved for documentation (RFC 5737)


def test_reasons_come_from_what_a_service_says() -> None:
    assert readiness._reasons(b'{"ready": false, "reasons": {"kafka": "away", "bus": "not started"}}') == (
        "kafka: away; bus: not started"
    )
    assert readiness._reasons(b"<html>") == ""
    assert readiness._reasons(b"[1]") == ""


def test_waiting_ends_when_nothing_is_pending_and_tells_what_is_when_time_is_up() -> None:
    looks = iter([["kafka", "triton"], ["triton"], []])
    shown: list[list[str]] = []
    assert readiness.wait_until(lambda: next(looks), 30, shown.append) == []
    assert shown == [["kafka", "triton"], ["triton"], []]
    assert readiness.wait_until(lambda: ["triton"], 0.1, shown.append) == ["triton"]
