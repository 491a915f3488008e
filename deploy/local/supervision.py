"""supervisord: its configuration, its start, and talking to it."""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import xmlrpc.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from deploy.local.components import SERVICES, Component
from deploy.local.errors import StackError
from deploy.local.processes import MARKER
from deploy.local.settings import LocalSettings
from deploy.local.triton import shared_memory_prefix

MAX_SOCKET_PATH = 100  # sun_path holds 108 bytes; supervisord adds its pid while it starts
START_TIMEOUT_S = 20.0
ALIVE = frozenset({"STARTING", "RUNNING", "BACKOFF"})  # supervisord's words

SUPERVISOR_SECTION = """\
[supervisord]
nodaemon=true
logfile={home}/supervisord.log
logfile_maxbytes=10MB
logfile_backups=1
pidfile={home}/supervisord.pid
childlogdir={home}
minfds=4096
strip_ansi=false

[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

# stopasgroup and killasgroup: what a process started goes with it.
PROGRAM_SECTION = """
[program:{name}]
command={command}
directory={directory}
environment={environment}
autostart=false
autorestart=true
startsecs=3
startretries=1000000
stopwaitsecs=15
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes={log_max_mb}MB
stdout_logfile_backups={log_backups}
"""


@dataclass(frozen=True, slots=True)
class Home:
    """Where one stack's supervisord keeps its files."""

    data_dir: Path

    @property
    def folder(self) -> Path:
        return self.data_dir / "supervisor"

    @property
    def config(self) -> Path:
        return self.folder / "supervisord.conf"

    @property
    def log(self) -> Path:
        return self.folder / "supervisord.log"

    @property
    def socket(self) -> Path:
        """In the data folder if the path is short enough for a socket, else in the temporary folder."""
        inside = self.folder / "supervisor.sock"
        if len(str(inside)) <= MAX_SOCKET_PATH:
            return inside
        return Path(tempfile.gettempdir()) / f"{shared_memory_prefix(self.data_dir)}{os.getuid()}.sock"

    def process_log(self, name: str) -> Path:
        """Log of one component."""
        return self.data_dir / "logs" / f"{name}.log"


def running(home: Home) -> psutil.Process | None:
    """This stack's supervisord, or None; a pid file whose process is gone or something else counts as none."""
    try:
        process = psutil.Process(int((home.folder / "supervisord.pid").read_text()))
        mine = process.environ().get(MARKER) == str(home.data_dir)
        return process if mine and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, psutil.Error):
        return None


def connect(home: Home) -> Any:
    """Proxy of supervisord's `supervisor` namespace; its calls raise OSError when nobody listens."""
    transport = SupervisorTransport(None, None, f"unix://{home.socket}")
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor


def write_config(home: Home, settings: LocalSettings, wanted: Iterable[Component]) -> None:
    """Write supervisord's configuration, readable by its owner alone since settings hold secrets."""
    home.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (home.data_dir / "logs").mkdir(exist_ok=True)
    text = SUPERVISOR_SECTION.format(home=_escaped(home.folder), socket=_escaped(home.socket))
    text += "".join(_program(home, settings, component) for component in wanted)
    partial = home.config.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(text)
    partial.rename(home.config)


def _escaped(value: object) -> str:
    return str(value).replace("%", "%%")


def _program(home: Home, settings: LocalSettings, component: Component) -> str:
    environment = {**_settings_for(component.name), **component.environment, "VIGIL_DATA_DIR": str(home.data_dir)}
    return PROGRAM_SECTION.format(
        name=component.name,
        command=_escaped(shlex.join(component.command())),
        directory=_escaped(Path.cwd()),
        environment=",".join(f'{name}="{_quotable(name, value)}"' for name, value in environment.items()),
        log=_escaped(home.process_log(component.name)),
        log_max_mb=settings.log_max_mb,
        log_backups=settings.log_backups,
    )


def _settings_for(component: str) -> Mapping[str, str]:
    """The caller's settings that a component may read, so that a change of another's does not restart it."""
    if component not in SERVICES:
        return {}
    others = tuple(f"VIGIL_{name.replace('-', '_').upper()}_" for name in SERVICES if name != component)
    return {k: v for k, v in sorted(os.environ.items()) if k.startswith("VIGIL_") and not k.startswith(others)}


