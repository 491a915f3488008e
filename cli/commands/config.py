"""`vigil config`: every setting with its value, origin and meaning."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CliError

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

MASK = "********"
PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@:]*):[^/@]*(?=@)")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row. `origin`: default, offset (a port moved by VIGIL_PORT_OFFSET), environment or .env."""

    name: str
    value: str
    origin: str
    meaning: str


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(config)


def config(
    pattern: Annotated[str, typer.Argument(help="Show only names that contain this.")] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """Show every setting: name, value, origin and meaning; secrets are masked.

    Settings are environment variables, or lines of a .env file in the working directory.

    Example: vigil config port
    """
    import json

    rows = [setting for setting in all_settings() if pattern.upper() in setting.name]
    if not rows:
        raise CliError(f"No setting has {pattern.upper()} in its name; `vigil config` shows all of them.")
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
    elif sys.stdout.isatty():
        _show_table(rows)
    else:
        for row in rows:
            typer.echo(f"{row.name}\t{row.value}\t{row.origin}\t{row.meaning}")


def _show_table(rows: list[Setting]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("Setting", "Value", "Origin", "Meaning", box=None, header_style="bold")
    for row in rows:
        table.add_row(row.name, row.value, row.origin, row.meaning)
    Console().print(table)


def all_settings() -> list[Setting]:
    """Settings of the stack, then of each service in turn."""
    from deploy.local.components import SERVICES, settings_class
    from deploy.local.settings import LocalSettings

    shared = LocalSettings()
    found = list(_settings_of(shared))
    for service in SERVICES:
        found.extend(_settings_of(settings_class(service)(shared=shared)))
    return found


def _settings_of(settings: "BaseSettings") -> Iterator[Setting]:
    prefix = str(settings.model_config.get("env_prefix", ""))
    dotenv = _dotenv(Path(".env"))
    for name, field in type(settings).model_fields.items():
        if name == "shared":
            continue
        variable = f"{prefix}{name}".upper()
        value = getattr(settings, name)
        yield Setting(variable, masked(value), _origin(variable, dotenv, value, field.default), field.description or "")


def _dotenv(path: Path) -> Mapping[str, Any]:
    from dotenv import dotenv_values

    return {name.upper(): value for name, value in dotenv_values(path).items()} if path.is_file() else {}


def _origin(variable: str, dotenv: Mapping[str, Any], value: Any, default: Any) -> str:
    if variable in {name.upper() for name in os.environ}:
        return "environment"
    if variable in dotenv:
        return ".env"
    return "offset" if variable.endswith("_PORT") and value != default else "default"


def masked(value: Any) -> str:
    """A value as it may be shown: secrets, and passwords in addresses, are hidden."""
    from pydantic import SecretStr

    if isinstance(value, SecretStr):
        return MASK
    return "" if value is None else PASSWORD_IN_URL.sub(rf"\1:{MASK}", str(value))
