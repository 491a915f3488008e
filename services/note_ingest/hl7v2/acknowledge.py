"""Acknowledgements (HL7 v2 chapter 2.9, original mode): MSH, MSA and, with a reason, ERR."""

from dataclasses import dataclass
from datetime import datetime

from services.common.identity import message_id
from services.note_ingest.hl7v2.er7 import BOM, LINE, STANDARD_DELIMITERS, Delimiters, read_delimiters
from services.note_ingest.refusals import Fault, Refused

BUSY = Fault("207", "Application error", "transient", 503)


@dataclass(frozen=True, slots=True)
class Header:
    """What an answer repeats of the message it answers; empty where the message is beyond reading."""

    delimiters: Delimiters = STANDARD_DELIMITERS
    application: str = ""
    facility: str = ""
    to_application: str = ""
    to_facility: str = ""
    trigger: str = ""
    control_id: str = ""
    processing: str = "P"
    version: str = "2.5.1"


def read_header(body: bytes) -> Header:
    """The header of any bytes, as far as it can be read; never raises."""
    line = LINE.split(body[:4096].removeprefix(BOM).lstrip().decode("latin-1"), maxsplit=1)[0]
    if not line.startswith("MSH") or len(line) < 8:  # noqa: PLR2004 - MSH, MSH-1 and MSH-2
        return Header()
    try:
        delimiters = read_delimiters(line)
    except Refused:
        return Header()
    fields = ["", *line.split(delimiters.field), *[""] * 12]
    message_type = fields[9].split(delimiters.component)
    return Header(
        delimiters=delimiters,
        application=fields[3],
        facility=fields[4],
        to_application=fields[5],
        to_facility=fields[6],
        trigger=message_type[1] if len(message_type) > 1 else "",
        control_id=fields[10].strip(),
        processing=fields[11].strip() or "P",
        version=fields[12].strip() or "2.5.1",
    )


def accepted(header: Header, at: datetime, remark: str = "") -> bytes:
    """AA: the message is durable."""
    return _answer(header, at, "AA", remark)


def refused(header: Header, at: datetime, refusal: Refused) -> bytes:
    """AR for what this receiver does not take, AE for what it could not process."""
    code = "AR" if refusal.fault.rejected else "AE"
    return _answer(header, at, code, refusal.reason, fault=refusal.fault, location=refusal.location)


def busy(header: Header, at: datetime, reason: str) -> bytes:
    """AE: nothing is wrong with the message; send it again."""
    return _answer(header, at, "AE", f"{reason}; send the message again", fault=BUSY)


def _answer(
    header: Header, at: datetime, code: str, text: str, *, fault: Fault | None = None, location: str = ""
) -> bytes:
    marks = header.delimiters
    stamp = at.strftime("%Y%m%d%H%M%S+0000")
    event = f"ACK{marks.component}{header.trigger}{marks.component}ACK" if header.trigger else "ACK"
    msh = [
        "MSH",
        marks.encoding_characters,
        header.to_application or "VIGIL",
        header.to_facility,
        header.application,
        header.facility,
        stamp,
        "",
        event,
        message_id("ack", header.control_id, code, stamp)[:20],
        header.processing,
        header.version,
    ]
    segments = [msh, ["MSA", code, header.control_id, _escaped(text, marks)]]
    if fault is not None:
        what = marks.component.join((fault.hl7, fault.hl7_text, "HL70357"))
        where = location.replace("^", marks.component)
        segments.append(["ERR", "", where, what, "E", "", "", "", _escaped(text, marks)])
    return "".join(marks.field.join(segment) + "\r" for segment in segments).encode("latin-1", "replace")


def _escaped(text: str, marks: Delimiters) -> str:
    codes = {marks.escape: "E", marks.field: "F", marks.component: "S", marks.repetition: "R", marks.subcomponent: "T"}
    return "".join(f"{marks.escape}{codes[c]}{marks.escape}" if c in codes else c for c in text)
