"""The core and medspaCy on the same notes, turn about, so that whatever else the machine does falls on both."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.text.core import CODES_ALONE
from bench.text.subject import Reader, Subject, running

MEDSPACY = ("medspacy==1.3.1", "spacy==3.7.5", "numpy==1.26.4")
PREPARE_S = 300.0
TURN = 100
TOGETHER = 8
CORE = "nlp-coder, codes"
CORE_TOGETHER = "nlp-coder, codes, eight at a time"
WITH_ENTITIES = "nlp-coder, all"
WITH_ENTITIES_TOGETHER = "nlp-coder, all, eight at a time"
SHIPPED = "medspaCy 1.3.1 as shipped"
PIPED = "medspaCy 1.3.1, pipe of eight"


def measure(texts: Sequence[str], folder: Path) -> list[Subject]:
    """Every reader that can be had, on all texts; the first `TURN` texts warm it up. folder: for medspaCy."""
    with ExitStack() as until_done:
        readers = [until_done.enter_context(running(name, command, os.environ)) for name, command in _commands(folder)]
        for reader in readers:
            reader.read(texts[:TURN])
            reader.subject.note_s.clear()
            reader.subject.clock_s = reader.subject.cpu_s = 0.0
        for start in range(0, len(texts), TURN):
            _turn(readers, texts[start : start + TURN])
    return [reader.subject for reader in readers]


def _turn(readers: Sequence[Reader], texts: Sequence[str]) -> None:
    for reader in readers:
        reader.read(texts)


def _commands(folder: Path) -> Iterator[tuple[str, list[str]]]:
    core = [sys.executable, "-m", "bench.text.core"]
    yield CORE, [*core, "1", CODES_ALONE]
    yield CORE_TOGETHER, [*core, str(TOGETHER), CODES_ALONE]
    yield WITH_ENTITIES, [*core, "1"]
    yield WITH_ENTITIES_TOGETHER, [*core, str(TOGETHER)]
    python = medspacy_python(folder)
    if python:
        script = str(Path(__file__).with_name("medspacy_peer.py"))
        yield SHIPPED, [str(python), script, "1"]
        yield PIPED, [str(python), script, str(TOGETHER)]


def medspacy_python(folder: Path) -> Path | None:
    """Interpreter of an environment in `folder` that holds medspaCy, made by uv; None when it cannot be had."""
    uv, python = shutil.which("uv"), folder / "bin" / "python"
    if uv is None:
        return python if python.exists() else None
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    steps = [["venv", "--allow-existing", "--python", "3.11", str(folder)],
             ["pip", "install", "--python", str(python), *MEDSPACY]]  # fmt: skip
    try:
        for step in steps:
            command = [uv, "--quiet", "--no-config", *step]
            subprocess.run(command, env=environment, capture_output=True, timeout=PREPARE_S, check=True)  # noqa: S603
    except (subprocess.SubprocessError, OSError):
        return None
    return python
