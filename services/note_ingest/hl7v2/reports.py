"""Reports in words among results: which lines stand, and which version of the report they are."""

from dataclasses import replace
from datetime import datetime

from services.note_ingest.drafts import Draft, Identity, Note, Subject, version_at
from services.note_ingest.hl7v2.context import Reading
from services.note_ingest.hl7v2.er7 import Segment
from services.note_ingest.hl7v2.groups import NO_RESULT, Found, Group
from services.note_ingest.hl7v2.kinds import kind_of
from services.note_ingest.hl7v2.mdm import language_of
from services.note_ingest.hl7v2.subject import assigned_codes
from services.note_ingest.hl7v2.texts import joined
from services.note_ingest.refusals import MISSING

TAKEN_BACK = {"D", "W", "X"}  # OBX-11, HL7 table 0085, of a line of text
PRELIMINARY, CORRECTION, CANCELLED = {"P", "R", "S", "M"}, {"C", "M"}, "X"  # OBR-25, HL7 table 0123


def read_report(read: Reading, subject: Subject, group: Group, found: Found) -> None:
    """One version of the report: the lines of text that stand. None left means that the report was taken back."""
    statuses = {obx.text(11).upper() for obx in group.texts}
    is_cancelled = group.status == CANCELLED
    standing = [obx for obx in group.texts if obx.text(11).upper() not in TAKEN_BACK | NO_RESULT and not is_cancelled]
    texts = [obx for obx in standing if obx.raw(5)]
    is_taken_back = is_cancelled or bool(statuses & TAKEN_BACK)
    if not texts and is_taken_back:
        _take_back(read, subject, group, found)
        return
    if not texts:
        found.waiting += len(group.texts)
        return
    text, unread = joined(texts)
    found.unread += [(obx, 5, refused.fault, refused.reason.split(": ", 1)[-1]) for obx, refused in unread]
    if not text.strip():
        found.waiting += not unread
        return
    note = _report(read, subject, group.obr, text)
    is_changed = is_taken_back or bool(CORRECTION & {group.status, *statuses})
    is_preliminary = group.status in PRELIMINARY or (not group.status and statuses <= PRELIMINARY)
    version = version_at(_changed(read, group)) if is_changed else 0
    found.notes.append(replace(note, version=version, preliminary=is_preliminary))


def _take_back(read: Reading, subject: Subject, group: Group, found: Found) -> None:
    note = _report(read, subject, group.obr, "")
    if not note.document_id:
        reason = "a report without a number (OBR-3, OBR-2) cannot be taken back"
        found.unread.append((group.texts[0], 11, MISSING, reason))
        return
    found.notes.append(replace(note, version=version_at(_changed(read, group)), withdrawn=True))


def _changed(read: Reading, group: Group) -> datetime:
    """When the report was given this status: OBR-22, else the newest of MSH-7 and the times of its lines (OBX-14)."""
    if group.obr is not None and group.obr.text(22):
        return read.event_time((group.obr, 22))
    return max(read.event_time(), *(read.event_time((obx, 14)) for obx in group.texts))


def _report(read: Reading, subject: Subject, obr: Segment | None, text: str) -> Note:
    section = obr.text(24) if obr is not None else ""
    name, code = (obr.text(4, 2), obr.text(4)) if obr is not None else ("", "")
    accession = (obr.text(18) or obr.text(3)) if obr is not None else ""
    return Note(
        subject=subject,
        event_time=read.event_time((obr, 7), (obr, 22)),
        text=text,
        kind=kind_of(code, name, section=section),
        document_id=(obr.text(3) or obr.text(2)) if obr is not None else "",
        type_code=code,
        language=language_of(read.message),
        accession=Identity("", accession) if accession else None,
        assigned_codes=assigned_codes(read.message) if text else (),
    )


def documents(notes: list[Note]) -> list[Draft]:
    """One note a document: groups of one number are its parts, in order. A part still preliminary makes it that."""
    documents: dict[tuple[str, int], Note] = {}
    for index, note in enumerate(notes):
        key = (note.document_id, 0 if note.document_id else index)
        begun = documents.get(key)
        documents[key] = note if begun is None else _with_part(begun, note)
    return [*documents.values()]


def _with_part(begun: Note, part: Note) -> Note:
    return replace(
        begun,
        text="\n\n".join(text for text in (begun.text, part.text) if text),
        version=max(begun.version, part.version),
        preliminary=begun.preliminary or part.preliminary,
        withdrawn=begun.withdrawn and part.withdrawn,
    )
