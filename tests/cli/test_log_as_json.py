"""A program's plain log comes out as JSON lines, from the very process that was started."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import log_as_json
from deploy.local.log_as_json import as_json


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (
            '2026-01-31T12:00:00Z I 4711 server.cc:674] "a \\"quoted\\" text"',
            {"time": "2026-01-31T12:00:00Z", "level": "info", "logger": "server.cc:674", "event": 'a "quoted" text'},
        ),
        (
            "2026-01-31T12:00:00Z E 4711 model.cc:1] plain",
            {"time": "2026-01-31T12:00:00Z", "level": "error", "logger": "model.cc:1", "event": "plain"},
        ),
        ("Segmentation fault", {"level": "info", "event": "Segmentation fault"}),
        ('{"event": "as it was"}', {"event": "as it was"}),
    ],
)
def test_a_line_becomes_an_object(line: str, fields: dict[str, str]) -> None:
    assert json.loads(as_json(line)) == fields


def started(*command: str) -> subprocess.Popen[str]:
    runner = [sys.executable, "-S", str(Path(log_as_json.__file__)), *command]
    return subprocess.Popen(runner, stdout=subprocess.PIPE, text=True, process_group=0)


def test_the_started_process_is_the_program_and_its_status_comes_through() -> None:
    process = started("/bin/sh", "-c", "echo $$; echo problem >&2; exit 7")
    lines = [json.loads(line)["event"] for line in process.stdout or ()]
    assert lines == [str(process.pid), "problem"]
    assert process.wait(10) == 7


def test_last_words_after_a_stop_of_the_whole_group_are_kept() -> None:
    process = started("/bin/sh", "-c", "trap 'echo stopping; exit 0' TERM; echo ready; while :; do sleep 0.05; done")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"] == "ready"
    os.killpg(process.pid, signal.SIGTERM)
    events = [json.loads(line)["event"] for line in process.stdout]
    assert "stopping" in events
