"""What a FHIR sender is told: OperationOutcome, the responses of a Bundle, and the CapabilityStatement."""

from typing import Any

from services.note_ingest.fhir.readers import READERS
from services.note_ingest.fhir.requests import Request
from services.note_ingest.fhir.resources import InvalidResource, Issue
from services.note_ingest.refusals import Refused


def outcome(severity: str, code: str, text: str, expression: str = "") -> dict[str, Any]:
    """An OperationOutcome with one issue."""
    issue: dict[str, Any] = {"severity": severity, "code": code, "diagnostics": text}
    if expression:
        issue["expression"] = [expression]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def refusal(refused: Refused) -> dict[str, Any]:
    """Every fault of what was refused."""
    issues = refused.issues if isinstance(refused, InvalidResource) else [Issue(refused.location, refused.reason)]
    answers = [outcome("error", refused.fault.fhir, issue.reason, issue.expression) for issue in issues]
    return {"resourceType": "OperationOutcome", "issue": [issue for answer in answers for issue in answer["issue"]]}


def accepted(request: Request) -> dict[str, Any]:
    """What was made of the request."""
    made = sum(len(entry.drafts) for entry in request.entries)
    text = "received; Kafka has it" if made else "received; there is nothing in it to follow"
    return outcome("information", "informational", text)


def bundle_response(request: Request) -> dict[str, Any]:
    """The answer to a transaction or batch, entry by entry."""
    return {
        "resourceType": "Bundle",
        "type": f"{request.bundle_type}-response",
        "entry": [{"response": _response(entry.refused, supporting=entry.supporting)} for entry in request.entries],
    }


def _response(refused: Refused | None, *, supporting: bool) -> dict[str, Any]:
    if refused is not None:
        return {"status": str(refused.fault.http), "outcome": refusal(refused)}
    if supporting:
        text = "used only where other entries point at it"
        return {"status": "200", "outcome": outcome("information", "informational", text)}
    return {"status": "201"}


def capability_statement(version: str) -> dict[str, Any]:
    """What this server takes (R4 CapabilityStatement)."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-23",
        "kind": "instance",
        "software": {"name": "Vigil note-ingest", "version": version},
        "implementation": {"description": "Takes clinical data in; nothing can be read back."},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
                "resource": [{"type": kind, "interaction": [{"code": "create"}]} for kind in sorted(READERS)],
            }
        ],
    }
