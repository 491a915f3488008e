"""The audit, as protobuf."""

from __future__ import annotations

from collections.abc import Sequence

from vigil.v1 import notes_pb2
from vigil.v1.nlp_coder_service_pb2 import AuditCodesResponse
from vigil.v1.notes_pb2 import AssignedCode, NoteCoded

from services.common.icd10cm import is_icd10cm
from services.nlp_coder.audit import Audited

_VERDICT = {
    "supported": notes_pb2.AUDIT_VERDICT_SUPPORTED,
    "unsupported": notes_pb2.AUDIT_VERDICT_UNSUPPORTED,
    "contradicted": notes_pb2.AUDIT_VERDICT_CONTRADICTED,
    "less_specific": notes_pb2.AUDIT_VERDICT_LESS_SPECIFIC,
    "missing": notes_pb2.AUDIT_VERDICT_MISSING,
}
# System of the codes of a request, which names none.
REQUESTED = "ICD-10-CM"
# A condition that a note names more often is documented by these.
_MOST_SPANS = 20


def assigned_icd10cm(codes: Sequence[AssignedCode]) -> list[str]:
    """Those of the codes that are ICD-10-CM, as sent."""
    return [entry.code for entry in codes if is_icd10cm(entry.code, entry.code_system)]


def add_audit(coded: NoteCoded, results: Sequence[Audited]) -> None:
    """All results, in order."""
    for result in results:
        entry = coded.audit.add(
            code=result.code,
            verdict=_VERDICT[result.verdict],
            suggested=result.suggested,
            score=result.score,
            display=result.display,
            suggested_display=result.suggested_display,
        )
        for start, end in result.spans[:_MOST_SPANS]:
            entry.spans.add(start=start, end=end)


def as_response(coded: NoteCoded) -> AuditCodesResponse:
    """The answer to a request for the audit alone."""
    return AuditCodesResponse(
        id=coded.document_id,
        results=coded.audit,
        models=coded.models,
        code_set_version=coded.code_set_version,
        degraded=coded.degraded,
        degraded_reason=coded.degraded_reason,
        truncated=coded.truncated,
        abstained=coded.abstained,
    )
