"""ORU and OUL: measured values, and reports in words."""

import math
import re

from services.note_ingest.drafts import (
    LONGEST_WORDS,
    Code,
    Draft,
    Measurement,
    Measurements,
    MeasurementStatus,
)
from services.note_ingest.hl7v2.context import Reading
from services.note_ingest.hl7v2.er7 import Segment
from services.note_ingest.hl7v2.groups import NO_RESULT, Found, groups
from services.note_ingest.hl7v2.reports import documents, read_report
from services.note_ingest.hl7v2.subject import about_patient, subject_of
from services.note_ingest.hl7v2.texts import not_read
from services.note_ingest.refusals import BAD_CODE, BAD_VALUE, MISSING, Refused

FINAL, CORRECTED, WITHDRAWN = MeasurementStatus.FINAL, MeasurementStatus.CORRECTED, MeasurementStatus.WITHDRAWN
# OBX-11, HL7 table 0085.
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
CODED_TYPES = {"CE", "CWE", "CNE", "IS", "CF"}


def read_results(read: Reading) -> tuple[tuple[Draft, ...], str]:
    """Values and reports of the message, and a remark about what was not read.

    Raises Refused without a patient or any OBX, and when nothing in it could be read.
    """
    subject = subject_of(read.message)
    found = Found()
    for group in groups(read):
        for obx in group.values:
            _read_value(read, group.obr, obx, found)
        if group.texts:
            read_report(read, subject, group, found)
    drafts: list[Draft] = documents(found.notes)
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
    return not_read([(segment, number) for segment, number, _, _ in found.unread])


def _read_value(read: Reading, obr: Segment | None, obx: Segment, found: Found) -> None:
    status = STATUSES.get(obx.text(11).upper())
    if status is None and obx.text(11).upper() not in NO_RESULT:
        found.unread.append((obx, 11, BAD_CODE, "the status is none of HL7 table 0085"))
        return
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
