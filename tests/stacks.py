"""Real stacks for tests: each with a data folder and ports of its own, gone when the test is.

Used through the fixtures of `tests/integration/conftest.py`, or directly:

    with running_stack(folder, only="kafka,triton") as stack:
        stack.vigil("tail", "notes-received", "--from-beginning")
"""

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from deploy.local.components import components, settings_class
from deploy.local.settings import LocalSettings

VIGIL = Path(sys.executable).with_name("vigil")
UP_TIMEOUT_S = 280.0
COMMAND_TIMEOUT_S = 60.0

Row = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack: `environment` holds the settings that make it this one; `folder` is its working directory."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def settings(self) -> LocalSettings:
        """Settings for using the stack from this process, e.g. `Producer(stack.settings, "test")`."""
        fields: dict[str, Any] = {name.lower(): value for name, value in self._own("VIGIL_").items()}
        return LocalSettings(_env_file=None, **{k: v for k, v in fields.items() if k in LocalSettings.model_fields})

    def service_settings(self, service: str, **overrides: Any) -> Any:
        """Settings of a service (its own class) that belong to this stack."""
        prefix = _prefix(service)
        fields = {name.lower(): value for name, value in self._own(prefix).items()}
        return settings_class(service)(_env_file=None, shared=self.settings, **(fields | overrides))

    def _own(self, prefix: str) -> dict[str, str]:
        return {n.removeprefix(prefix): v for n, v in self.environment.items() if n.startswith(prefix)}

    def port(self, setting: str) -> int:
        """A port by its setting, e.g. `stack.port("VIGIL_NOTE_INGEST_MLLP_PORT")`."""
        return int(self.environment[setting])

    def url(self, service: str) -> str:
        """Address of a service's HTTP, e.g. "http://127.0.0.1:23456"."""
        return f"http://127.0.0.1:{self.port(_prefix(service) + 'HTTP_PORT')}"

    def run(
        self, *command: str, check: bool = True, timeout_s: float = COMMAND_TIMEOUT_S, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as a user of this stack would; `settings` are added to its environment.

        Raises AssertionError with what it said when it fails and `check` is true.
        """
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.clean_environment() | settings,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} exited {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def clean_environment(self) -> dict[str, str]:
        """Nothing of the developer's own stack."""
        return {n: v for n, v in os.environ.items() if not n.startswith("VIGIL_")} | dict(self.environment)

    def vigil(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run `vigil` with the arguments; options as in `run`."""
        return self.run(str(VIGIL), *arguments, **options)

    def up(self, only: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
        """`vigil up --detach`."""
        arguments = ["--only", only] if only else []
        return self.vigil("up", "--detach", *arguments, **({"timeout_s": UP_TIMEOUT_S} | options))

    def status(self) -> dict[str, Row]:
        """Every process by name, as `vigil status --json` shows it."""
        return {entry["name"]: entry for entry in json.loads(self.vigil("status", "--json").stdout)}

    def rows(self, topic: str) -> list[Row]:
        """Everything on a topic, decoded as `vigil tail` does."""
        return [json.loads(line) for line in self.vigil("tail", topic, "--from-beginning").stdout.splitlines()]

    def rows_until(self, topic: str, holds: Callable[[list[Row]], object], timeout_s: float = 60.0) -> list[Row]:
        """Everything on a topic as soon as `holds(rows)` is true of it.

        Raises AssertionError with the number of rows when it is not within `timeout_s` seconds.
        """
        return until(lambda: self.rows(topic), holds, timeout_s, f"on {topic}")

    def until_status(self, name: str, holds: Callable[[Row], object], timeout_s: float = 60.0) -> Row:
        """One process's status as soon as `holds(status)` is true of it. Raises AssertionError as above."""
        return until(lambda: self.status()[name], holds, timeout_s, f"in the status of {name}")

    def until_ready(self, service: str, timeout_s: float = 60.0) -> None:
        """Return once a service says that it is ready. Raises AssertionError as above."""
        until(lambda: _readiness(self.url(service)), lambda seen: seen == httpx.codes.OK, timeout_s, f"from {service}")


def _readiness(url: str) -> int | str:
    try:
        return httpx.get(f"{url}/readyz").status_code
    except httpx.TransportError as error:
        return str(error)


def _prefix(service: str) -> str:
    return f"VIGIL_{service.replace('-', '_').upper()}_"


def until(look: Callable[[], T], holds: Callable[[T], object], timeout_s: float, where: str) -> T:
    """What `look()` returns as soon as `holds` is true of it. Raises AssertionError after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    seen = look()
    while not holds(seen):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s {where}; last seen: {str(seen)[-2000:]}")
        time.sleep(0.1)
        seen = look()
    return seen


def new_stack(folder: Path, **settings: str) -> Stack:
    """A stack that is not running yet, with free ports, in `folder`; `settings` are added to its environment."""
    folder.mkdir(parents=True, exist_ok=True)
    named = [port.setting for part in components(LocalSettings()).values() for port in part.ports]
    ports = dict(zip(named, map(str, free_ports(len(named))), strict=True))
    return Stack(folder, {"VIGIL_DATA_DIR": str(folder / "var"), **ports, **settings})


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, below those that the kernel gives to outgoing connections."""
    chosen: list[int] = []
    candidates = random.sample(range(15000, 32000), 4000)
    for port in candidates:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                chosen.append(port)
        if len(chosen) == count:
            return chosen
    raise AssertionError("no free ports")


@contextmanager
def running_stack(folder: Path, only: str = "", **settings: str) -> Iterator[Stack]:
    """A stack as of `new_stack` that is ready, stopped at the end. Raises AssertionError when it cannot start."""
    stack = new_stack(folder, **settings)
    try:
        stack.up(only)
        yield stack
    finally:
        stack.vigil("down", check=False)
