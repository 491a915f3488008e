"""What corrects a document, takes it back or replaces it: ORU by OBX-11 and OBR-25, MDM by its trigger."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.note_ingest.hl7v2.messages import Hl7Settings, parse_hl7
from services.note_ingest.intake import Intake, take_in
from services.note_ingest.refusals import Refused
from tests.note_ingest.hl7_samples import PID, document, message, msh, obx

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def drafts(body: bytes, site: Hl7Settings) -> tuple[Any, ...]:
    return parse_hl7(body, NOW, site).drafts


def refusal(body: bytes, site: Hl7Settings) -> Refused:
    with pytest.raises(Refused) as refused:
        parse_hl7(body, NOW, site)
    return refused.value


def report(*texts: tuple[str, str], order: str = "F", at: str = "20261123115500", changed: str = "") -> bytes:
    """A report, and the status (OBX-11) of each of its lines. order: OBR-25. changed: OBR-22."""
    obr = f"OBR|1||RAD-5|X^X^L|||20261123100000|||||||||||||||{changed}||RAD|{order}"
    return message(
        msh(at=at), PID, obr, *(f"OBX|{n}|TX|||{text}||||||{status}" for n, (text, status) in enumerate(texts))
    )


FIRST = report(("Pneumothorax.", "F"))
NOT_ANY_MORE = [
    report(("No pneumothorax.", "C"), at="20261123120000"),
    report(("No pneumothorax.", "C"), changed="20261123120000"),
    report(("No pneumothorax.", "F"), order="C", at="20261123120000"),
    report(("Pneumothorax.", "W"), ("No pneumothorax.", "F"), at="20261123120000"),
    report(("Pneumothorax.", "D"), at="20261123120000"),
    report(("", "D"), at="20261123120000"),
    report(("Pneumothorax.", "W"), at="20261123120000"),
    report(("Pneumothorax.", "X"), at="20261123120000"),
    report(("Pneumothorax.", "F"), order="X", at="20261123120000"),
]


@pytest.mark.parametrize("later", NOT_ANY_MORE)
def test_a_report_is_corrected_or_taken_back_by_its_lines_in_any_order(
    hl7: Hl7Settings, intake: Intake, later: bytes
) -> None:
    [first], [second] = (take_in(parse_hl7(body, NOW, hl7), intake) for body in (FIRST, later))
    before: Any = first.message
    after: Any = second.message
    assert after.document_id == before.document_id
    assert after.meta.revision > before.meta.revision == 0
    assert after.meta.message_id != before.meta.message_id
    assert after.text in {"No pneumothorax.", ""}


def test_of_two_corrections_the_later_one_has_the_higher_revision(hl7: Hl7Settings) -> None:
    [first], [second], [taken_back] = (
        drafts(report(("x", status), at=at), hl7)
        for status, at in (("C", "20261123100000"), ("C", "20261123110000"), ("D", "20261123113000"))
    )
    assert first.version < second.version < taken_back.version
    assert (second.withdrawn, taken_back.withdrawn, taken_back.text) == (False, True, "")


def test_other_words_under_the_same_number_are_no_repeat(hl7: Hl7Settings, intake: Intake) -> None:
    bodies = (FIRST, report(("No pneumothorax.", "F")), FIRST)
    ids = [take_in(parse_hl7(body, NOW, hl7), intake)[0].message.meta.message_id for body in bodies]  # type: ignore[attr-defined]
    assert ids[0] == ids[2] != ids[1]


@pytest.mark.parametrize(("order", "status", "preliminary"), [("P", "F", True), ("", "P", True), ("F", "P", False)])
def test_a_report_is_preliminary_by_its_order_or_else_its_lines(
    hl7: Hl7Settings, order: str, status: str, preliminary: bool
) -> None:
    [note] = drafts(report(("Clear.", status), order=order), hl7)
    assert (note.preliminary, note.version) == (preliminary, 0)


def test_a_report_without_a_number_cannot_be_taken_back(hl7: Hl7Settings) -> None:
    refused = refusal(report(("Pneumothorax.", "D")).replace(b"RAD-5", b""), hl7)
    assert (refused.location, refused.reason) == (
        "OBX^1^11",
        "OBX-11: a report without a number (OBR-3, OBR-2) cannot be taken back",
    )


def test_a_status_that_is_none_is_told(hl7: Hl7Settings) -> None:
    assert refusal(message(msh(), PID, obx(1, "8867-4^^LN", "80", status="Q")), hl7).location == "OBX^1^11"


def test_a_document_is_taken_back_by_a_version_without_text(hl7: Hl7Settings, intake: Intake) -> None:
    [edited] = drafts(document(trigger="T08", edited="20261123113000"), hl7)
    [note] = drafts(document(trigger="T11"), hl7)
    assert (note.document_id, note.withdrawn, note.text) == ("DOC-1", True, "")
    assert note.version > edited.version
    [publish] = take_in(parse_hl7(document("", trigger="T11"), NOW, hl7), intake)
    assert (publish.message.text, publish.message.meta.revision) == ("", note.version)  # type: ignore[attr-defined]
    assert refusal(document(document_id="", trigger="T11"), hl7).location == "TXA^1^12"


@pytest.mark.parametrize(("trigger", "replaces"), [("T10", "DOC-0"), ("T06", ""), ("T02", "")])
def test_only_a_replacement_replaces_its_parent(hl7: Hl7Settings, intake: Intake, trigger: str, replaces: str) -> None:
    [publish] = take_in(parse_hl7(document(trigger=trigger, parent="DOC-0"), NOW, hl7), intake)
    assert publish.message.replaces_document_id == replaces  # type: ignore[attr-defined]
