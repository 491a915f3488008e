"""`vigil send PATH...`: files to a receiver by the protocol of their kind."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import CliError

HELP = """Send files as a hospital would: .hl7 by MLLP, FHIR .json by REST, .dcm by C-STORE; folders recursively.

Prints the receiver's answer to each file, or to each message in it, then a total; exit code 1 if any was refused.

Example: vigil send messages/ report.json scan.dcm"""
CONCURRENCY_HELP = "Files under way at once; HL7 files go one after another, in the order of their names."
START_OF_MESSAGE = b"MSH"
BATCH_MARKS = (b"FHS", b"BHS", b"BTS", b"FTS")
DICOM_PREFIX = 132  # preamble and "DICM"
DICOM_GROUP = 50  # files of one association


class Kind(Enum):
    """What a file is, and how it travels."""

    HL7 = "hl7"
    FHIR = "fhir"
    DICOM = "dicom"


SUFFIXES = {".hl7": Kind.HL7, ".json": Kind.FHIR, ".dcm": Kind.DICOM}


@dataclass(frozen=True, slots=True)
class Line:
    """One file's answer."""

    name: str
    accepted: bool
    answer: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where things go."""

    host: str
    mllp_port: int
    fhir_url: str
    dicom_port: int
    ae_title: str
    concurrency: int


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(help=HELP)(send)


def send(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.", show_default=False)],
    *,
    host: Annotated[str, typer.Option(help="Receiver; default: the local stack.")] = "127.0.0.1",
    mllp_port: Annotated[int | None, typer.Option(help="MLLP port; default: note-ingest's.")] = None,
    fhir_url: Annotated[str, typer.Option(help="FHIR base; default: note-ingest's /fhir.")] = "",
    dicom_port: Annotated[int | None, typer.Option(help="DICOM port; default: image-router's.")] = None,
    ae_title: Annotated[str, typer.Option(help="Called AE title.")] = "VIGIL",
    concurrency: Annotated[int, typer.Option(min=1, max=64, help=CONCURRENCY_HELP)] = 8,
) -> None:
    from services.image_router.config import ImageRouterSettings
    from services.note_ingest.config import NoteIngestSettings

    files = list(find_files(paths))
    if not files:
        raise CliError("There is no .hl7, .json or .dcm file in what was given.")
    ingest = NoteIngestSettings()
    target = Target(
        host=host,
        mllp_port=mllp_port or ingest.mllp_port,
        fhir_url=fhir_url or f"http://{host}:{ingest.http_port}/fhir",
        dicom_port=dicom_port or ImageRouterSettings().dicom_port,
        ae_title=ae_title,
        concurrency=concurrency,
    )
    accepted, refused = asyncio.run(_send_all(files, target))
    print(f"{len(files)} files: {accepted} accepted, {refused} refused")
    if refused:
        raise typer.Exit(1)


def find_files(paths: Sequence[Path]) -> Iterator[tuple[Path, Kind]]:
    """Files with their kind, folders recursively and in the order of names. Raises CliError for what is none."""
    for path in paths:
        if path.is_dir():
            found = (file for file in sorted(path.rglob("*")) if file.is_file())
            yield from ((file, kind) for file in found if (kind := kind_of(file)) is not None)
        elif path.is_file():
            kind = kind_of(path)
            if kind is None:
                raise CliError(f"{path} is no .hl7, FHIR .json or .dcm file.")
            yield path, kind
        else:
            raise CliError(f"{path} does not exist.")


def kind_of(path: Path) -> Kind | None:
    """By suffix, else by content; None for anything else."""
    if path.suffix.lower() in SUFFIXES:
        return SUFFIXES[path.suffix.lower()]
    with path.open("rb") as file:
        head = file.read(DICOM_PREFIX)
    if head[128:] == b"DICM":
        return Kind.DICOM
    return Kind.HL7 if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:3] == START_OF_MESSAGE else None


def messages_of(content: bytes) -> list[bytes]:
    """The HL7 messages in a file: one, several after another, or a batch, whose envelope is left out."""
    lines = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\r").replace(b"\n", b"\r").split(b"\r")
    messages: list[list[bytes]] = []
    for line in lines:
        if line.startswith(START_OF_MESSAGE):
            messages.append([line])
        elif line and not line.startswith(BATCH_MARKS):
            messages[-1].append(line) if messages else messages.append([line])
    return [b"\r".join(message) + b"\r" for message in messages] or [content]


async def _send_all(files: Sequence[tuple[Path, Kind]], target: Target) -> tuple[int, int]:
    """How many messages and images were accepted, and how many refused: a file may hold several."""
    by_kind = {kind: [path for path, of in files if of is kind] for kind in Kind}
    ways: dict[Kind, Callable[[Sequence[Path], Target], AsyncIterator[Line]]] = {
        Kind.HL7: _send_hl7,
        Kind.FHIR: _send_fhir,
        Kind.DICOM: _send_dicom,
    }
    accepted = done = 0
    for kind, way in ways.items():
        async for line in way(by_kind[kind], target):
            done += 1
            accepted += line.accepted
            _report(line, done, len(files))
    return accepted, done - accepted


def _report(line: Line, done: int, total: int) -> None:
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    if clear:
        sys.stderr.write(clear)
        sys.stderr.flush()
    print(f"{line.name}: {line.answer}")
    if clear and done < total:
        sys.stderr.write(f"{done} of {total}")
        sys.stderr.flush()


async def _send_hl7(paths: Sequence[Path], target: Target) -> AsyncIterator[Line]:
    from cli.senders import MllpClient, SendError

    async with MllpClient(target.host, target.mllp_port) as client:
        for path in paths:
            for number, message in enumerate(messages := messages_of(path.read_bytes()), start=1):
                name = f"{path}#{number}" if len(messages) > 1 else str(path)
                try:
                    ack = await client.send(message)
                except SendError as error:
                    yield Line(name, accepted=False, answer=f"no answer: {error}")
                else:
                    yield Line(name, ack.accepted, f"{ack.code} {ack.text}".rstrip())


async def _send_fhir(paths: Sequence[Path], target: Target) -> AsyncIterator[Line]:
    from cli.senders import SendError, fhir_client, post_fhir

    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(fhir_client(target.fhir_url)) if paths else None

        async def one(path: Path) -> Line:
            assert client is not None
            try:
                answer = await post_fhir(client, await asyncio.to_thread(path.read_bytes))
            except SendError as error:
                return Line(str(path), accepted=False, answer=f"no answer: {error}")
            return Line(str(path), answer.accepted, f"{answer.status} {answer.text}")

        async for line in _in_order(one, paths, target.concurrency):
            yield line


async def _in_order(
    one: Callable[[Path], Awaitable[Line]], paths: Sequence[Path], concurrency: int
) -> AsyncIterator[Line]:
    """Up to `concurrency` at once, answers in the order of the files."""
    places = asyncio.Semaphore(concurrency)

    async def bounded(path: Path) -> Line:
        async with places:
            return await one(path)

    async with asyncio.TaskGroup() as group:
        for task in [group.create_task(bounded(path)) for path in paths]:
            yield await task


async def _send_dicom(paths: Sequence[Path], target: Target) -> AsyncIterator[Line]:
    from cli.senders import c_store

    for start in range(0, len(paths), DICOM_GROUP):
        group = paths[start : start + DICOM_GROUP]
        answers = await c_store(group, target.host, target.dicom_port, target.ae_title)
        for path, answer in zip(group, answers, strict=True):
            yield Line(str(path), answer.accepted, answer.text)
