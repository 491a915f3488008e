"""One reader of notes in a process of its own: it is given notes by the line, and says how long each took."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

# One thread each, whatever library would like more.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")


@dataclass(slots=True)
class Subject:
    """What was measured of one reader. Seconds of the clock for each note and for all, and of the processor for all."""

    name: str
    startup_s: float
    note_s: list[float] = field(default_factory=list)
    clock_s: float = 0.0
    cpu_s: float = 0.0
    memory_mb: float = 0.0
    output: str = ""

    @property
    def notes_per_s(self) -> float:
        """By the clock."""
        return len(self.note_s) / self.clock_s

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of processor time a note."""
        return 1000 * self.cpu_s / len(self.note_s)


@dataclass(frozen=True, slots=True)
class Reader:
    """A running reader and what is known of it."""

    process: "subprocess.Popen[str]"
    subject: Subject

    def read(self, texts: Sequence[str]) -> None:
        """Have the notes read, one after the other, and take the times down. Raises RuntimeError when it dies."""
        answer = _exchange(self.process, {"texts": list(texts)})
        self.subject.note_s += answer["seconds"]
        self.subject.clock_s += answer["clock_s"]
        self.subject.cpu_s += answer["cpu_s"]
        self.subject.memory_mb = answer["memory_mb"]
        self.subject.output = answer["output"]


@contextmanager
def running(name: str, command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Reader]:
    """A reader that has loaded everything. Raises RuntimeError when it does not start."""
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - the project's own scripts
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**environment, **ONE_THREAD},
    )
    try:
        _answer(process)
        yield Reader(process, Subject(name, time.perf_counter() - began))
    finally:
        process.kill()
        process.wait()


def _exchange(process: "subprocess.Popen[str]", question: Mapping[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None
    process.stdin.write(json.dumps(question) + "\n")
    process.stdin.flush()
    return _answer(process)


def _answer(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended with {process.wait()}")
    answer: dict[str, Any] = json.loads(line)
    return answer
