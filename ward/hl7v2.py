"""HL7 v2.5.1 messages as an interface engine sends them: ADT, ORU and MDM, in bytes without MLLP marks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ward.course import Place
from ward.people import AUTHORITY, Patient
from ward.vocabulary import LABS, NOTE_TYPES, VITALS, Measure

ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\"}
LINE_BREAK = "\\.br\\"


@dataclass(frozen=True, slots=True)
class Header:
    """What MSH says: sending application, message type, control id and time (UTC)."""

    application: str
    message: str
    control_id: str
    at: datetime


def admission(header: Header, patient: Patient, trigger: str, place: Place, admitted: datetime) -> bytes:
    """ADT of `trigger` ("A01", "A02", "A03"); a discharge carries its time in PV1-45."""
    discharged = when(header.at) if trigger == "A03" else ""
    return _message(
        _msh(header),
        f"EVN|{trigger}|{when(header.at)}",
        _pid(patient),
        f"{_pv1(patient, place)}{'|' * 25}{when(admitted)}|{discharged}",
    )


def vitals(header: Header, patient: Patient, place: Place, values: Mapping[str, float]) -> bytes:
    """ORU^R01 with one result group of vital signs; values by observation name."""
    return _results(header, patient, place, group="85353-1^Vital signs panel^LN", values=values, measures=VITALS)


def labs(header: Header, patient: Patient, place: Place, values: Mapping[str, float]) -> bytes:
    """ORU^R01 with one result group of the laboratory."""
    return _results(header, patient, place, group="24323-8^Laboratory panel^LN", values=values, measures=LABS)


def note(header: Header, patient: Patient, place: Place, *, kind: str, document: str, text: str) -> bytes:
    """MDM^T02 with a document; a line of the text an OBX, as transcription systems send."""
    code, title = NOTE_TYPES[kind]
    lines = [f"OBX|{n}|TX|{code}^{title}^LN||{escape(line)}||||||F" for n, line in enumerate(text.split("\n"), 1)]
    return _message(
        _msh(header),
        f"EVN|T02|{when(header.at)}",
        _pid(patient),
        _pv1(patient, place),
        f"TXA|1|{code}^{title}^LN|TX|{when(header.at)}||{when(header.at)}||||||{document}|||||AU",
        *lines,
    )


def report(
    header: Header,
    patient: Patient,
    place: Place,
    *,
    service: tuple[str, str],
    document: str,
    accession: str,
    text: str,
) -> bytes:
    """ORU^R01 with a radiology report as one formatted text; OBR-3 is the document, OBR-18 the accession number."""
    code, title = service
    body = LINE_BREAK.join(escape(line) for line in text.split("\n"))
    return _message(
        _msh(header),
        _pid(patient),
        _pv1(patient, place),
        f"OBR|1||{document}^RIS|{code}^{title}^LN|||{when(header.at)}{'|' * 11}{accession}||||{when(header.at)}||RAD|F",
        f"OBX|1|FT|{code}^{title}^LN||{body}||||||F|||{when(header.at)}",
    )


def when(moment: datetime) -> str:
    """HL7 time stamp with zone, to the second."""
    return f"{moment:%Y%m%d%H%M%S}+0000"


def escape(text: str) -> str:
    """Text with HL7's delimiters escaped."""
    return "".join(ESCAPES.get(character, character) for character in text)


def _results(
    header: Header,
    patient: Patient,
    place: Place,
    *,
    group: str,
    values: Mapping[str, float],
    measures: Mapping[str, Measure],
) -> bytes:
    lines = [
        _value(number, name, value, measures[name], header.at) for number, (name, value) in enumerate(values.items(), 1)
    ]
    return _message(
        _msh(header),
        _pid(patient),
        _pv1(patient, place),
        f"OBR|1||{header.control_id}^{header.application}|{group}|||{when(header.at)}{'|' * 15}{when(header.at)}|||F",
        *lines,
    )


def _value(number: int, name: str, value: float, measure: Measure, at: datetime) -> str:
    code = f"{measure.loinc}^{measure.title}^LN" if measure.loinc else f"{name}^{measure.title}^L"
    return f"OBX|{number}|NM|{code}||{value:.{measure.decimals}f}|{measure.unit}|||||F|||{when(at)}"


def _msh(header: Header) -> str:
    return (
        rf"MSH|^~\&|{header.application}|SYNHOSP|VIGIL|VIGIL|{when(header.at)}||{header.message}"
        f"|{header.control_id}|T|2.5.1|||AL|NE||UNICODE UTF-8"
    )


def _pid(patient: Patient) -> str:
    return (
        f"PID|1||{patient.mrn}^^^{AUTHORITY}^MR||{patient.family}^{patient.given}||{patient.born:%Y%m%d}"
        f"|{patient.course.sex}"
    )


def _pv1(patient: Patient, place: Place) -> str:
    return f"PV1|1|I|{place.ward}^{place.room}^{place.bed}^SYNHOSP{'|' * 16}{patient.visit}^^^{AUTHORITY}^VN"


def _message(*segments: str) -> bytes:
    return ("\r".join(segments) + "\r").encode()
