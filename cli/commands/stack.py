"""`vigil up`, `down`, `restart`, `status`, `logs`: the local stack."""

import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CliError

if TYPE_CHECKING:
    from deploy.local.settings import LocalSettings
    from deploy.local.stack import Show
    from deploy.local.status import ProcessStatus


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (up, down, restart, status, logs):
        app.command()(command)


def up(
    *,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when all is ready; it keeps running.")] = False,
    only: Annotated[str, typer.Option(metavar="NAMES", help="Start only these, by commas.")] = "",
) -> None:
    """Start the local stack and wait until every part is ready; without --detach, Ctrl-C stops it.

    Example: vigil up --detach --only kafka,triton
    """
    from deploy.local import stack

    names = [name.strip() for name in only.split(",") if name.strip()]
    _require_parts(names, "--only")
    settings = _settings()
    try:
        with _progress() as show:
            ready = stack.up(settings, names, show)
        typer.echo(f"Ready: {', '.join(ready)}.")
        if detach:
            return
        typer.echo("Ctrl-C stops the stack.")
        _wait_for_signal(settings)
    except KeyboardInterrupt:
        if detach:
            raise CliError("Interrupted; what was started keeps running until `vigil down`.") from None
    typer.echo("Stopping.")
    stack.down(settings)


def down() -> None:
    """Stop the local stack; no process of it is left, and its data stays.

    Example: vigil down
    """
    from deploy.local import stack

    settings = _settings()
    count = stack.down(settings)
    typer.echo(f"Stopped {count} processes." if count else f"Nothing was running in {settings.data_dir}.")


def restart(name: Annotated[str, typer.Argument(help="A name that `vigil status` shows.")]) -> None:
    """Stop one part of the local stack and start it with its present settings.

    Example: vigil restart triton
    """
    from deploy.local import stack

    _require_parts([name], "NAME")
    with _progress() as show:
        stack.restart(_settings(), name, show)
    typer.echo(f"Ready: {name}.")


def status(*, as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False) -> None:
    """Show every process of the local stack: name, state, pid, uptime, restarts and lag.

    Lag counts the messages on Kafka that a service has not handled yet. With --json, uptime is in seconds.

    Example: vigil status --json
    """
    import dataclasses
    import json

    from deploy.local.status import status as look

    found = look(_settings())
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(entry) for entry in found], indent=2))
    else:
        _show_table(found)


def _show_table(found: "list[ProcessStatus]") -> None:
    rows = [("NAME", "STATE", "PID", "UPTIME", "RESTARTS", "LAG", "")]
    for entry in found:
        pid, uptime, lag = _or_dash(entry.pid), _duration(entry.uptime), _or_dash(entry.lag)
        rows.append((entry.name, entry.state, pid, uptime, str(entry.restarts), lag, entry.reason))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)


def _duration(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def logs(
    service: Annotated[str, typer.Argument(help="A name that `vigil status` shows.")],
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep showing what is logged.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 100,
) -> None:
    """Show the log of one part of the local stack, JSON lines.

    Example: vigil logs nlp-coder -f
    """
    from deploy.local.supervision import Home

    _require_parts([service], "SERVICE")
    path = Home(_settings().data_dir).process_log(service)
    if not path.exists():
        raise CliError(f"{service} has not logged anything in {path.parent} yet; `vigil up --detach` starts it.")
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), str(path)]  # -F follows rotation
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


def _require_parts(names: Iterable[str], hint: str) -> None:
    """Raises typer.BadParameter (exit code 2) for a name that is no part of a stack."""
    from deploy.local.components import NAMES

    for name in names:
        if name not in NAMES:
            raise typer.BadParameter(f"{name} is not one of {', '.join(NAMES)}", param_hint=hint)


def _settings() -> "LocalSettings":
    from deploy.local.settings import LocalSettings

    return LocalSettings()


@contextmanager
def _progress() -> "Iterator[Show]":
    """Shows on a terminal what is waited for, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("Starting") as spinner:
        yield lambda names: spinner.update(f"Waiting for {', '.join(names)}") if names else None


def _wait_for_signal(settings: "LocalSettings") -> None:
    """Returns on SIGINT, on SIGTERM, or when somebody else has stopped the stack."""
    from deploy.local.supervision import Home, running

    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    with suppress(KeyboardInterrupt):
        while running(Home(settings.data_dir)) and not stopped.wait(1.0):
            pass
