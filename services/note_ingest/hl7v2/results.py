"""ORU and OUL: measured values, and reports in words."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.note_ingest.drafts import (
    LONGEST_WORDS,
    Code,
    Draft,
    Identity,
    Measurement,
    Measurements,
    MeasurementStatus,
    Note,
    Subject,
)
from services.note_ingest.hl7v2.context import Reading
from services.note_ingest.hl7v2.er7 import Segment
from services.note_ingest.hl7v2.kinds import kind_of
from services.note_ingest.hl7v2.mdm import language_of
from services.note_ingest.hl7v2.subject import about_patient, assigned_codes, subject_of
from services.note_ingest.hl7v2.texts import joined
from services.note_ingest.refusals import BAD_VALUE, MISSING, NOT_READ, Fault, Refused

FINAL, CORRECTED, WITHDRAWN = MeasurementStatus.FINAL, MeasurementStatus.CORRECTED, MeasurementStatus.WITHDRAWN
# OBX-11, HL7 table 0085. What is absent here carries no result (yet): I, N, O, X.
STATUSES = {
    "": FINAL,
    "F": FINAL,
    "P": FINAL,
    "R": FINAL,
    "S": FINAL,
    "U": FINAL,
    "V": FINAL,
    "B": FINAL,
    "A": FINAL,
    "C": CORRECTED,
    "D": WITHDRAWN,
    "W": WITHDRAWN,
}
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
BOUND = re.compile(r"(<=|>=|<|>)\s*(.+)")
REPORT_TYPES = {"TX", "FT"}
CODED_TYPES = {"CE", "CWE", "CNE", "IS", "CF"}
DOCUMENT_TYPES = {"ED"}
PRELIMINARY, CORRECTION = {"P", "R", "S"}, {"C"}  # OBR-25, HL7 table 0123


@dataclass(slots=True)
class Group:
    """One OBR with the OBX that follow it."""

    obr: Segment | None
    values: list[Segment] = field(default_factory=list)
    texts: list[Segment] = field(default_factory=list)


@dataclass(slots=True)
class Found:
    """What came of the OBX segments."""

    measurements: list[Measurement] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    unread: list[tuple[Segment, int, Fault, str]] = field(default_factory=list)
    waiting: int = 0


def read_results(read: Reading) -> tuple[tuple[Draft, ...], str]:
    """Values and reports of the message, and a remark about what was not read.

    Raises Refused without a patient or any OBX, and when nothing in it could be read.
    """
    subject = subject_of(read.message)
    found = Found()
    for group in _groups(read):
        for obx in group.values:
            _read_value(read, group.obr, obx, found)
        if group.texts:
            _read_report(read, subject, group, found)
    drafts: list[Draft] = _documents(found.notes)
    if found.measurements:
        latest = max(measurement.event_time for measurement in found.measurements)
        drafts.insert(0, Measurements(subject, latest, tuple(found.measurements), about_patient(read.message)))
    if not drafts and found.unread:
        segment, number, fault, reason = found.unread[0]
        raise Refused(fault, f"{segment.label(number)}: {reason}", segment.at(number))
    if not drafts and not found.waiting:
        raise Refused(MISSING, "OBX is missing: the message carries no result", "OBX^1")
    return tuple(drafts), _remark(found, drafts)


def _remark(found: Found, drafts: list[Draft]) -> str:
    if not drafts:
        return "no result yet"
    if not found.unread:
        return ""
    places = ", ".join(segment.label(number) for segment, number, _, _ in found.unread[:5])
    return f"{len(found.unread)} OBX not read: {places}"


def _groups(read: Reading) -> Iterator[Group]:
    group = Group(None)
    for segment in read.message.segments:
        if segment.name == "OBR":
            yield group
            group = Group(segment)
        elif segment.name == "OBX":
            is_report = segment.text(2) in REPORT_TYPES | DOCUMENT_TYPES
            (group.texts if is_report else group.values).append(segment)
    yield group


def _read_value(read: Reading, obr: Segment | None, obx: Segment, found: Found) -> None:
    status = STATUSES.get(obx.text(11).upper())
    if status is None or (not obx.raw(5) and status is not WITHDRAWN):
        found.waiting += 1
        return
    values = obx.repetitions(5) or [""]
    if status is WITHDRAWN:
        values = [""]
    moment = read.event_time((obx, 14), (obr, 7), (obr, 22))
    for index, repetition in enumerate(values):
        read_as = (None, "", "") if status is WITHDRAWN else _bounded(_value(obx, repetition))
        if isinstance(read_as, str):
            found.unread.append((obx, 2 if read_as.startswith("type") else 5, BAD_VALUE, read_as))
            continue
        number, text, comparator = read_as
        found.measurements.append(
            Measurement(
                codes=_codes(obx),
                event_time=moment,
                value=number,
                text=text,
                unit=_unit(obx),
                comparator=comparator,
                status=status,
                instance_id=obx.text(21),
                sub_id=obx.text(4) if index == 0 else f"{obx.text(4)}/{index + 1}",
            )
        )


def _value(obx: Segment, repetition: str) -> tuple[float | None, str, str] | str:
    """Number, word and comparator of one repetition of OBX-5; or a sentence why it cannot be read."""
    kind = obx.text(2)
    if kind == "SN":
        return _structured(obx, repetition)
    if kind in CODED_TYPES:
        word = obx.part(repetition, 2) or obx.part(repetition, 1) or obx.part(repetition, 9)
        return _number_or_word(word)
    if kind in {"NM", "ST", ""}:
        text = obx.unescaped(repetition).strip()
        read_as = _number_or_word(text)
        if kind == "NM" and read_as[0] is None:
            return "the value is no number"
        return read_as
    return "type is not NM, SN, ST, CE, CWE, TX, FT or ED"


def _bounded(read_as: tuple[float | None, str, str] | str) -> tuple[float | None, str, str] | str:
    if isinstance(read_as, tuple) and len(read_as[1]) > LONGEST_WORDS:
        return "the value is longer than a result in words may be"
    return read_as


def _number_or_word(text: str) -> tuple[float | None, str, str]:
    bound = BOUND.fullmatch(text)
    comparator, digits = (bound[1], bound[2].strip()) if bound else ("", text)
    if NUMBER.fullmatch(digits) and math.isfinite(float(digits)):
        return float(digits), "", comparator
    return None, text, ""


def _structured(obx: Segment, repetition: str) -> tuple[float | None, str, str] | str:
    """SN: comparator ^ number ^ separator ^ number."""
    comparator, first, separator, second = (obx.part(repetition, component) for component in (1, 2, 3, 4))
    if separator or second or comparator == "<>":
        return None, f"{comparator}{first}{separator}{second}", ""
    read_as = _number_or_word(first)
    if read_as[0] is None:
        return "the value is no number"
    return read_as[0], "", comparator if comparator in {"<", "<=", ">", ">="} else ""


def _codes(obx: Segment) -> tuple[Code, ...]:
    codes = (Code(obx.text(3, code), obx.text(3, system)) for code, system in ((1, 3), (4, 6)))
    return tuple(code for code in codes if code.code) or (Code(obx.text(3, 2), ""),)  # at worst only a name


def _unit(obx: Segment) -> str:
    return obx.text(6, 2) if obx.text(6, 3) == "MDC" else obx.text(6)


def _read_report(read: Reading, subject: Subject, group: Group, found: Found) -> None:
    texts = [obx for obx in group.texts if obx.raw(5)]
    if not texts:
        found.waiting += len(group.texts)
        return
    try:
        text = joined(texts)
    except Refused as refused:
        found.unread.append((texts[0], 5, NOT_READ, refused.reason.split(": ", 1)[-1]))
        return
    if not text.strip():
        found.waiting += 1
        return
    found.notes.append(_report(read, subject, group.obr, text))


def _report(read: Reading, subject: Subject, obr: Segment | None, text: str) -> Note:
    changed = read.event_time((obr, 22), (obr, 7))
    status = obr.text(25).upper() if obr is not None else ""
    section = obr.text(24) if obr is not None else ""
    name, code = (obr.text(4, 2), obr.text(4)) if obr is not None else ("", "")
    accession = (obr.text(18) or obr.text(3)) if obr is not None else ""
    return Note(
        subject=subject,
        event_time=_written(read, obr, changed),
        text=text,
        kind=kind_of(code, name, section=section),
        document_id=(obr.text(3) or obr.text(2)) if obr is not None else "",
        version=int(changed.timestamp()) if status in CORRECTION else 0,
        preliminary=status in PRELIMINARY,
        type_code=code,
        language=language_of(read.message),
        accession=Identity("", accession) if accession else None,
        assigned_codes=assigned_codes(read.message),
    )


def _documents(notes: list[Note]) -> list[Draft]:
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
        text=f"{begun.text}\n\n{part.text}",
        version=max(begun.version, part.version),
        preliminary=begun.preliminary or part.preliminary,
    )


def _written(read: Reading, obr: Segment | None, changed: datetime) -> datetime:
    return read.event_time((obr, 7)) if obr is not None and obr.text(7) else changed
