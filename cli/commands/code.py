"""`vigil code`: code notes through the running nlp-coder."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CliError

if TYPE_CHECKING:
    from vigil.v1.meta_pb2 import Span
    from vigil.v1.nlp_coder_service_pb2 import CodeNoteRequest
    from vigil.v1.notes_pb2 import NoteCoded

# Notes under way at a time: enough to keep the service busy, few enough to keep memory small.
CONCURRENT = 8
DEADLINE_S = 60.0
LARGEST_ANSWER_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """A note to code. `id`: the caller's own, any JSON value, which comes back as it was."""

    id: Any
    request: "CodeNoteRequest"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(code)


def code(
    files: Annotated[list[Path] | None, typer.Argument(help="Files with notes; none or `-`: standard input.")] = None,
    *,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Lines of {"id","text","lang"?,"kind"?,"spans"?} instead of plain text.')
    ] = False,
) -> None:
    """Code notes: ICD-10-CM codes, entities and report findings, one JSON object a note.

    Example: echo '{"id":"1","text":"COPD exacerbation, no pneumonia."}' | vigil code --jsonl
    """
    import asyncio

    from services.nlp_coder.config import NlpCoderSettings

    settings = NlpCoderSettings()
    target = f"127.0.0.1:{settings.grpc_port}"
    asyncio.run(_code_all(_requests(files or [Path("-")], jsonl=jsonl), target))


def _requests(files: list[Path], *, jsonl: bool) -> Iterator[Asked]:
    from vigil.v1.nlp_coder_service_pb2 import CodeNoteRequest

    for path in files:
        if jsonl:
            for number, line in enumerate(_lines(path), start=1):
                if line.strip():
                    yield _parsed(line, f"{path}, line {number}")
        else:
            yield Asked(str(path), CodeNoteRequest(id=str(path), text="".join(_lines(path))))


def _lines(path: Path) -> Iterator[str]:
    if str(path) == "-":
        # Bytes, so that line ends stay as they are and offsets hold.
        yield from (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
        return
    try:
        with path.open("rb") as stream:
            yield from (line.decode("utf-8", "replace") for line in stream)
    except OSError as error:
        raise CliError(f"Cannot read {path}: {error.strerror}.") from error


def _parsed(line: str, where: str) -> Asked:
    from vigil.v1.meta_pb2 import Span
    from vigil.v1.nlp_coder_service_pb2 import CodeNoteRequest

    try:
        entry = json.loads(line)
        spans = [Span(start=start, end=end) for start, end in entry.get("spans") or []]
        request = CodeNoteRequest(
            id=str(entry["id"]),
            text=_well_formed(entry["text"]),
            language=entry.get("lang") or "",
            kind=entry.get("kind") or "",
            spans=spans,
        )
        return Asked(entry["id"], request)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CliError(
            f'{where} is not a note: it needs one JSON object {{"id","text"}} with "spans" as [[start,end],…]'
            f" ({type(error).__name__}: {error})."
        ) from error


def _well_formed(text: str) -> str:
    """Half surrogates, which JSON can hold and no text may, become the replacement character; lengths stay."""
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)


async def _code_all(requests: Iterator[Asked], target: str) -> None:
    """Send with bounded concurrency, and print in the order of the input."""
    import asyncio
    from collections import deque

    import grpc
    from vigil.v1.nlp_coder_service_pb2_grpc import NlpCoderServiceStub

    options = [
        ("grpc.max_receive_message_length", LARGEST_ANSWER_BYTES),
        ("grpc.max_send_message_length", LARGEST_ANSWER_BYTES),
    ]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        service = NlpCoderServiceStub(channel)
        pending: deque[asyncio.Task[Any]] = deque()
        try:
            for asked in requests:
                pending.append(asyncio.create_task(_ask(service, asked)))
                if len(pending) >= CONCURRENT:
                    _print(*await pending.popleft())
            while pending:
                _print(*await pending.popleft())
        except grpc.aio.AioRpcError as error:
            raise CliError(_failure(error, target)) from error
        finally:
            for task in pending:
                task.cancel()


