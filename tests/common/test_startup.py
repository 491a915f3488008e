"""What a process that cannot start says, and what `vigil up` makes of its log."""

import asyncio
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from deploy.local.supervision import Home, last_words
from services.common import runtime
from services.common.health import Health
from services.common.http import serve_http
from services.common.runtime import run_until_stopped
from services.common.settings import ServiceSettings
from services.common.startup import CannotStart, taking_port, why_not_started


class Ended(BaseException):
    """In place of the end of the process."""


class Settings(ServiceSettings):
    http_port: int = 1
    grpc_port: int = 2


@pytest.fixture(autouse=True)
def _restore_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def end(_: int) -> None:
        raise Ended

    monkeypatch.setattr(os, "_exit", end)
    structlog.reset_defaults()
    yield
    logging.captureWarnings(capture=False)


def words_of(tmp_path: Path, capsys: pytest.CaptureFixture[str], main: object) -> str:
    """What the service `main` logs when it ends, as `vigil up` repeats it."""
    with pytest.raises(Ended):
        runtime.start("fusion", Settings, main)  # type: ignore[arg-type]
    log = Home(tmp_path).process_log("fusion")
    log.parent.mkdir()
    log.write_text(capsys.readouterr().err)
    return last_words(Home(tmp_path), "fusion")


async def no_secret(_: Settings) -> None:
    raise CannotStart("set VIGIL_PATIENT_KEY_SECRET")


def read_table() -> None:
    Path("/nowhere/labels.json").read_text()


async def no_table(_: Settings) -> None:
    read_table()


async def a_part_cannot(_: Settings) -> None:
    async def part() -> None:
        raise CannotStart("cannot listen on 127.0.0.1:1")

    await run_until_stopped(part())


async def a_message_fails(_: Settings) -> None:
    async def part() -> None:
        raise KeyError("John Smith, MRN 4711")

    await run_until_stopped(part())


async def closing_fails(_: Settings) -> None:
    try:
        await a_message_fails(_)
    finally:
        raise ValueError("John Smith, MRN 4711")


@pytest.mark.parametrize(
    ("main", "said"),
    [
        (no_secret, "cannot start: set VIGIL_PATIENT_KEY_SECRET"),
        (no_table, "cannot start: /nowhere/labels.json cannot be used: No such file or directory"),
        (a_part_cannot, "cannot start: cannot listen on 127.0.0.1:1"),
    ],
)
def test_a_service_that_cannot_start_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], main: object, said: str
) -> None:
    assert words_of(tmp_path, capsys, main) == said


@pytest.mark.parametrize(("main", "kind"), [(a_message_fails, "KeyError"), (closing_fails, "KeyError")])
def test_a_service_that_ran_says_what_was_raised_where_and_never_its_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], main: object, kind: str
) -> None:
    said = words_of(tmp_path, capsys, main)
    assert said.startswith(f"crashed; nothing in flight was committed: {kind} at test_startup.py:")
    assert "Smith" not in Home(tmp_path).process_log("fusion").read_text()


def test_last_words_of_other_programs_are_their_cause(tmp_path: Path) -> None:
    log = Home(tmp_path).process_log("kafka")
    log.parent.mkdir()
    trace = "java.lang.RuntimeException: outer\\n\\tat kafka.Kafka\\nCaused by: the disk is full\\n\\tat kafka.Log"
    log.write_text(f'{{"level": "error", "event": "fatal", "exception": "{trace}"}}\n')
    assert last_words(Home(tmp_path), "kafka") == "fatal: Caused by: the disk is full"


async def test_a_taken_http_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with asyncio.timeout(5):
            with pytest.raises(CannotStart, match=rf"cannot listen on 127.0.0.1:{port} .*HTTP_PORT"):
                await serve_http("127.0.0.1", port, Health())


def test_what_is_raised_in_a_group_speaks_only_if_it_is_ours() -> None:
    assert why_not_started(ExceptionGroup("", [ValueError("Smith")])) == ""
    assert why_not_started(ExceptionGroup("", [ValueError("Smith"), CannotStart("why")])) == "why"
    with pytest.raises(CannotStart, match=r"taken.*MLLP_PORT"), taking_port("mllp_port", "h", 1):
        raise RuntimeError("taken")
