"""`vigil risk`: scores and risks of whole stays in intensive care, through the running fusion and Triton."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cli.stays import Asked

HELP = """Score stays in intensive care: NEWS2, qSOFA, risk of death in hospital and of sepsis, and what drives them.

A line of input is one stay, minutes counted from admission to the unit; names are Vigil's or columns of the PhysioNet
challenges of 2012 and 2019. A line of output holds what was known at each minute of "at"; later observations have no
part in it. A line that is no stay gets a line with the error; then the exit code is 1.

Example: echo '{"id":"1","age":71,"observations":[[5,"heart_rate",118],[9,"sbp",88],[70,"lactate",4.1]],"at":[60,120]}'
| vigil risk --jsonl
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(help=HELP)(risk)


def risk(
    files: Annotated[list[Path] | None, typer.Argument(help="Files of stays; none or `-`: standard input.")] = None,
    *,
    jsonl: Annotated[
        bool,
        typer.Option("--jsonl", help='Lines of {"id","age","sex"?,"unit"?,"observations","at"}, as in the example.'),
    ] = False,
) -> None:
    import asyncio

    if not jsonl:
        raise typer.BadParameter("stays are lines of JSON: say --jsonl")
    if asyncio.run(_print_all(_asked(files or [Path("-")]))):
        raise typer.Exit(1)


def _asked(files: list[Path]) -> "Iterator[Asked]":
    from cli.notes import lines
    from cli.stays import parsed

    for path in files:
        for number, line in enumerate(lines(path), start=1):
            if line.strip():
                yield parsed(line, f"{path}, line {number}")


async def _print_all(asked: "Iterator[Asked]") -> bool:
    """Whether a line was no stay."""
    from cli.stays import scored
    from services.fusion.config import FusionSettings

    failed = False
    async for row in scored(asked, f"127.0.0.1:{FusionSettings().grpc_port}"):
        failed = failed or "error" in row
        print(json.dumps(row, ensure_ascii=False), flush=True)
    return failed
