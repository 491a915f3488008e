"""FHIR documents that take back, correct or replace."""

from typing import Any

import pytest
from vigil.v1.notes_pb2 import NoteReceived

from services.note_ingest.drafts import Note
from services.note_ingest.fhir.requests import read_bundle, read_single
from services.note_ingest.intake import Intake, take_in
from services.note_ingest.refusals import Refused
from tests.note_ingest.fhir_samples import COMPOSITION, FUTURE, NOW, REPORT, attachment, bundle, document


def single(resource: dict[str, Any]) -> Any:
    [draft] = read_single(resource, NOW, FUTURE).parsed().drafts
    return draft


@pytest.mark.parametrize(
    ("valid", "taken_back"),
    [
        (REPORT, {"status": "entered-in-error"}),
        (REPORT, {"status": "cancelled"}),
        (COMPOSITION, {"status": "entered-in-error"}),
        (document(), {"status": "entered-in-error"}),
        (document(), {"status": "superseded"}),
        (document(), {"docStatus": "entered-in-error"}),
    ],
)
def test_a_document_entered_in_error_or_superseded_is_taken_back(
    valid: dict[str, Any], taken_back: dict[str, Any], intake: Intake
) -> None:
    before, after = (
        take_in(read_single(resource, NOW, FUTURE).parsed(), intake)[0].message
        for resource in (valid, valid | taken_back)
    )
    assert isinstance(before, NoteReceived)
    assert isinstance(after, NoteReceived)
    assert (after.document_id, after.text) == (before.document_id, "")
    assert after.meta.revision > before.meta.revision


def test_the_conclusion_of_a_report_is_read_where_its_form_is_no_plain_text() -> None:
    pdf, plain = attachment("%PDF", "application/pdf"), attachment("Clear lungs.")
    for forms, text in (([pdf], "Clear."), ([pdf, plain], "Clear lungs."), ([], "Clear.")):
        assert single(REPORT | {"presentedForm": forms, "conclusion": "Clear."}).text == text
    with pytest.raises(Refused, match="Only text/plain is read"):
        single(REPORT | {"presentedForm": [pdf]})


@pytest.mark.parametrize("status", ["amended", "corrected"])
def test_a_correction_before_1970_is_still_a_newer_version(status: str, intake: Intake) -> None:
    parsed = read_single(REPORT | {"status": status, "issued": "1960-01-01T00:00:00Z"}, NOW, FUTURE).parsed()
    assert take_in(parsed, intake)[0].message.meta.revision == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "target", "replaced"),
    [
        ("replaces", {"identifier": {"value": "DOC-0"}}, "DOC-0"),
        ("replaces", {"reference": "DocumentReference/our-message-id/_history/1"}, "our-message-id"),
        ("replaces", {"reference": "urn:uuid:0"}, "DOC-1"),
        ("appends", {"identifier": {"value": "DOC-0"}}, ""),
        ("replaces", {"display": "the old one"}, ""),
    ],
)
def test_only_what_a_document_replaces_is_named(code: str, target: dict[str, Any], replaced: str) -> None:
    newer = document(identifier=[{"value": "DOC-2"}], relatesTo=[{"code": code, "target": target}])
    *_, note = read_bundle(bundle(document(), newer), NOW, FUTURE).parsed().drafts
    assert isinstance(note, Note)
    assert note.replaces == replaced
    by_composition = COMPOSITION | {"relatesTo": [{"code": code, "targetIdentifier": {"value": "DOC-0"}}]}
    assert single(by_composition).replaces == ("DOC-0" if code == "replaces" else "")
