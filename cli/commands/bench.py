"""`vigil bench NAME`: measurements of a local stack, each beside a floor or a peer from the same run."""

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.demo import quiet_client, stack_runs
from cli.errors import CliError

if TYPE_CHECKING:
    from deploy.local.settings import LocalSettings

HELP = """Measure the local stack; it is started, and stopped again, unless it already runs.

Example: vigil bench ward --first 50 --step 25"""
SECONDS_HELP = "Length of a step, seconds."


class Bench(StrEnum):
    """What can be measured."""

    WARD = "ward"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(help=HELP)(bench)


def bench(
    name: Annotated[Bench, typer.Argument(help="ward: mixed messages at a rising rate until p99 passes 1 s.")],
    *,
    first: Annotated[float, typer.Option(min=1, help="First rate, messages a second.")] = 50.0,
    step: Annotated[float, typer.Option(min=1, help="Added for each next rate.")] = 25.0,
    seconds: Annotated[float, typer.Option(min=2, help=SECONDS_HELP)] = 20.0,
) -> None:
    from deploy.local import stack
    from deploy.local.settings import LocalSettings

    settings = LocalSettings()
    ran_before = stack_runs(settings)
    stack.up(settings, [], lambda _: None)
    try:
        if name is Bench.WARD:
            _ward(settings, first, step, seconds)
    finally:
        if not ran_before:
            stack.down(settings)


def _ward(settings: "LocalSettings", first: float, step: float, seconds: float) -> None:
    from bench.ward import conclusion, measure, rates_from
    from ward.local import local_stack

    with quiet_client():
        steps = asyncio.run(measure(local_stack(settings), rates_from(first, step), seconds, typer.echo))
    typer.echo(conclusion(steps))
    if not any(one.sustained for one in steps):
        raise CliError("No rate was sustained; see the table above.")
