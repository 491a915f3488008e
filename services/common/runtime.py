"""How a service process starts, runs and stops."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog
from pydantic import ValidationError
from pydantic_settings import SettingsError

from services.common.logs import configure_logs
from services.common.settings import ServiceSettings, SharedSettings, faults_of
from services.common.startup import why_not_started

log = structlog.get_logger()
S = TypeVar("S", bound=ServiceSettings)

SETTINGS_ARE_WRONG = 2


class Stopped(Exception):  # noqa: N818 - not an error: how a service ends
    """A signal asked the process to stop."""


async def _until_signal() -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    await asked.wait()
    raise Stopped


async def _must_not_end(part: Coroutine[Any, Any, None]) -> None:
    name = getattr(part, "__qualname__", repr(part))
    await part
    raise RuntimeError(f"{name} ended although nobody asked it to")


async def run_until_stopped(*parts: Coroutine[Any, Any, None]) -> None:
    """Run the parts of a service side by side until SIGTERM or SIGINT; then each is cancelled and cleans up.

    Raises what a part raised (an ExceptionGroup): one part that ends or fails ends them all.
    """
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_until_signal())
            for part in parts:
                group.create_task(_must_not_end(part))
    except* Stopped:
        log.info("stopped on request")


def start(service: str, settings_class: type[S], main: Callable[[S], Coroutine[Any, Any, None]]) -> None:
    """Entry point of `python -m services.<name>`. Exit status 0 when asked to stop, 1 on a crash, 2 on bad settings."""
    # One process has two shared cores: thread pools of numeric libraries only cost.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        settings = settings_class(shared=SharedSettings())
    except (ValidationError, SettingsError) as error:
        faults = "; ".join(f"{name}: {why}" for name, why in faults_of(error))
        sys.stderr.write(f"{service}: settings are wrong: {faults}\n")
        sys.exit(SETTINGS_ARE_WRONG)
    configure_logs(service, settings.shared.log_level)
    log.info("starting", http_port=settings.http_port, grpc_port=settings.grpc_port)
    try:
        asyncio.run(main(settings))
    except BaseException as error:
        why = why_not_started(error)
        if why:
            log.critical("cannot start", reason=why, exc_info=True)
        else:
            log.critical("crashed; nothing in flight was committed", exc_info=True)
        # A non-daemon thread of a library must not keep a crashed process from being restarted.
        os._exit(1)
