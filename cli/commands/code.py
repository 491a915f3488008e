"""`vigil code`: code notes through the running nlp-coder."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CliError
from cli.notes import Asked, answers, lines, well_formed

if TYPE_CHECKING:
    from vigil.v1.meta_pb2 import Span
    from vigil.v1.notes_pb2 import NoteCoded


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

    asyncio.run(_code_all(_requests(files or [Path("-")], jsonl=jsonl)))


def _requests(files: list[Path], *, jsonl: bool) -> Iterator[Asked | CliError]:
    from vigil.v1.nlp_coder_service_pb2 import CodeNoteRequest

    for path in files:
        if jsonl:
            for number, line in enumerate(lines(path), start=1):
                if line.strip():
                    yield _parsed(line, f"{path}, line {number}")
        else:
            yield Asked(str(path), CodeNoteRequest(id=str(path), text="".join(lines(path))))


def _parsed(line: str, where: str) -> Asked | CliError:
    from vigil.v1.meta_pb2 import Span
    from vigil.v1.nlp_coder_service_pb2 import CodeNoteRequest

    try:
        entry = json.loads(line)
        spans = [Span(start=start, end=end) for start, end in entry.get("spans") or []]
        request = CodeNoteRequest(
            id=str(entry["id"]),
            text=well_formed(entry["text"]),
            language=entry.get("lang") or "",
            kind=entry.get("kind") or "",
            spans=spans,
        )
        return Asked(entry["id"], request)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return CliError(
            f'{where} is not a note: it needs one JSON object {{"id","text"}} with "spans" as [[start,end],…]'
            f" ({type(error).__name__}: {error})."
        )


async def _code_all(requests: Iterator[Asked | CliError]) -> None:
    async for answer, own_id in answers(requests, "CodeNote"):
        _print(answer.note, own_id)


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
                "withheld": code.withheld,
                "excluded_by": code.excluded_by,
            }
            for code in coded.codes
        ],
        "entities": [_entity(coded.text, entity) for entity in coded.entities],
        "findings": [_finding(coded.text, finding) for finding in coded.findings],
        "span_assertions": [_span_assertion(answer) for answer in coded.span_assertions],
        "degraded": coded.degraded,
        "truncated": coded.truncated,
        "model": _models(coded),
        "threshold": round(coded.threshold, 6),
    }
    if coded.kind_detected:
        answer["kind_detected"] = coded.kind_detected
    if coded.entity_rules:
        answer["entity_rules"] = coded.entity_rules
    if coded.abstained:
        answer["abstained"] = coded.abstained
    if coded.degraded_reason:
        answer["degraded_reason"] = coded.degraded_reason
    return answer


def _models(coded: "NoteCoded") -> dict[str, Any]:
    models = {model.name: {"version": model.version, "sha256": model.sha256} for model in coded.models}
    return {**models, "code_set_version": coded.code_set_version}


def _finding(text: str, finding: Any) -> dict[str, Any]:
    answer: dict[str, Any] = {"label": finding.label, "status": finding.status, "spans": _pairs(finding.spans)}
    if finding.mentions:
        answer["mentions"] = [
            {
                "start": mention.span.start,
                "end": mention.span.end,
                "status": mention.status,
                "details": [
                    {
                        "name": detail.name,
                        "value": detail.value,
                        "text": text[detail.span.start : detail.span.end],
                        "start": detail.span.start,
                        "end": detail.span.end,
                    }
                    for detail in mention.details
                ],
            }
            for mention in finding.mentions
        ]
    return answer


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
    answer |= {
        name: value for name in ("code", "origin", "name", "concept", "rules") if (value := getattr(entity, name))
    }
    if entity.attributes:
        answer["attributes"] = [_attribute(text, attribute) for attribute in entity.attributes]
    return answer


def _attribute(text: str, attribute: Any) -> dict[str, Any]:
    start, end = attribute.span.start, attribute.span.end
    answer: dict[str, Any] = {"name": attribute.name, "text": text[start:end], "start": start, "end": end}
    answer |= {name: value for name in ("value", "unit", "as_needed") if (value := getattr(attribute, name))}
    for name in ("amount", "amount_high", "times_per_day", "times_per_day_high"):
        if attribute.HasField(name):
            answer[name] = getattr(attribute, name)
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
