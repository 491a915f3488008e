"""A stack of one's own, and the `vigil` command bound to it."""

import json
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.local.settings import LocalSettings
from ward.local import local_stack
from ward.run import Stack

# With these, no port of a stack lies where Linux takes those of outgoing connections from (32768 to 60999).
FIRST_OFFSET, LAST_OFFSET = 11_000, 15_000


@dataclass(frozen=True)
class Vigil:
    """A running stack, and the `vigil` command bound to it."""

    settings: LocalSettings
    env: dict[str, str]

    @property
    def stack(self) -> Stack:
        return local_stack(self.settings)

    def __call__(self, *arguments: str, timeout: float = 120, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / "vigil"), *arguments]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=timeout, check=False)
        if check:
            assert done.returncode == 0, f"vigil {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done

    def process(self, name: str) -> dict[str, object]:
        """What `vigil status` says about one process."""
        return next(entry for entry in json.loads(self("status", "--json").stdout) if entry["name"] == name)


def free_offset() -> int:
    """A port offset at which none of a stack's usual ports is taken."""
    usual = (2575, 8000, 8001, 8002, 8080, 8081, 8082, 8083, 8084, 9092, 9093, 11112, *range(50051, 50056))
    for offset in range(FIRST_OFFSET, LAST_OFFSET, 137):
        if all(_free(port + offset) for port in usual):
            return offset
    raise AssertionError("no free ports for a stack")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