def _quotable(name: str, value: str) -> str:
    """`value` as supervisord's configuration can carry it. Raises StackError if it cannot."""
    if any(part in value for part in ('"', "\n", " ;", " #")):
        raise StackError(f"{name} holds a quote, a line break, ' ;' or ' #'; put it into a .env file instead.")
    return _escaped(value)


def start(home: Home) -> None:
    """Start supervisord apart from this terminal, and wait until it answers. Raises StackError if it does not."""
    for stale in (home.socket, home.folder / "supervisord.pid"):
        stale.unlink(missing_ok=True)
    if home.log.exists():
        home.log.replace(home.log.with_suffix(".log.before"))
    command = [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(home.config)]
    environment = {**os.environ, MARKER: str(home.data_dir), "VIGIL_DATA_DIR": str(home.data_dir)}
    with (home.folder / "supervisord.out").open("w") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )
    _wait_for_answer(home, process)


def _wait_for_answer(home: Home, process: subprocess.Popen[bytes]) -> None:
    def ask() -> None:
        if process.poll() is not None:
            said = (home.folder / "supervisord.out").read_text().strip().splitlines()
            raise StackError(f"supervisord ended at once: {said[0] if said else process.returncode}")
        connect(home).getState()

    retrying = Retrying(
        retry=retry_if_exception_type(OSError),
        stop=stop_after_delay(START_TIMEOUT_S),
        wait=wait_fixed(0.05),
        reraise=True,
    )
    retrying(ask)


def apply_config(home: Home) -> list[str]:
    """Have a running supervisord take over a changed configuration.

    Changed programs are stopped and replaced, not started. Returns those of them that ran before.
    """
    supervisor = connect(home)
    before = {info["name"]: info["statename"] for info in supervisor.getAllProcessInfo()}
    [[added, changed, removed]] = supervisor.reloadConfig()
    for name in (*changed, *removed):
        supervisor.stopProcessGroup(name)
        supervisor.removeProcessGroup(name)
    for name in (*added, *changed):
        supervisor.addProcessGroup(name)
    return [name for name in changed if before.get(name) in ALIVE]


def starts(home: Home) -> dict[str, int]:
    """How often each process was started since it was last stopped on purpose, from supervisord's log."""
    counts: dict[str, int] = {}
    try:
        lines = home.log.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return counts
    for line in lines:
        if match := re.search(r"INFO (spawned|stopped): '?([\w-]+)'?", line):
            name = match[2]
            counts[name] = 0 if match[1] == "stopped" else counts.get(name, 0) + 1
    return counts


def last_words(home: Home, name: str) -> str:
    """The last error that a process logged, with its cause; else its last line."""
    try:
        lines = home.process_log(name).read_text(errors="replace").strip().splitlines()
    except FileNotFoundError:
        return ""
    return next((words for line in reversed(lines) if (words := _error(line))), lines[-1] if lines else "")


def _error(line: str) -> str:
    """Event of a log line of level error or worse, with its reason or what was raised where; empty for others."""
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    if not isinstance(entry, dict) or entry.get("level") not in {"error", "critical", "fatal"}:
        return ""
    event, raised = str(entry.get("event", "")), entry.get("exception")
    if "reason" in entry:
        return f"{event}: {entry['reason']}"
    return f"{event}: {_last_raised(raised)}" if isinstance(raised, list) and raised else _with_cause(event, raised)


def _last_raised(frames: list[str]) -> str:
    """The class of the last error in a list of `services.common.logs.frames`, and where it was raised."""
    kind = next((frame for frame in reversed(frames) if " " not in frame), "")
    place = Path(frames[-1]).name if frames[-1] != kind else ""
    return f"{kind} at {place}" if place else kind


def _with_cause(event: str, trace: object) -> str:
    """Event and last cause of a traceback in text, as Kafka writes it."""
    causes = [part for part in str(trace or "").splitlines() if part and not part[0].isspace()]
    return ": ".join([event, *causes[-1:]])
