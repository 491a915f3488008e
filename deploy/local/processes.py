"""Processes of a stack as the operating system sees them: who holds a port, who was left behind."""

import errno
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from deploy.local.components import Component
from deploy.local.errors import StackError

MARKER = "VIGIL_STACK_OF"  # in the environment of every process of a stack: its data folder
GRACE_S = 10.0
MAX_PORT = 65535


def left_behind(data_dir: Path) -> list[psutil.Process]:
    """Every running process of the stack in `data_dir`, supervised or not."""
    return [process for process in psutil.process_iter() if _mark(process) == str(data_dir)]


def _mark(process: psutil.Process) -> str | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.environ().get(MARKER)
    except (psutil.Error, OSError):
        return None  # gone, or another user's


def end(processes: Iterable[psutil.Process]) -> int:
    """Terminate, then kill after `GRACE_S` seconds. Returns how many there were."""
    ending = list(processes)
    for process in ending:
        _signal(process, "terminate")
    _, stubborn = psutil.wait_procs(ending, timeout=GRACE_S)
    for process in stubborn:
        _signal(process, "kill")
    psutil.wait_procs(stubborn, timeout=GRACE_S)
    return len(ending)


def _signal(process: psutil.Process, how: str) -> None:
    with suppress(psutil.NoSuchProcess):
        getattr(process, how)()


def require_free_ports(wanted: Iterable[Component], host: str) -> None:
    """Raises StackError for the first port that something else listens on, or that is wanted twice."""
    seen: dict[int, str] = {}
    for component in wanted:
        for port in component.ports:
            if port.number in seen:
                raise StackError(
                    f"{seen[port.number]} and {port.setting} are both {port.number}; set one of them to a free port."
                )
            seen[port.number] = port.setting
            if not 0 < port.number <= MAX_PORT:
                raise StackError(f"{port.setting} is {port.number}; ports go from 1 to {MAX_PORT}.")
            if not _is_free(host, port.number):
                raise StackError(
                    f"Port {port.number} for {component.name} is taken by {_holder(port.number)}; "
                    f"stop that, or set {port.setting} (or VIGIL_PORT_OFFSET for all ports) to a free one."
                )


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise StackError(
                f"VIGIL_BIND_HOST={host} is not an address of this machine; set one that is, or unset it."
            ) from error
    return True


def _holder(port: int) -> str:
    """Name and pid of a port's listener, as far as this user may know it."""
    with suppress(psutil.Error):
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid:
                return f"{psutil.Process(found.pid).name()} (pid {found.pid})"
    return "another process"
