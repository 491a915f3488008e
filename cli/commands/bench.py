"""`vigil bench NAME`: measurements of a local stack, each beside a floor or a peer from the same run."""

import asyncio
import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.demo import quiet_client, stack_runs
from cli.errors import CliError

if TYPE_CHECKING:
    from deploy.local.settings import LocalSettings

SINGLE_STAYS = 300  # enough for a p99

HELP = """Measure the local stack; it is started, and stopped again, unless it already runs.

Example: vigil bench ward --first 50 --step 25; vigil bench text --notes 200; vigil bench risk --stays 4000; vigil bench
vision --images 200"""
SECONDS_HELP = "Length of a step (ward), of the load on the service (text)."


class Bench(StrEnum):
    """What can be measured."""

    WARD = "ward"
    TEXT = "text"
    RISK = "risk"
    VISION = "vision"


NAME_HELP = (
    "ward: mixed messages at a rising rate until p99 passes 1 s. text: notes a second, beside medspaCy as shipped. "
    "risk: stays scored a second, beside Triton alone. vision: images a second, beside bare onnxruntime."
)


# What of the stack is needed; nothing named: all of it.
PARTS: dict[Bench, list[str]] = {
    Bench.WARD: [],
    Bench.TEXT: ["kafka", "triton", "nlp-coder"],
    Bench.RISK: ["kafka", "triton", "fusion"],
    Bench.VISION: ["kafka", "triton", "image-router"],
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(help=HELP)(bench)


def bench(
    name: Annotated[Bench, typer.Argument(help=NAME_HELP)],
    *,
    first: Annotated[float, typer.Option(min=1, help="ward: first rate, messages a second.")] = 50.0,
    step: Annotated[float, typer.Option(min=1, help="ward: added for each next rate.")] = 25.0,
    seconds: Annotated[float, typer.Option(min=2, help=SECONDS_HELP)] = 20.0,
    notes: Annotated[int, typer.Option(min=10, help="text: different notes.")] = 200,
    stays: Annotated[int, typer.Option(min=10, help="risk: stays, each scored at three times.")] = 500,
    images: Annotated[int, typer.Option(min=50, help="vision: images of each kind.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="text: one JSON object.")] = False,
) -> None:
    from deploy.local import stack
    from deploy.local.settings import LocalSettings

    settings = LocalSettings()
    ran_before = stack_runs(settings)
    stack.up(settings, PARTS[name], lambda _: None)
    try:
        if name is Bench.WARD:
            _ward(settings, first, step, seconds)
        if name is Bench.TEXT:
            _text(settings, notes, seconds, as_json=as_json)
        if name is Bench.RISK:
            _risk(settings, stays)
        if name is Bench.VISION:
            _vision(settings, images)
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


def _risk(settings: "LocalSettings", stays: int) -> None:
    from bench import risk
    from deploy.local.components import settings_class
    from deploy.local.status import status
    from ward.local import reachable

    pids = {one.name: one.pid or 0 for one in status(settings)}
    target = f"{reachable(settings)}:{settings_class('fusion')(shared=settings).grpc_port}"
    both = pids["fusion"], pids["triton"]
    typer.echo(risk.table(asyncio.run(risk.measure(settings, target, both, stays, min(stays, SINGLE_STAYS)))))


def _vision(settings: "LocalSettings", images: int) -> None:
    # Before numpy: threads of its matrix products would make the floor a quarter slower than it is.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from bench import vision
    from deploy.local.components import settings_class
    from deploy.local.status import status
    from ward.local import reachable

    pids = {one.name: one.pid or 0 for one in status(settings)}
    router, host = settings_class("image-router")(shared=settings), reachable(settings)
    both = pids["image-router"], pids["triton"]
    target = vision.Target(f"{host}:{router.grpc_port}", f"http://{host}:{router.http_port}/metrics", both)
    typer.echo(vision.table(asyncio.run(vision.measure(settings, target, images))))


def _text(settings: "LocalSettings", count: int, seconds: float, *, as_json: bool) -> None:
    import json

    from bench.text import batches, measure, notes, report, service
    from deploy.local.components import settings_class
    from deploy.local.status import status
    from ward.local import reachable

    chosen = notes.load_notes(count)
    subjects = measure.measure(chosen.texts, settings.data_dir / "bench" / "medspacy")
    pids = {one.name: one.pid or 0 for one in status(settings)}
    target = f"{reachable(settings)}:{settings_class('nlp-coder')(shared=settings).grpc_port}"
    through = asyncio.run(service.measure(chosen.texts, target, pids["nlp-coder"], pids["triton"], seconds))
    batchings = asyncio.run(batches.measure(settings, chosen.texts, pids["triton"]))
    if as_json:
        typer.echo(json.dumps(report.as_json(chosen.origin, subjects, through, batchings)))
    else:
        typer.echo(report.table(chosen.origin, subjects, through, batchings))
