"""Bringing a local stack up and down."""

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.local import processes, supervision
from deploy.local.components import NAMES, Component, components
from deploy.local.errors import StackError
from deploy.local.java import locked
from deploy.local.readiness import BROKEN_MODEL, wait_until, why_not_ready
from deploy.local.secrets import make_patient_key
from deploy.local.settings import LocalSettings
from deploy.local.supervision import ALIVE, Home
from deploy.local.triton import clear_cache, shared_memory_prefix

READY_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 30.0
TOO_MANY_STARTS = 3  # of one process while the stack comes up: it is not going to
UNUSABLE_SIGNS = '%,;#\\\n"'  # in a path: Kafka splits at commas, supervisord expands %
FOUNDATIONS = ("kafka", "triton")  # started before the services, stopped after them

Show = Callable[[list[str]], None]


@dataclass(frozen=True, slots=True)
class _Start:
    """One `up` under way."""

    home: Home
    settings: LocalSettings
    wanted: Mapping[str, Component]
    show: Show
    starts_before: Mapping[str, int]


def up(settings: LocalSettings, only: Collection[str], show: Show) -> list[str]:
    """Start what is not running yet of `only` (everything when empty), and wait until it is ready.

    `show` is called with the names still waited for. Returns the names that are ready. Raises StackError.
    """
    everything = components(settings)
    wanted = {name: part for name, part in everything.items() if not only or name in only}
    for name in set(only) - set(wanted):
        raise StackError(f"{name} is not a part of the stack; the parts are {', '.join(everything)}.")
    home = Home(settings.data_dir)
    _make_data_dir(settings)
    with locked(home.data_dir / "up.lock"):
        replaced = _supervise(home, settings, everything, wanted)
        start = _Start(home, settings, wanted, show, supervision.starts(home))
        _start_all(start, replaced)
    _wait_ready(start)
    return list(wanted)


def _make_data_dir(settings: LocalSettings) -> None:
    for sign in set(UNUSABLE_SIGNS) & set(str(settings.data_dir)):
        raise StackError(f"VIGIL_DATA_DIR={settings.data_dir} holds {sign!r}, which Kafka or supervisord cannot take.")
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        if settings.patient_key_secret is None:
            make_patient_key(settings.patient_key_file)
    except OSError as error:
        raise StackError(f"VIGIL_DATA_DIR={settings.data_dir} cannot be used: {error.strerror}.") from error


def _supervise(
    home: Home, settings: LocalSettings, everything: Mapping[str, Component], wanted: Mapping[str, Component]
) -> list[str]:
    """Have a supervisord that knows what is wanted, beside what it knew, with its present settings.

    Returns the components that ran with other settings and were stopped for it.
    """
    running = supervision.running(home) is not None
    known = dict(wanted)
    if running:
        _require_same_ports(home, everything)
        states = _states(home)
        known |= {name: part for name, part in everything.items() if name in states}
        idle = [part for name, part in wanted.items() if states.get(name) not in ALIVE]
    else:
        processes.end(processes.left_behind(home.data_dir))
        idle = list(wanted.values())
    processes.require_free_ports(idle, settings.bind_host)
    supervision.write_config(home, settings, known.values())
    (home.folder / "ports.json").write_text(json.dumps(_ports_of(everything)))
    if running:
        return supervision.apply_config(home)
    supervision.start(home)
    return []


def _ports_of(parts: Mapping[str, Component]) -> dict[str, int]:
    return {port.setting: port.number for part in parts.values() for port in part.ports}


def _require_same_ports(home: Home, parts: Mapping[str, Component]) -> None:
    """Raises StackError when the stack that runs in this data folder has other ports."""
    try:
        before = json.loads((home.folder / "ports.json").read_text())
    except (OSError, ValueError):
        return
    for setting, number in _ports_of(parts).items():
        if before.get(setting, number) != number:
            raise StackError(
                f"Another stack is running in {home.data_dir} ({setting} is {before[setting]} there, {number} here); "
                f"set another VIGIL_DATA_DIR, or stop that one with `vigil down`."
            )


def _states(home: Home) -> dict[str, str]:
    return {info["name"]: info["statename"] for info in supervision.connect(home).getAllProcessInfo()}


def _start_all(start: _Start, replaced: Collection[str]) -> None:
    """Start what is wanted and not running, Kafka with its topics before the services."""
    states = _states(start.home)
    names = [n for n in NAMES if n in replaced or (n in start.wanted and states.get(n) not in ALIVE)]
    _start_processes(start.home, [name for name in names if name in FOUNDATIONS])
    if "kafka" in start.wanted:
        _wait_topics(start)
    _start_processes(start.home, [name for name in names if name not in FOUNDATIONS])


