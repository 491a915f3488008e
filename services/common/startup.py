"""Why a process cannot begin, said so that a log may carry it."""

from collections.abc import Iterator
from contextlib import contextmanager


class CannotStart(Exception):  # noqa: N818 - named as what happened to the process
    """The process cannot begin. The text is ours and quotes nothing received: which setting or file, and what to do."""


@contextmanager
def taking_port(what: str, host: str, port: int) -> Iterator[None]:
    """Raises CannotStart where a server cannot listen. what: the setting's name without prefix, e.g. "mllp_port"."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise CannotStart(
            f"cannot listen on {host}:{port} ({why}); stop what holds it, or set another {what.upper()}"
        ) from error


def why_not_started(error: BaseException) -> str:
    """Why a process could not begin, in words; empty for an error from when it ran, whose text may quote a message.

    `run_until_stopped` raises groups, so that an error without a group in its history is of the time before: until
    then settings, tables and models are read, and nothing of a patient. In a group only `CannotStart` speaks.
    """
    if isinstance(error, CannotStart):
        return str(error)
    if isinstance(error, BaseExceptionGroup):
        ours = (one for one in error.exceptions if isinstance(one, CannotStart | BaseExceptionGroup))
        return next((why for one in ours if (why := why_not_started(one))), "")
    if not isinstance(error, Exception) or any(isinstance(one, BaseExceptionGroup) for one in _history(error)):
        return ""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} cannot be used: {error.strerror}"
    return f"{type(error).__qualname__}: {error}"


def _history(error: BaseException) -> Iterator[BaseException]:
    before = error.__cause__ or error.__context__
    if before is not None:
        yield before
        yield from _history(before)
