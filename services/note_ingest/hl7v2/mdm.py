"""MDM: clinical documents.

Odd triggers (T01, T03, T05, T07, T09) announce a document and by definition carry no text: they are acknowledged, and
nothing is made of them. Even ones (T02 ... T10) carry it. T11 takes a document back.
"""

from services.note_ingest.drafts import Identity, Note, version_at
from services.note_ingest.hl7v2.context import Reading
from services.note_ingest.hl7v2.er7 import Message, Segment
from services.note_ingest.hl7v2.kinds import kind_of
from services.note_ingest.hl7v2.subject import assigned_codes, subject_of
from services.note_ingest.hl7v2.texts import joined, not_read
from services.note_ingest.refusals import MISSING, Refused

ANNOUNCEMENTS = {"T01", "T03", "T05", "T07", "T09"}
WITH_TEXT = {"T02", "T04", "T06", "T08", "T10"}
WITHDRAWAL = "T11"
REPLACEMENT = "T10"
CHANGES = {"T04", "T08"}  # status change, edit: the same document number with newer content
NOT_TEXT = {"HD", "RP", "DT", "TM", "TS", "DTM"}  # beside the document, e.g. the UID of the study it is about


def read_mdm(read: Reading) -> tuple[tuple[Note, ...], str]:
    """The document's text, or nothing for an announcement; and a remark about what was not read.

    Raises Refused without a patient, a TXA, or text that can be read; when one is taken back, without its number.
    """
    if read.trigger in ANNOUNCEMENTS:
        return (), "an announcement without text; nothing to read"
    message = read.message
    txa = read.required("TXA")
    if read.trigger == WITHDRAWAL:
        return (_withdrawal(read, txa),), ""
    parts = [obx for obx in message.all("OBX") if obx.text(2) not in NOT_TEXT]
    if not parts:
        raise Refused(MISSING, "OBX-5 is missing: the document has no text", "OBX^1^5")
    text, unread = joined(parts)
    if not text.strip() and unread:
        raise unread[0][1]
    if not text.strip():
        raise Refused(MISSING, "OBX-5 is empty: the document has no text", parts[0].at(5))
    changed = read.event_time((txa, 8), (txa, 7), (message.first("EVN"), 2))
    report = message.first("OBR")
    note = Note(
        subject=subject_of(message),
        event_time=read.event_time((txa, 6), (txa, 4), (txa, 7), (report, 7), (message.first("EVN"), 2)),
        text=text,
        kind=kind_of(txa.text(2), txa.text(2, 2), txa.text(16), report.text(24) if report else ""),
        document_id=_number(txa, 12),
        version=version_at(changed) if _is_new_version(read.trigger, txa) else 0,
        type_code=txa.text(2),
        language=language_of(message),
        accession=accession_of(message, txa),
        assigned_codes=assigned_codes(message),
        replaces=_number(txa, 13) if read.trigger == REPLACEMENT else "",
    )
    return (note,), not_read([(obx, 5) for obx, _ in unread])


def _withdrawal(read: Reading, txa: Segment) -> Note:
    number, event = _number(txa, 12), read.message.first("EVN")
    if not number:
        raise Refused(MISSING, "TXA-12 is empty: it names no document to take back", txa.at(12))
    return Note(
        subject=subject_of(read.message),
        event_time=read.event_time((txa, 6), (txa, 4), (txa, 7), (event, 2)),
        text="",
        kind=kind_of(txa.text(2), txa.text(2, 2), txa.text(16)),
        document_id=number,
        version=version_at(max(read.event_time((event, 2)), read.event_time())),  # EVN-2 may be a whole minute
        type_code=txa.text(2),
        withdrawn=True,
    )


def language_of(message: Message) -> str:
    """MSH-19, principal language, as BCP 47; empty when not stated."""
    stated = message.header.text(19)
    return stated.replace("_", "-").lower() if stated.replace("-", "").replace("_", "").isalpha() else ""


def accession_of(message: Message, txa: Segment | None) -> Identity | None:
    """The accession number of the study that a report is about: OBR-18, else IPC-1, else the filler order number."""
    ipc, obr = message.first("IPC"), message.first("OBR")
    candidates = [(obr, 18), (ipc, 1), (obr, 3), (txa, 15)]
    return next(
        (found for segment, field in candidates if segment is not None and (found := _entity(segment, field))), None
    )


def _number(txa: Segment, field: int) -> str:
    """Number of a document (EI): entity identifier, else universal id."""
    return txa.text(field) or txa.text(field, 3)


def _entity(segment: Segment, field: int) -> Identity | None:
    number = segment.text(field)
    return Identity("", number) if number else None


def _is_new_version(trigger: str, txa: Segment) -> bool:
    """An edit, or an addendum or replacement that reuses the document's number instead of having its own."""
    reuses = bool(_number(txa, 12)) and _number(txa, 12) == _number(txa, 13)
    return trigger in CHANGES or (trigger in {"T06", REPLACEMENT} and reuses)
