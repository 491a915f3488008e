"""`vigil demo`: the sample ward, played into a local stack."""

import asyncio
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CliError

if TYPE_CHECKING:
    from deploy.local.settings import LocalSettings
    from ward.run import Play, Watch
    from ward.summary import Summary

HELP = """Start the stack, play the sample ward into it, and say what was found.

Twelve beds and 24 hours in about 90 seconds, by MLLP, FHIR and DICOM. Keeps running until Ctrl-C.

Example: vigil demo --exit"""
SPEED_HELP = "Seconds of the ward that pass in one second."
EXIT_HELP = "End after the play: exit 0 only if every message came out and every story was found."
KEEP_HELP = "Leave the stack running at the end; one that ran before is always left running."


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(help=HELP)(demo)


def demo(
    *,
    leave: Annotated[bool, typer.Option("--exit", help=EXIT_HELP)] = False,
    seed: Annotated[int, typer.Option(help="Another seed is another day of the same stories.")] = 7,
    speed: Annotated[float, typer.Option(min=1, max=20000, help=SPEED_HELP)] = 960.0,
    keep: Annotated[bool, typer.Option("--keep", help=KEEP_HELP)] = False,
) -> None:
    from deploy.local import stack
    from deploy.local.settings import LocalSettings
    from ward.run import Play

    settings = LocalSettings()
    keep = keep or stack_runs(settings)
    try:
        summary = _played(settings, Play(seed=seed, speed=speed))
        if not leave:
            typer.echo("The board stays up; Ctrl-C ends the demonstration.")
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
    except KeyboardInterrupt:
        raise CliError("Interrupted before the ward had played.") from None
    finally:
        if keep:
            typer.echo("The stack keeps running; `vigil down` stops it.")
        else:
            stack.down(settings)
    if leave and not (summary.complete and summary.truthful):
        raise CliError("The ward did not come out as it should; the summary above says where.")


def _played(settings: "LocalSettings", how: "Play") -> "Summary":
    """Start the stack, play, print. Raises CliError when the stack went away for good."""
    from deploy.local import stack
    from ward.local import board_url, local_stack
    from ward.run import run_ward
    from ward.summary import text

    typer.echo("Starting the stack.")
    stack.up(settings, [], lambda _: None)
    typer.echo(f"The board is at {board_url(settings)}")
    typer.echo(f"Playing 24 hours of the ward in {how.seconds:.0f} s.")
    with _progress() as watch, quiet_client():
        summary = asyncio.run(run_ward(local_stack(settings), how, watch))
    typer.echo("")
    typer.echo(text(summary))
    return summary


def stack_runs(settings: "LocalSettings") -> bool:
    """Whether the local stack of `settings` is up, wholly or in part."""
    from deploy.local import supervision
    from deploy.local.supervision import Home

    return supervision.running(Home(settings.data_dir)) is not None


@contextmanager
def quiet_client() -> "Iterator[None]":
    """Without the Kafka client's own warnings: whoever plays waits for a broker anyway, and says what came of it."""
    client = logging.getLogger("aiokafka")
    level = client.level
    client.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        client.setLevel(level)


@contextmanager
def _progress() -> "Iterator[Watch]":
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _sent, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("sent", total=None)
        yield lambda sent, total: progress.update(
            task, total=total, advance=1, description=f"{sent.event.at:%H:%M} by {sent.event.protocol.value}"
        )
