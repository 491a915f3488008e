"""Runs a program whose log is plain text, so that its log comes out as JSON lines.

    python log_as_json.py PROGRAM ARGUMENT...

This process becomes the program (the same process id, so that a supervisor watches the program itself); a
child in the same process group reads what it writes, and ends when the last writer has.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress

# Triton with --log-format=ISO8601: 2026-01-31T12:00:00Z I 4711 server.cc:674] "text"
TRITON_LINE = re.compile(r"^(?P<time>\S+Z) (?P<level>[IWEFV]) \d+ (?P<logger>[\w.]+:\d+)\] (?P<event>.*)$")
LEVELS = {"I": "info", "W": "warning", "E": "error", "F": "critical", "V": "debug"}


def as_json(line: str) -> str:
    """One line of a log as one JSON object; a JSON object stays as it is."""
    return json.dumps(_fields(line), ensure_ascii=False) if not line.startswith("{") else line


def _fields(line: str) -> Mapping[str, str]:
    match = TRITON_LINE.match(line)
    if match is None:
        return {"level": "info", "event": line}
    event = match["event"]
    if event.startswith('"') and event.endswith('"'):
        with suppress(ValueError):  # quoted, but no JSON: stays as it is
            event = json.loads(event)
    return {**match.groupdict(), "level": LEVELS[match["level"]], "event": event}


def main() -> None:
    """Split into the reader of the log and the program."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        if os.fork() != 0:  # the reader is nobody's child, so that the program has none to reap
            os._exit(0)
        os.close(writing)
        _relay(reading)
        os._exit(0)
    os.wait()
    os.close(reading)
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    os.close(writing)
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - no shell is wanted


def _relay(reading: int) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # meant for the program, whose last words come after it
    with os.fdopen(reading, errors="replace") as lines:
        for line in lines:
            if text := line.strip():
                sys.stdout.write(as_json(text) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
