"""A radiology report beside the images that it is of: what `vigil image --report` adds to a line."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.errors import CliError

if TYPE_CHECKING:
    from vigil.v1.images_pb2 import ImageFindings
    from vigil.v1.notes_pb2 import NoteCoded
    from vigil.v1.risk_pb2 import ReportComparison

DEADLINE_S = 60.0
Row = dict[str, Any]


def coded_report(path: Path) -> "NoteCoded":
    """The report as the running nlp-coder reads it. Raises CliError when it cannot be read, or nobody answers."""
    import grpc
    from vigil.v1.nlp_coder_service_pb2 import CodeNoteRequest
    from vigil.v1.nlp_coder_service_pb2_grpc import NlpCoderServiceStub

    from services.nlp_coder.config import NlpCoderSettings

    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise CliError(f"Cannot read {path}: {error.strerror}.") from error
    target = f"127.0.0.1:{NlpCoderSettings().grpc_port}"
    with grpc.insecure_channel(target) as channel:
        request = CodeNoteRequest(id=path.name, text=text, kind="radiology")
        try:
            note: NoteCoded = NlpCoderServiceStub(channel).CodeNote(request, timeout=DEADLINE_S).note
        except grpc.RpcError as error:
            raise CliError(
                f"nlp-coder, which reads the report, does not answer ({error.code().name.lower()}); see vigil status."
            ) from None
    if note.abstained:
        raise CliError(f"{path}: the report was not read: {note.abstained}.")
    return note


def compared(note: "NoteCoded", image: "ImageFindings") -> Row:
    """What the report says of each label beside what the model says of this image, or why they cannot be compared."""
    from services.fusion.comparison import of_one_study

    rows = [_row(one, note.text) for one in of_one_study(note, image)]
    return {"comparison": rows, "comparison_reason": "" if rows else _why_none(image)}


def _why_none(image: "ImageFindings") -> str:
    if not image.findings:
        return "no model read the image"
    return "the report names no finding of such an image, or is of images made in another way"


def _row(one: "ReportComparison", text: str) -> Row:
    spans = [[span.start, span.end] for span in one.spans]
    return {
        "label": one.label,
        "verdict": one.verdict,
        "reason": one.reason,
        "report": {
            "status": one.report_status,
            "spans": spans,
            "text": _words(text, spans),
            "regions": list(one.report_regions),
        },
        "image": {
            "label": one.image_label or None,
            "verdict": one.image_verdict or None,
            "probability": one.probability if one.HasField("probability") else None,
            "regions": list(one.image_regions),
        },
    }


def _words(text: str, spans: Sequence[Sequence[int]]) -> list[str]:
    return [text[start:end] for start, end in spans]
