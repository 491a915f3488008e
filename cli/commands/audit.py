"""`vigil audit`: hold the codes that somebody assigned against notes, through the running nlp-coder."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CliError
from cli.notes import Asked, answers, lines, well_formed

if TYPE_CHECKING:
    from vigil.v1.nlp_coder_service_pb2 import AuditCodesResponse
    from vigil.v1.notes_pb2 import CodeAudit


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(audit)


def audit(
    files: Annotated[list[Path] | None, typer.Argument(help="Files with notes; none or `-`: standard input.")] = None,
    *,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Lines of {"id","text","codes":[…],"lang"?,"kind"?} instead of plain text.')
    ] = False,
    codes: Annotated[
        str | None, typer.Option("--codes", help="For plain text: the assigned codes, with commas between them.")
    ] = None,
) -> None:
    """Audit assigned ICD-10-CM codes: supported, unsupported, contradicted, less specific, missing.

    Example: echo '{"id":"1","text":"COPD exacerbation, no pneumonia.","codes":["J18.9"]}' | vigil audit --jsonl
    """
    import asyncio

    if jsonl == (codes is not None):
        raise typer.BadParameter("give either --jsonl, with the codes in each line, or --codes for plain text")
    asyncio.run(_print_all(_requests(files or [Path("-")], codes)))


def _requests(files: list[Path], codes: str | None) -> Iterator[Asked | CliError]:
    """codes: of every plain file; None when each line brings its own."""
    from vigil.v1.nlp_coder_service_pb2 import AuditCodesRequest

    for path in files:
        if codes is None:
            for number, line in enumerate(lines(path), start=1):
                if line.strip():
                    yield _parsed(line, f"{path}, line {number}")
        else:
            assigned = [code.strip() for code in codes.split(",") if code.strip()]
            yield Asked(str(path), AuditCodesRequest(id=str(path), text="".join(lines(path)), codes=assigned))


def _parsed(line: str, where: str) -> Asked | CliError:
    from vigil.v1.nlp_coder_service_pb2 import AuditCodesRequest

    try:
        entry = json.loads(line)
        request = AuditCodesRequest(
            id=str(entry["id"]),
            text=well_formed(entry["text"]),
            language=entry.get("lang") or "",
            kind=entry.get("kind") or "",
            codes=[well_formed(code) for code in _listed(entry["codes"])],
        )
        return Asked(entry["id"], request)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return CliError(
            f'{where} cannot be audited: it needs one JSON object {{"id","text","codes"}} with "codes" as ["J18.9",…]'
            f" ({type(error).__name__}: {error})."
        )


def _listed(codes: Any) -> list[str]:
    """A string is a sequence of letters too, and no list of codes."""
    if not isinstance(codes, list):
        raise TypeError("codes is no list")
    return codes


async def _print_all(requests: Iterator[Asked | CliError]) -> None:
    async for answer, own_id in answers(requests, "AuditCodes"):
        print(json.dumps(as_json(answer) | {"id": own_id}, ensure_ascii=False), flush=True)


def as_json(answer: "AuditCodesResponse") -> dict[str, Any]:
    """One line of output, as the interface documents it."""
    line: dict[str, Any] = {
        "id": answer.id,
        "results": [_result(result) for result in answer.results],
        "degraded": answer.degraded,
        "truncated": answer.truncated,
    }
    if answer.degraded_reason:
        line["degraded_reason"] = answer.degraded_reason
    if answer.abstained:
        line["abstained"] = answer.abstained
    models = {model.name: {"version": model.version, "sha256": model.sha256} for model in answer.models}
    return line | {"model": {**models, "code_set_version": answer.code_set_version}}


def _result(result: "CodeAudit") -> dict[str, Any]:
    from vigil.v1.notes_pb2 import AuditVerdict

    entry = {
        "code": result.code,
        "verdict": AuditVerdict.Name(result.verdict).removeprefix("AUDIT_VERDICT_").lower(),
        "spans": [[span.start, span.end] for span in result.spans],
        "score": round(result.score, 6),
        "display": result.display,
    }
    suggested = {"suggested": result.suggested, "suggested_display": result.suggested_display}
    return entry | (suggested if result.suggested else {})
