"""The local stack: starting, stopping, and what goes wrong."""

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from vigil.v1.notes_pb2 import NoteReceived

from deploy.local.processes import left_behind
from deploy.local.triton import shared_memory_prefix
from services.common.bus import Producer, Publish
from services.common.settings import REPOSITORY
from services.common.topics import Topic, registry
from tests.stacks import VIGIL, Stack, free_ports, new_stack, running_stack, until

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Stack]:
    """A stack without models that is not running; stopped at the end if the test started it."""
    (tmp_path / "models").mkdir()
    stack = new_stack(tmp_path / "my stack", VIGIL_MODEL_REPOSITORY=str(tmp_path / "models"))
    yield stack
    stack.vigil("down", check=False)


@pytest.fixture(scope="module")
def disposable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka and Triton for tests that kill them."""
    with running_stack(tmp_path_factory.mktemp("disposable"), only="kafka,triton") as stack:
        yield stack


def complaint(stack: Stack, *arguments: str, **environment: Any) -> str:
    """What `vigil` says when it fails: one line, exit code 1."""
    done = stack.vigil(*arguments, check=False, **environment)
    assert done.returncode == 1, done
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


async def publish(stack: Stack, *texts: str) -> None:
    async with Producer(stack.settings, "test") as producer:
        for text in texts:
            note = NoteReceived(text=text)
            note.meta.patient_key = text
            await producer.publish(Publish(Topic.NOTES_RECEIVED, text, note))


def processes_of(stack: Stack) -> list[psutil.Process]:
    return left_behind(stack.settings.data_dir)


def test_a_taken_port_is_named_with_its_setting_and_its_holder(idle: Stack) -> None:
    with socket.create_server(("127.0.0.1", idle.port("VIGIL_TRITON_GRPC_PORT"))):
        said = complaint(idle, "up", "--detach", "--only", "triton")
    assert f"Port {idle.port('VIGIL_TRITON_GRPC_PORT')} for triton is taken" in said
    assert f"(pid {os.getpid()})" in said
    assert "VIGIL_TRITON_GRPC_PORT" in said
    assert processes_of(idle) == []


def test_two_settings_with_the_same_port_are_refused(idle: Stack) -> None:
    same = idle.environment["VIGIL_TRITON_HTTP_PORT"]
    said = complaint(idle, "up", "--detach", "--only", "triton", VIGIL_TRITON_GRPC_PORT=same)
    assert "VIGIL_TRITON_HTTP_PORT and VIGIL_TRITON_GRPC_PORT are both" in said


def test_missing_java_is_said_in_one_sentence(idle: Stack, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("env", "sh"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    said = complaint(idle, "up", "--detach", "--only", "kafka", PATH=str(tools), JAVA_HOME="")
    assert said.startswith("Kafka needs Java 17 or newer and there is none on the PATH")
    assert processes_of(idle) == []


def fake(folder: Path, **programs: str) -> str:
    """A PATH with programs of a shell script each, and what scripts need."""
    folder.mkdir()
    for tool in ("env", "sh"):
        (folder / tool).symlink_to(shutil.which(tool) or "")
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_an_old_java_is_said_in_one_sentence(idle: Stack, tmp_path: Path) -> None:
    tools = fake(tmp_path / "tools", java="echo 'openjdk version \"11.0.2\"' >&2")
    said = complaint(idle, "up", "--detach", "--only", "kafka", PATH=tools, JAVA_HOME="")
    assert said == f"Kafka needs Java 17 or newer and {tools}/java is 11; install it or set JAVA_HOME to it."


def test_missing_maven_is_said_where_kafka_was_never_downloaded(idle: Stack, tmp_path: Path) -> None:
    tools = fake(tmp_path / "tools", java="echo 'openjdk version \"17.0.2\"' >&2")
    cache = str(tmp_path / "cache")
    said = complaint(idle, "up", "--detach", "--only", "kafka", PATH=tools, JAVA_HOME="", VIGIL_CACHE_DIR=cache)
    assert said.startswith("Kafka is downloaded by Maven and there is no mvn on the PATH")


def test_a_missing_model_repository_is_not_made_up(idle: Stack, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    said = complaint(idle, "up", "--detach", "--only", "triton", VIGIL_MODEL_REPOSITORY=str(nowhere))
    assert said.startswith(f"VIGIL_MODEL_REPOSITORY={nowhere} is not a folder")
    assert not nowhere.exists()


def test_a_short_secret_is_refused_before_anything_starts(idle: Stack) -> None:
    said = complaint(idle, "up", "--detach", "--only", "kafka,note-ingest", VIGIL_PATIENT_KEY_SECRET="short")
    assert "VIGIL_PATIENT_KEY_SECRET: should have at least 16 bytes" in said
    assert processes_of(idle) == []


@pytest.mark.parametrize("held", ["", "ab12"])
def test_a_secret_that_was_not_written_whole_is_refused_and_left(idle: Stack, held: str) -> None:
    secret = idle.settings.patient_key_file
    secret.parent.mkdir(parents=True)
    secret.write_text(held)
    said = complaint(idle, "up", "--detach", "--only", "note-ingest")
    assert said.startswith(f"{secret} holds fewer than 16 bytes")
    assert secret.read_text() == held


def test_a_data_folder_that_is_a_file_is_refused(idle: Stack, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = complaint(idle, "up", "--detach", "--only", "triton", VIGIL_DATA_DIR=str(tmp_path / "file"))
    assert said == f"VIGIL_DATA_DIR={tmp_path / 'file'} cannot be used: File exists."


def test_a_file_that_cannot_be_written_is_named(idle: Stack) -> None:
    (idle.settings.data_dir / "logs").mkdir(parents=True)
    (idle.settings.data_dir / "supervisor").write_text("in the way")
    said = complaint(idle, "up", "--detach", "--only", "triton")
    assert said.startswith(f"{idle.settings.data_dir / 'supervisor'} cannot be used: File exists")


def test_a_model_that_cannot_be_loaded_is_named(idle: Stack) -> None:
    version = idle.settings.model_repository / "broken" / "1"
    version.mkdir(parents=True)
    (version / "model.onnx").write_bytes(b"no model")
    (version.parent / "config.pbtxt").write_text('backend: "onnxruntime"\n')
    said = complaint(idle, "up", "--detach", "--only", "triton")
    assert said.startswith("triton cannot load model broken: ")


def test_a_service_that_cannot_start_is_named_with_its_reason(idle: Stack) -> None:
    faust = idle.settings.data_dir / "faust"
    faust.parent.mkdir(parents=True)
    faust.write_text("in the way")
    said = complaint(idle, "up", "--detach", "--only", "kafka,fusion", timeout_s=120)
    assert said.startswith(f"fusion does not stay up: cannot start: {faust}")
    assert "Not a directory" in said


def test_a_data_folder_that_the_parts_cannot_take_is_refused(idle: Stack, tmp_path: Path) -> None:
    said = complaint(idle, "up", "--detach", VIGIL_DATA_DIR=str(tmp_path / "50%"))
    assert "holds '%'" in said


def test_an_interrupted_format_is_done_again(idle: Stack) -> None:
    kafka = idle.settings.data_dir / "kafka"
    (kafka / "data").mkdir(parents=True)
    (kafka / "data" / "bootstrap.checkpoint").write_bytes(b"half")
    (kafka / "data.formatting").mkdir()
    (kafka / "data.formatting" / "meta.properties").write_text("ver")
    idle.up("kafka")
    assert idle.status()["kafka"]["state"] == "running"
    assert not (kafka / "data.formatting").exists()


def test_a_damaged_folder_that_holds_messages_is_left_alone(idle: Stack) -> None:
    segment = idle.settings.data_dir / "kafka" / "data" / "alerts-0" / "00000000000000000000.log"
    segment.parent.mkdir(parents=True)
    segment.write_bytes(b"messages")
    said = complaint(idle, "up", "--detach", "--only", "kafka")
    assert "kafka/data holds messages but its meta.properties is missing" in said
    assert segment.read_bytes() == b"messages"


def test_stale_files_of_a_supervisor_are_no_obstacle(idle: Stack) -> None:
    home = idle.settings.data_dir / "supervisor"
    home.mkdir(parents=True)
    (home / "supervisord.pid").write_text(str(os.getpid()))  # somebody else has this number now
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(home / "supervisor.sock"))
    idle.up("triton")
    assert idle.status()["triton"]["state"] == "running"


def test_another_stack_in_the_same_data_folder_is_refused(disposable: Stack) -> None:
    (other,) = free_ports(1)
    said = complaint(disposable, "up", "--detach", "--only", "kafka", VIGIL_KAFKA_PORT=str(other))
    assert said.startswith(f"Another stack is running in {disposable.settings.data_dir}")
    assert "VIGIL_KAFKA_PORT" in said


def test_every_topic_of_the_registry_is_created_as_it_says(disposable: Stack) -> None:
    admin = KafkaAdminClient(bootstrap_servers=disposable.settings.kafka_bootstrap)
    described = {topic["name"]: topic for topic in admin.describe_topics()}
    configs = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, str(topic)) for topic in registry()])
    admin.close()
    for topic, spec in registry().items():
        assert len(described[topic]["partitions"]) == spec.partitions
        assert spec.cleanup in str(configs)


@pytest.mark.parametrize("name", ["kafka", "triton"])
def test_a_killed_process_is_back_and_healthy(disposable: Stack, name: str) -> None:
    before = disposable.status()[name]
    assert psutil.Process(before["pid"]).name() == {"kafka": "java", "triton": "tritonserver"}[name]
    os.kill(before["pid"], signal.SIGKILL)
    after = disposable.until_status(name, lambda row: row["pid"] != before["pid"] and row["state"] == "running")
    assert after["restarts"] == before["restarts"] + 1


async def test_messages_outlive_a_killed_kafka_and_a_stopped_stack(idle: Stack) -> None:
    idle.up("kafka")
    await publish(idle, "first")
    os.kill(idle.status()["kafka"]["pid"], signal.SIGKILL)
    idle.until_status("kafka", lambda row: row["restarts"] == 1 and row["state"] == "running")
    await publish(idle, "second")
    idle.vigil("down")
    idle.up("kafka")
    assert {row["text"] for row in idle.rows("notes-received")} == {"first", "second"}


def test_down_leaves_no_process(idle: Stack) -> None:
    idle.up("kafka,triton")
    assert len(processes_of(idle)) >= 3
    idle.vigil("down")
    assert processes_of(idle) == []
    assert "Nothing was running" in idle.vigil("down").stdout


def test_down_finds_what_a_killed_supervisor_left_behind(idle: Stack) -> None:
    idle.up("kafka,triton")
    supervisord = int((idle.settings.data_dir / "supervisor" / "supervisord.pid").read_text())
    os.kill(supervisord, signal.SIGKILL)
    until(lambda: psutil.pid_exists(supervisord), lambda there: not there, 10, "for supervisord to be gone")
    assert processes_of(idle) != []
    idle.vigil("down")
    assert processes_of(idle) == []


def test_down_finds_a_stack_whose_data_folder_is_gone(idle: Stack) -> None:
    idle.up("kafka,triton")
    shutil.rmtree(idle.settings.data_dir, ignore_errors=True)
    assert processes_of(idle) != []
    idle.vigil("down")
    assert processes_of(idle) == []


def test_up_cleans_up_after_a_killed_supervisor(idle: Stack) -> None:
    idle.up("triton")
    first = idle.status()["triton"]["pid"]
    os.kill(int((idle.settings.data_dir / "supervisor" / "supervisord.pid").read_text()), signal.SIGKILL)
    idle.up("triton")
    assert not psutil.pid_exists(first)
    assert idle.status()["triton"]["state"] == "running"


async def test_two_stacks_run_side_by_side(disposable: Stack, idle: Stack) -> None:
    idle.up("kafka")
    await publish(disposable, "for the first")
    await publish(idle, "for the second")
    assert [row["text"] for row in idle.rows("notes-received")] == ["for the second"]
    assert "for the second" not in {row["text"] for row in disposable.rows("notes-received")}
    idle.vigil("down")
    assert disposable.status()["kafka"]["state"] == "running"


def test_up_again_changes_nothing_that_runs(disposable: Stack) -> None:
    before = disposable.status()
    disposable.up("kafka,triton")
    assert {name: row["pid"] for name, row in disposable.status().items()} == {
        name: row["pid"] for name, row in before.items()
    }


def test_a_changed_setting_restarts_what_reads_it(disposable: Stack) -> None:
    before = disposable.status()
    disposable.up("kafka,triton", VIGIL_TRITON_ONNX_THREADS="2")
    after = disposable.status()
    assert after["kafka"]["pid"] == before["kafka"]["pid"]
    assert after["triton"]["pid"] != before["triton"]["pid"]


def test_every_line_of_every_log_is_a_json_object_with_time_and_level(disposable: Stack) -> None:
    logs = list((disposable.settings.data_dir / "logs").glob("*.log"))
    assert {path.stem for path in logs} >= {"kafka", "triton"}
    for path in logs:
        for line in path.read_text().splitlines():
            assert {"level", "event"} <= set(json.loads(line))


def test_the_patient_key_secret_is_its_owners_alone_and_stays(idle: Stack) -> None:
    secret = idle.settings.patient_key_file
    idle.up("triton")
    first = secret.read_text()
    assert len(bytes.fromhex(first)) == 32
    assert secret.stat().st_mode & 0o077 == 0
    assert secret.parent.stat().st_mode & 0o077 == 0
    idle.vigil("down")
    idle.up("triton")
    assert secret.read_text() == first


def test_ctrl_c_stops_a_stack_in_the_foreground(idle: Stack) -> None:
    process = psutil.Popen(
        [str(VIGIL), "up", "--only", "triton"],
        cwd=idle.folder,
        env=idle.clean_environment(),
    )
    until(idle.status, lambda rows: rows["triton"]["state"] == "running", 60, "in the status")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert processes_of(idle) == []


def test_a_process_that_does_not_stay_up_is_named_with_its_last_words(idle: Stack) -> None:
    meta = idle.settings.data_dir / "kafka" / "data" / "meta.properties"
    meta.parent.mkdir(parents=True)
    ids = "cluster.id=AAAAAAAAAAAAAAAAAAAAAA\ndirectory.id=BBBBBBBBBBBBBBBBBBBBBA\n"
    meta.write_text(f"version=1\nnode.id=7\n{ids}")  # another node's
    said = complaint(idle, "up", "--detach", "--only", "kafka")
    assert said.startswith("kafka does not stay up")
    assert "Stored node id 7 doesn't match" in said
    assert "vigil logs kafka" in said


def test_logs_end_at_the_last_lines(disposable: Stack) -> None:
    lines = disposable.vigil("logs", "kafka", "-n", "3").stdout.splitlines()
    assert len(lines) == 3
    assert all(json.loads(line)["event"] for line in lines)


def test_models_load_from_paths_with_blanks(tmp_path: Path) -> None:
    models = tmp_path / "my models"
    shutil.copytree(REPOSITORY / "triton_models" / "cxr_findings", models / "cxr_findings")
    stack = new_stack(tmp_path / "my stack", VIGIL_MODEL_REPOSITORY=str(models))
    try:
        stack.up("triton")
        assert stack.status()["triton"]["state"] == "running"
    finally:
        stack.vigil("down", check=False)
    assert list(stack.settings.cache_dir.glob(f"{shared_memory_prefix(stack.settings.data_dir)}*")) == []


def test_without_a_path_that_triton_takes_it_says_so(idle: Stack, tmp_path: Path) -> None:
    said = complaint(idle, "up", "--detach", "--only", "triton", VIGIL_CACHE_DIR=str(tmp_path / "my cache"))
    assert said.startswith("Triton takes neither")
