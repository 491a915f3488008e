"""Text out of OBX segments: TX, FT and ST as they are, ED when it holds plain text."""

import base64
import binascii
from collections.abc import Sequence

from services.note_ingest.hl7v2.er7 import Segment
from services.note_ingest.refusals import BAD_VALUE, NOT_READ, Refused

TEXT_TYPES = {"TX", "FT", "ST"}
PLAIN = {"", "PLAIN", "TXT", "TEXT"}
KNOWN_SUBTYPES = {"PDF", "RTF", "HTML", "XML", "JPEG", "PNG", "DICOM", "OCTET-STREAM", "CDA"}


def is_text(obx: Segment) -> bool:
    """Whether OBX-5 can be read as text at all."""
    return obx.text(2) in TEXT_TYPES


def text_of(obx: Segment) -> str:
    """The text of one OBX.

    Raises Refused for an ED (encapsulated data) that is no plain text, and for types that are no text.
    """
    kind = obx.text(2)
    if kind in TEXT_TYPES:
        return obx.whole(5)
    if kind != "ED":
        raise Refused(NOT_READ, f"{obx.label(2)}: only TX, FT, ST and plain text in ED are read as text", obx.at(2))
    data_type, subtype, encoding = (obx.text(5, component).upper() for component in (2, 3, 4))
    if data_type not in {"TEXT", "TX", ""} or subtype not in PLAIN:
        named = subtype if subtype in KNOWN_SUBTYPES else "not plain text"
        raise Refused(NOT_READ, f"{obx.label(5)}: the document is {named}; only plain text is read", obx.at(5, 3))
    return _decoded(obx, obx.text(5, 5), encoding)


def joined(segments: Sequence[Segment]) -> tuple[str, list[tuple[Segment, Refused]]]:
    """The OBX texts that can be read, one after another on lines of their own, and the others with the reason."""
    texts, unread = [], []
    for obx in segments:
        try:
            texts.append(text_of(obx))
        except Refused as refused:
            unread.append((obx, refused))
    return "\n".join(texts).strip("\n"), unread


def not_read(places: Sequence[tuple[Segment, int]]) -> str:
    """What the sender is told of OBX that were not read while others were; empty for none."""
    named = ", ".join(segment.label(number) for segment, number in places[:5])
    return f"{len(places)} OBX not read: {named}" if places else ""


def _decoded(obx: Segment, data: str, encoding: str) -> str:
    if encoding in {"", "A"}:
        return data
    try:
        content = bytes.fromhex(data) if encoding == "HEX" else base64.b64decode("".join(data.split()), validate=True)
        return content.decode().replace("\r\n", "\n").replace("\r", "\n")
    except (binascii.Error, ValueError):
        raise Refused(BAD_VALUE, f"{obx.label(5)}: the data cannot be decoded", obx.at(5, 5)) from None
