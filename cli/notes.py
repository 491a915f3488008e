"""Send notes to the running nlp-coder, and read what they come from: what `vigil code` and `vigil audit` share."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import CliError

DEADLINE_S = 60.0
_MOST_SLIPS = 20  # lines that are no requests and are named one by one
LARGEST_ANSWER_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """A request about a note. `id`: the caller's own, any JSON value, which comes back as it was."""

    id: Any
    request: Any


def lines(path: Path) -> Iterator[str]:
    """Lines of a file, or of standard input for `-`, with their ends; what is no UTF-8 becomes U+FFFD.

    Raises CliError for a file that cannot be read.
    """
    if str(path) == "-":
        # Bytes, so that line ends stay as they are and offsets hold.
        yield from (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
        return
    try:
        with path.open("rb") as stream:
            yield from (line.decode("utf-8", "replace") for line in stream)
    except OSError as error:
        raise CliError(f"Cannot read {path}: {error.strerror}.") from error


def well_formed(text: Any) -> str:
    """Half surrogates, which JSON can hold and no text may, become the replacement character; lengths stay.

    Raises TypeError for what is no string: a list of strings would pass for one.
    """
    if not isinstance(text, str):
        raise TypeError(f"a {type(text).__name__} is no text")
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)


async def answers(requests: Iterator[Asked | CliError], method: str) -> AsyncIterator[tuple[Any, Any]]:
    """(answer, the caller's id) of each request, in order, with bounded concurrency. method: of NlpCoderService.

    A line that is no request comes as the error that says so, and the others are answered. Raises CliError when the
    service is away or refuses, and at the end for the lines that were no requests.
    """
    import grpc
    from vigil.v1.nlp_coder_service_pb2_grpc import NlpCoderServiceStub

    from cli.calls import in_order
    from services.nlp_coder.config import NlpCoderSettings

    target = f"127.0.0.1:{NlpCoderSettings().grpc_port}"
    options = [
        ("grpc.max_receive_message_length", LARGEST_ANSWER_BYTES),
        ("grpc.max_send_message_length", LARGEST_ANSWER_BYTES),
    ]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        call = getattr(NlpCoderServiceStub(channel), method)
        slips: list[CliError] = []
        calls = (_ask(call, asked) for asked in _without_slips(requests, slips))
        try:
            async with aclosing(in_order(calls)) as answered:
                async for answer in answered:
                    yield answer
        except grpc.aio.AioRpcError as error:
            raise CliError(_failure(error, target)) from error
    if slips:
        named = [str(slip) for slip in slips[:_MOST_SLIPS]]
        more = len(slips) - len(named)
        raise CliError("\n".join([*named, f"{more} more lines were passed over."] if more else named))


def _without_slips(requests: Iterator[Asked | CliError], slips: list[CliError]) -> Iterator[Asked]:
    """The requests; why others are none is added to `slips`."""
    while asked := _next(requests):
        if isinstance(asked, CliError):
            slips.append(asked)
        else:
            yield asked


def _next(requests: Iterator[Asked | CliError]) -> Asked | CliError | None:
    """The next request, or why there is none; None at the end."""
    try:
        return next(requests, None)
    except CliError as error:
        return error


async def _ask(call: Any, asked: Asked) -> tuple[Any, Any]:
    return await call(asked.request, timeout=DEADLINE_S), asked.id


def _failure(error: Any, target: str) -> str:
    import grpc

    if error.code() == grpc.StatusCode.UNAVAILABLE:
        return f"nlp-coder does not answer at {target}: start it with `vigil up`."
    return f"nlp-coder refused: {error.code().name.lower()}: {error.details()}"