async def _ask(service: Any, asked: Asked) -> "tuple[NoteCoded, Any]":
    answer = await service.CodeNote(asked.request, timeout=DEADLINE_S)
    return answer.note, asked.id


def _failure(error: Any, target: str) -> str:
    import grpc

    if error.code() == grpc.StatusCode.UNAVAILABLE:
        return f"nlp-coder does not answer at {target}: start it with `vigil up`."
    return f"nlp-coder refused: {error.code().name.lower()}: {error.details()}"


def _print(coded: "NoteCoded", own_id: Any) -> None:
    print(json.dumps(as_json(coded) | {"id": own_id}, ensure_ascii=False), flush=True)


def as_json(coded: "NoteCoded") -> dict[str, Any]:
    """One line of output, as the interface documents it: enum names in lower case, spans as pairs."""
    answer: dict[str, Any] = {
        "id": coded.document_id,
        "codes": [
            {
                "code": code.code,
                "display": code.display,
                "score": round(code.score, 6),
                "selected": code.selected,
                "spans": _pairs(code.spans),
                "rationale": code.rationale,
                "origin": code.origin,
                "assertion": _assertion(code.assertion),
                "temporality": _temporality(code.temporality),
                "experiencer": _experiencer(code.experiencer),
                "billable": code.billable,
            }
            for code in coded.codes
        ],
        "entities": [_entity(coded.text, entity) for entity in coded.entities],
        "findings": [
            {"label": finding.label, "status": finding.status, "spans": _pairs(finding.spans)}
            for finding in coded.findings
        ],
        "span_assertions": [_span_assertion(answer) for answer in coded.span_assertions],
        "degraded": coded.degraded,
        "truncated": coded.truncated,
        "model": _models(coded),
        "threshold": round(coded.threshold, 6),
    }
    if coded.abstained:
        answer["abstained"] = coded.abstained
    if coded.degraded_reason:
        answer["degraded_reason"] = coded.degraded_reason
    return answer


def _models(coded: "NoteCoded") -> dict[str, Any]:
    models = {model.name: {"version": model.version, "sha256": model.sha256} for model in coded.models}
    return {**models, "code_set_version": coded.code_set_version}


def _entity(text: str, entity: Any) -> dict[str, Any]:
    start, end = entity.span.start, entity.span.end
    answer: dict[str, Any] = {
        "type": entity.type,
        "text": text[start:end],
        "start": start,
        "end": end,
        "assertion": _assertion(entity.assertion),
        "temporality": _temporality(entity.temporality),
        "experiencer": _experiencer(entity.experiencer),
    }
    if entity.code:
        answer["code"] = entity.code
    if entity.attributes:
        answer["attributes"] = [
            {
                "name": attribute.name,
                "text": text[attribute.span.start : attribute.span.end],
                "start": attribute.span.start,
                "end": attribute.span.end,
                **({"value": attribute.value} if attribute.value else {}),
            }
            for attribute in entity.attributes
        ]
    return answer


def _span_assertion(answer: Any) -> dict[str, Any]:
    trigger = [answer.trigger.start, answer.trigger.end] if answer.HasField("trigger") else None
    return {
        "assertion": _assertion(answer.assertion),
        "temporality": _temporality(answer.temporality),
        "experiencer": _experiencer(answer.experiencer),
        "trigger": trigger,
    }


def _pairs(spans: "list[Span] | Any") -> list[list[int]]:
    return [[span.start, span.end] for span in spans]


def _assertion(value: int) -> str:
    from vigil.v1.notes_pb2 import Assertion

    return Assertion.Name(value).removeprefix("ASSERTION_").lower()  # type: ignore[arg-type]


def _temporality(value: int) -> str:
    from vigil.v1.notes_pb2 import Temporality

    return Temporality.Name(value).removeprefix("TEMPORALITY_").lower()  # type: ignore[arg-type]


def _experiencer(value: int) -> str:
    from vigil.v1.notes_pb2 import Experiencer

    return Experiencer.Name(value).removeprefix("EXPERIENCER_").lower()  # type: ignore[arg-type]
