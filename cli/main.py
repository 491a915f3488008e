"""The `vigil` command: gathers the commands of `cli.commands`, and turns errors into one sentence."""

import importlib
import os
import pkgutil
import sys
from typing import TYPE_CHECKING

import typer

from cli import commands
from cli.errors import CliError
from deploy.local.errors import StackError

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

DEBUG_HELP = "Show the traceback when something fails."
INTERRUPTED = 130  # as shells report SIGINT


def create_app() -> typer.Typer:
    """The application with every command registered."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

    @app.callback()
    def vigil(*, debug: bool = typer.Option(False, "--debug", help=DEBUG_HELP)) -> None:
        """Vigil: notes, images and vital signs of a hospital, fused into alerts, live.

        Example: vigil up --detach && vigil status
        """
        # Taken from the arguments before anything can fail; declared here for the help.

    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"cli.commands.{module.name}").register(app)
    return app


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        create_app()(arguments, prog_name="vigil")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of the pipe has left
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:  # the command line's one place that turns errors into sentences
        if debug:
            raise
        fail(sentence_of(error))


def sentence_of(error: Exception) -> str:
    """What to tell the person at the terminal."""
    if isinstance(error, CliError | StackError):
        return str(error)
    settings = sys.modules.get("services.common.settings")
    if settings is not None and isinstance(error, settings.ValidationError | settings.SettingsError):
        return _settings_sentence(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename} cannot be used: {error.strerror}; --debug shows where."
    return f"Something went wrong inside vigil ({type(error).__name__}: {error}); --debug shows where."


def _settings_sentence(error: "ValidationError | SettingsError") -> str:
    """Names the environment variables; their values stay unsaid, since one may be a secret."""
    from services.common.settings import faults_of

    faults = "; ".join(f"{name}: {why}" for name, why in faults_of(error))
    return f"A setting is wrong ({faults}); correct it, or unset it for the default that `vigil config` shows."


def fail(sentence: str) -> None:
    """Say it on stderr, and exit with 1."""
    typer.secho(sentence, err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
    sys.exit(1)