def _start_processes(home: Home, names: Collection[str]) -> None:
    supervisor = supervision.connect(home)
    for name in names:
        supervisor.startProcess(name, False)


def _wait_topics(start: _Start) -> None:
    from deploy.local.topics import create_topics  # noqa: PLC0415 - slow to import, so while Kafka starts

    kafka = start.wanted["kafka"]

    def pending() -> list[str]:
        _require_alive(start)
        why = why_not_ready(kafka, start.settings.kafka_bootstrap)
        return ["kafka"] if why or not create_topics(start.settings.kafka_bootstrap) else []

    if wait_until(pending, READY_TIMEOUT_S, start.show):
        raise StackError(f"kafka did not get ready in {READY_TIMEOUT_S:g} s; see `vigil logs kafka`.")


def _wait_ready(start: _Start) -> None:
    bootstrap = start.settings.kafka_bootstrap

    def pending() -> list[str]:
        _require_alive(start)
        why = {name: why_not_ready(part, bootstrap) for name, part in start.wanted.items()}
        if why.get("triton", "").startswith(BROKEN_MODEL):
            raise StackError(f"triton cannot load {why['triton']}; see `vigil logs triton`.")
        return [name for name, reason in why.items() if reason]

    late = wait_until(pending, READY_TIMEOUT_S, start.show)
    if late:
        reason = why_not_ready(start.wanted[late[0]], bootstrap)
        raise StackError(f"{late[0]} is not ready after {READY_TIMEOUT_S:g} s ({reason}); see `vigil logs {late[0]}`.")


def _require_alive(start: _Start) -> None:
    """Raises StackError when supervisord is gone or a process will not stay up."""
    home = start.home
    try:
        states = _states(home)
    except OSError as error:
        raise StackError(f"supervisord ended; see {home.log}.") from error
    starts = supervision.starts(home)
    for name in start.wanted:
        fresh = starts.get(name, 0) - start.starts_before.get(name, 0)
        if states.get(name) == "FATAL" or fresh > TOO_MANY_STARTS:
            said = supervision.last_words(home, name)
            raise StackError(f"{name} does not stay up{': ' + said if said else ''}; see `vigil logs {name}`.")


def down(settings: LocalSettings) -> int:
    """Stop everything of this stack, supervised or left behind. Returns how many processes there were."""
    home = Home(settings.data_dir)  # the folder may be gone: its processes are found by what they carry
    count = len(processes.left_behind(home.data_dir))
    if supervisord := supervision.running(home):
        _stop_in_order(home, supervisord)
    processes.end(processes.left_behind(home.data_dir))
    for leftover in (home.socket, home.folder / "supervisord.pid", home.folder / "ports.json"):
        leftover.unlink(missing_ok=True)
    for region in Path("/dev/shm").glob(f"{shared_memory_prefix(home.data_dir)}*"):  # noqa: S108 - Triton's regions
        region.unlink(missing_ok=True)
    clear_cache(settings)
    return count


def _stop_in_order(home: Home, supervisord: psutil.Process) -> None:
    """Services first, so that none sees its broker leave; what will not stop is killed by the caller."""
    with suppress(OSError):
        _stop_processes(home, [name for name in NAMES if name not in FOUNDATIONS])
        _stop_processes(home, FOUNDATIONS)
        supervision.connect(home).shutdown()
    with suppress(psutil.TimeoutExpired):
        supervisord.wait(STOP_TIMEOUT_S)


def _stop_processes(home: Home, names: Collection[str]) -> None:
    supervisor = supervision.connect(home)
    for name, state in _states(home).items():
        if name in names and state in ALIVE:
            supervisor.stopProcess(name, False)

    def pending() -> list[str]:
        return [name for name, state in _states(home).items() if name in names and state in ALIVE | {"STOPPING"}]

    wait_until(pending, STOP_TIMEOUT_S, lambda _: None)


def restart(settings: LocalSettings, name: str, show: Show) -> None:
    """Stop one component, and start it again with its present settings. Raises StackError."""
    home = Home(settings.data_dir)
    if name not in NAMES:
        raise StackError(f"{name} is not a part of the stack; the parts are {', '.join(NAMES)}.")
    if supervision.running(home) is None:
        raise StackError(f"No stack is running in {home.data_dir}; start one with `vigil up --detach`.")
    _stop_processes(home, [name])
    up(settings, [name], show)
