"""From the bytes of an HL7 v2 message to drafts: who sent it, what it is, and which reader takes it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from services.note_ingest.drafts import Arrival, Draft, Parsed, Protocol
from services.note_ingest.hl7v2 import adt, mdm
from services.note_ingest.hl7v2.context import Reading, reading
from services.note_ingest.hl7v2.er7 import Message, read
from services.note_ingest.hl7v2.results import read_results
from services.note_ingest.hl7v2.unused import EVENTS, TYPES
from services.note_ingest.refusals import (
    BAD_VALUE,
    MALFORMED,
    MISSING,
    WRONG_EVENT,
    WRONG_PROCESSING,
    WRONG_TYPE,
    WRONG_VERSION,
    Refused,
)

TYPE = re.compile(r"[A-Z]{3}")
TRIGGER = re.compile(r"[A-Z][A-Z0-9]{2}")
TRIGGERS: Mapping[str, frozenset[str]] = {
    "ADT": frozenset(adt.STATUS),
    "MDM": frozenset(mdm.ANNOUNCEMENTS | mdm.WITH_TEXT | {mdm.WITHDRAWAL}),
    "ORU": frozenset({"R01", "R30", "R31", "R32"}),
    "OUL": frozenset({"R22", "R23", "R24"}),
}
LIVE, TEST = {"", "P"}, {"T", "D"}  # MSH-11, HL7 table 0103
BATCH_HEADERS = (b"FHS", b"BHS")
SOURCE_SYSTEM = re.compile(r"[^A-Za-z0-9_. -]")


@dataclass(frozen=True, slots=True)
class Hl7Settings:
    """zone: of times that state none. future: how far ahead of its arrival an event may lie."""

    zone: tzinfo
    future: timedelta


def parse_hl7(body: bytes, arrived: datetime, settings: Hl7Settings) -> Parsed:
    """Understand one message.

    body: without MLLP marks. arrived: when its first byte came, aware. Raises Refused with the place and a sentence.
    """
    if body.lstrip()[:3] in BATCH_HEADERS:
        raise Refused(MALFORMED, "Batches are not taken: send each message in a frame of its own", "FHS^1")
    message = read(body)
    kind, trigger = _message_type(message)
    _check_header(message)
    arrival = Arrival(
        protocol=Protocol.HL7V2,
        source=f"hl7v2:{SOURCE_SYSTEM.sub('', message.header.text(3))[:64]}",
        ingest_time=arrived,
        synthetic=message.header.text(11).upper() in TEST,
    )
    drafts, remark = _drafts(kind, reading(message, trigger, settings.zone, arrived, settings.future))
    return Parsed(arrival, drafts, remark)


def event_label(body: bytes) -> str:
    """Type and trigger ("ORU^R01") for metrics and logs, when this receiver knows them; else "other"."""
    head = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    fields = head.split(b"\r", 1)[0].split(b"\n", 1)[0].split(head[3:4] or b"|")
    name = b"^".join(fields[8].split(head[4:5] or b"^")[:2]).decode("ascii", "replace") if len(fields) > 8 else ""  # noqa: PLR2004
    kind, _, trigger = name.partition("^")
    known = trigger in TRIGGERS.get(kind, ()) or name in EVENTS or kind in TYPES
    return name if known and TRIGGER.fullmatch(trigger or "---") else kind if known else "other"


def _message_type(message: Message) -> tuple[str, str]:
    header, event = message.header, message.first("EVN")
    kind = header.text(9)
    trigger = header.text(9, 2) or (event.text(1) if event is not None else "")
    if not kind:
        raise Refused(MISSING, "MSH-9 is empty: the message has no type", "MSH^1^9")
    if not TYPE.fullmatch(kind):
        raise Refused(WRONG_TYPE, "MSH-9 is no message type", "MSH^1^9^1^1")
    name = f"{kind}^{trigger}" if TRIGGER.fullmatch(trigger) else kind
    if trigger in TRIGGERS.get(kind, ()):
        return kind, trigger
    if name in EVENTS:
        raise Refused(WRONG_EVENT, f"{name} is not used by this receiver: {EVENTS[name]}", "MSH^1^9^1^2")
    if kind in TYPES:
        raise Refused(WRONG_TYPE, f"{name} is not used by this receiver: {TYPES[kind]}", "MSH^1^9^1^1")
    if kind in TRIGGERS:
        raise Refused(WRONG_EVENT, f"{name} is not known: of {kind} others are read", "MSH^1^9^1^2")
    raise Refused(WRONG_TYPE, f"{name} is not known: ADT, MDM, ORU and OUL are read", "MSH^1^9^1^1")


def _check_header(message: Message) -> None:
    header = message.header
    if not header.text(10):
        raise Refused(MISSING, "MSH-10 is empty: the message has no control id", "MSH^1^10")
    if header.text(11).upper() not in LIVE | TEST:
        raise Refused(WRONG_PROCESSING, "MSH-11 is none of P, T, D", "MSH^1^11")
    if header.text(12) and not header.text(12).startswith("2"):
        raise Refused(WRONG_VERSION, "MSH-12 is no version 2", "MSH^1^12")
    if len(message.segments) == 1:
        raise Refused(BAD_VALUE, "Nothing follows MSH", "MSH^1")


def _drafts(kind: str, reading_: Reading) -> tuple[tuple[Draft, ...], str]:
    if kind == "ADT":
        return adt.read_adt(reading_), "OBX in ADT is not read" if reading_.message.first("OBX") else ""
    if kind == "MDM":
        return mdm.read_mdm(reading_)
    return read_results(reading_)
