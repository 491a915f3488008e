"""What every command has in common: help, exit codes, errors in one sentence."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from cli.errors import CliError
from cli.main import create_app, main
from deploy.local.errors import StackError
from deploy.local.settings import LocalSettings

HEAVY = {
    "numpy",
    "kafka",
    "aiokafka",
    "onnxruntime",
    "pydicom",
    "fhir",
    "grpc",
    "google.protobuf",
    "psutil",
    "pydantic",
}


def commands(group: Any, name: str = "vigil") -> Iterator[tuple[str, Any]]:
    yield name, group
    for child, command in getattr(group, "commands", {}).items():
        yield from commands(command, f"{name} {child}")


@pytest.mark.parametrize(("name", "command"), list(commands(typer.main.get_command(create_app()))))
def test_every_command_and_group_shows_an_example_of_itself(name: str, command: Any) -> None:
    assert command.help is not None
    _, _, example = command.help.partition("Example:")
    assert name in example


def test_the_help_imports_nothing_heavy() -> None:
    code = "import sys, cli.main; cli.main.create_app(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert HEAVY.isdisjoint(loaded)


def run(monkeypatch: pytest.MonkeyPatch, error: Exception, *arguments: str) -> int:
    """Exit code of a `vigil` whose command raises `error`."""

    def failing() -> typer.Typer:
        app = typer.Typer()

        @app.command()
        def fail() -> None:
            raise error

        return app

    monkeypatch.setattr("cli.main.create_app", failing)
    monkeypatch.setattr(sys, "argv", ["vigil", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(str(exit_.value.code))


@pytest.mark.parametrize("kind", [CliError, StackError])
def test_an_error_is_one_sentence_and_exit_code_1(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, kind("The ward is closed.")) == 1
    assert capsys.readouterr() == ("", "The ward is closed.\n")


def test_an_unexpected_error_is_one_sentence_that_names_debug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, ZeroDivisionError("by zero")) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "ZeroDivisionError: by zero" in said
    assert "--debug" in said


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CliError, match="closed"):
        run(monkeypatch, CliError("The ward is closed."), "--debug")


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("VIGIL_PORT_OFFSET", "many")
    with pytest.raises(ValueError, match="port_offset") as wrong:
        LocalSettings()
    assert run(monkeypatch, wrong.value) == 1
    said = capsys.readouterr().err
    assert "VIGIL_PORT_OFFSET" in said
    assert "integer" in said
    assert said.count("\n") == 1


def test_an_unknown_command_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["vigil", "fly"])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["up", "--only", "kafka,mainframe"],
        ["restart", "mainframe"],
        ["logs", "mainframe"],
        ["alerts", "--state", "firing,loud"],
        ["tail", "gossip"],
        ["dlq", "show", "nope"],
        ["dlq", "show", "notes-received:0:0"],
        ["dlq", "list", "--topic", "gossip"],
        ["dlq", "drop"],
    ],
    ids=" ".join,
)
def test_a_name_that_nothing_has_is_wrong_usage(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["vigil", *arguments])
    monkeypatch.setenv("VIGIL_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 2
    assert capsys.readouterr().out == ""


def test_a_setting_that_does_not_exist_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["vigil", "config", "nonsense"])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 1
    assert "NONSENSE" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "value"), [("VIGIL_AUTHORITY_ALIASES", "no-json"), ("VIGIL_FUSION_HTTP_PORT", "abc")])
def test_a_wrong_setting_of_any_kind_is_one_sentence(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["vigil", "config"])
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"A setting is wrong ({name}: ")
    assert said.count("\n") == 1


def test_a_file_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, PermissionError(13, "Permission denied", "/data/up.lock")) == 1
    assert capsys.readouterr().err == "/data/up.lock cannot be used: Permission denied; --debug shows where.\n"
