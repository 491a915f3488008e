"""HL7 v2 in its vertical-bar form (ER7): segments, fields, repetitions, components, escapes, character sets.

Why not a library: python-hl7 0.4.5 builds every leaf as an object and takes 1.4 ms for a vital-signs message of nine
values, where the splits below take 0.01 ms; its `unescape` writes the field that it could not read into the log. Tests
hold this reader against it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.note_ingest.hl7v2.segments import SEGMENT_NAMES
from services.note_ingest.refusals import BAD_CODE, BAD_VALUE, MALFORMED, Refused

DEFAULT_CHARSET = "utf-8"
# HL7 table 0211. UTF-16 and UTF-32 cannot travel in MLLP, whose marks are single bytes.
CHARSETS = {
    "": DEFAULT_CHARSET,
    "ASCII": DEFAULT_CHARSET,
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UNICODE": "utf-8",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    "ISO IR14": "iso2022_jp",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_2",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "CNS 11643-1992": "big5",
}
FALLBACK_CHARSET = "cp1252"  # what senders mean that state nothing and send no UTF-8
BOM = b"\xef\xbb\xbf"
LINE = re.compile(r"\r\n|\r|\n")
SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
TEXT, TEXT_TYPES = 5, {"TX", "FT", "ST", "ED"}  # OBX-5, and the types (OBX-2) that may hold lines of words
# OBX-6 to 11 behind the last line of a text: of 6 to 10 only the flag (8) is ever filled, and 11 is the status.
AFTER_TEXT = re.compile(r"\0\0\0[^\0\s]{0,3}\0\0\0[A-Z](?=\0|$)")  # \0 for the field separator
NULL = '""'
MSH_ENCODING_CHARACTERS = 2
SHORTEST_HEADER = 8


@dataclass(frozen=True, slots=True)
class Delimiters:
    """MSH-1 and MSH-2. `escape` may be empty."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str

    @property
    def encoding_characters(self) -> str:
        """MSH-2 as it is written."""
        return self.component + self.repetition + self.escape + self.subcomponent


STANDARD_DELIMITERS = Delimiters("|", "^", "~", "\\", "&")


class Segment:
    """One segment; field numbers are HL7's own (MSH-1 is the field separator)."""

    __slots__ = ("_charset", "delimiters", "fields", "name", "sequence")

    def __init__(self, name: str, sequence: int, fields: list[str], delimiters: Delimiters, charset: str) -> None:
        self.name = name
        self.sequence = sequence
        self.fields = fields
        self.delimiters = delimiters
        self._charset = charset

    def raw(self, field: int) -> str:
        """The field as sent, "" when absent or explicitly null."""
        value = self.fields[field] if field < len(self.fields) else ""
        return "" if value == NULL else value

    def repetitions(self, field: int) -> list[str]:
        """The field's repetitions as sent; empty ones are kept. No repetition for an empty field."""
        value = self.raw(field)
        return value.split(self.delimiters.repetition) if value else []

    def text(self, field: int, component: int = 1, subcomponent: int = 1) -> str:
        """A component of the field's first repetition, unescaped and stripped."""
        value = self.raw(field)
        if self.delimiters.repetition in value:
            value = value.split(self.delimiters.repetition, 1)[0]
        return self.part(value, component, subcomponent) if value else ""

    def part(self, repetition: str, component: int = 1, subcomponent: int = 1) -> str:
        """A component of one repetition, unescaped and stripped."""
        value = _nth(repetition, self.delimiters.component, component)
        value = _nth(value, self.delimiters.subcomponent, subcomponent)
        return "" if value == NULL else self.unescaped(value).strip()

    def whole(self, field: int) -> str:
        """The field as text: escapes resolved, repetitions on lines of their own, delimiters inside kept."""
        return "\n".join(self.unescaped(repetition) for repetition in self.repetitions(field))

    def unescaped(self, value: str) -> str:
        """`value` with its escape sequences resolved."""
        escape = self.delimiters.escape
        return _unescape(value, self.delimiters, self._charset) if escape and escape in value else value

    def at(self, field: int, component: int = 0) -> str:
        """Where a field is, as HL7 writes it in ERR-2."""
        place = f"{self.name}^{self.sequence}^{field}"
        return f"{place}^1^{component}" if component else place

    def label(self, field: int) -> str:
        """Where a field is, as people write it: "OBX[2]-5"."""
        return f"{self.name}[{self.sequence}]-{field}" if self.sequence > 1 else f"{self.name}-{field}"


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message. The first segment is MSH."""

    segments: tuple[Segment, ...]
    charset: str

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]

    def first(self, name: str) -> Segment | None:
        """The first segment of that name."""
        return next(self.all(name), None)

    def all(self, name: str) -> Iterator[Segment]:
        """Every segment of that name, in order."""
        return (segment for segment in self.segments if segment.name == name)


def read_delimiters(header: str) -> Delimiters:
    """MSH-1 and MSH-2 of the header's text. Raises Refused for delimiters that cannot work."""
    field, rest = header[3], header[4:].split(header[3], 1)[0]
    characters = (rest + STANDARD_DELIMITERS.encoding_characters[len(rest) :])[:4]
    used = field + characters
    if len(set(used)) != len(used) or any(c.isalnum() or c.isspace() for c in used):
        raise Refused(BAD_VALUE, "MSH-2 must name four different separators that are no letters or digits", "MSH^1^2")
    return Delimiters(field, *characters)


def read(body: bytes) -> Message:
    """Read one message.

    body: without MLLP marks; segments may end with CR, LF or CR LF. A line that begins no segment goes on with the
    text of the OBX before it, else with the last field of the segment before it. Raises Refused when it is no HL7 v2,
    or its characters are not what MSH-18 says.
    """
    body = body.removeprefix(BOM).lstrip()
    first_line = LINE.split(body[:4096].decode("latin-1"), maxsplit=1)[0]
    if not first_line.startswith("MSH") or len(first_line) < SHORTEST_HEADER:
        raise Refused(MALFORMED, "The message does not begin with an MSH segment", "MSH^1")
    delimiters = read_delimiters(first_line)
    charset = _charset(first_line, delimiters)
    text = _decoded(body, charset, stated=bool(_header_field(first_line, delimiters, 18)))
    return Message(tuple(_segments(text, delimiters, charset)), charset)


def _nth(text: str, separator: str, number: int) -> str:
    """The part of that number, from 1; "" when there are fewer."""
    if separator not in text:
        return text if number == 1 else ""
    parts = text.split(separator, number)
    return parts[number - 1] if number <= len(parts) else ""


def _header_field(line: str, delimiters: Delimiters, number: int) -> str:
    fields = line.split(delimiters.field)
    return fields[number - 1].split(delimiters.repetition)[0].strip() if number <= len(fields) else ""


def _charset(line: str, delimiters: Delimiters) -> str:
    stated = _header_field(line, delimiters, 18)
    found = CHARSETS.get(stated.upper().replace("ISO IR ", "ISO IR"))
    if found is None:
        raise Refused(BAD_CODE, "MSH-18 names a character set that is not read here", "MSH^1^18")
    return found


def _decoded(body: bytes, charset: str, *, stated: bool) -> str:
    try:
        return body.decode(charset)
    except UnicodeDecodeError:
        if stated:
            raise Refused(BAD_VALUE, "The characters are not in the set that MSH-18 names", "MSH^1^18") from None
        return body.decode(FALLBACK_CHARSET, "replace")


def _segments(text: str, delimiters: Delimiters, charset: str) -> Iterator[Segment]:
    counts: dict[str, int] = {}
    current: Segment | None = None
    for line in LINE.split(text):
        if current is not None and not _begins_segment(line, current):
            _go_on(current, line)
            continue
        if current is not None:
            yield _tidied(current)
        name = line[:3]
        if name == "MSH" and current is not None:
            raise Refused(MALFORMED, "A second MSH: send each message in a frame of its own", "MSH^2")
        counts[name] = counts.get(name, 0) + 1
        fields = line.split(delimiters.field)
        if name == "MSH":
            fields.insert(1, delimiters.field)
        current = Segment(name, counts[name], fields, delimiters, charset)
    if current is not None:
        yield _tidied(current)


def _begins_segment(line: str, current: Segment) -> bool:
    """Whether `line` is no more of `current`.

    Notes have lines such as "HPI" or "PMH|COPD": below a text only a name that HL7 knows and its separator begin one.
    """
    if SEGMENT_NAME.match(line) is None or line[3:4] not in {"", current.delimiters.field}:
        return False
    if not _is_text(current):
        return True
    return line[3:4] != "" and (line[0] == "Z" or line[:3] in SEGMENT_NAMES)


def _is_text(segment: Segment) -> bool:
    return segment.name == "OBX" and len(segment.fields) > TEXT and segment.fields[2] in TEXT_TYPES


def _go_on(segment: Segment, line: str) -> None:
    """Add a line to the segment's text; of the text's last line, what follows it are the fields after the text."""
    if not _is_text(segment):
        segment.fields[-1] += "\n" + line
        return
    end = AFTER_TEXT.search(line.replace(segment.delimiters.field, "\0")) if len(segment.fields) == TEXT + 1 else None
    words = line[: end.start()] if end else line
    segment.fields[TEXT] += "\n" + words
    if end:
        segment.fields += line[end.start() + 1 :].split(segment.delimiters.field)


def _tidied(segment: Segment) -> Segment:
    for field in {TEXT, len(segment.fields) - 1} if _is_text(segment) else {-1}:
        segment.fields[field] = segment.fields[field].rstrip("\n")
    return segment


def _unescape(value: str, delimiters: Delimiters, charset: str) -> str:
    """Resolve escape sequences (HL7 v2.8 chapter 2.7); unknown ones stay as they are."""
    parts = value.split(delimiters.escape)
    out = [parts[0]]
    index = 1
    while index < len(parts):
        if index + 1 >= len(parts):  # an escape character that nothing closes is itself
            out.append(delimiters.escape + parts[index])
            break
        resolved = _escape_sequence(parts[index], delimiters, charset)
        if resolved is None:
            out.append(delimiters.escape + parts[index])
            index += 1
        else:
            out.append(resolved + parts[index + 1])
            index += 2
    return "".join(out)


def _escape_sequence(code: str, delimiters: Delimiters, charset: str) -> str | None:
    fixed = {
        "F": delimiters.field,
        "S": delimiters.component,
        "T": delimiters.subcomponent,
        "R": delimiters.repetition,
        "E": delimiters.escape,
        "H": "",
        "N": "",
        "P": delimiters.escape,
    }
    if code in fixed:
        return fixed[code]
    if re.fullmatch(r"X(?:[0-9A-Fa-f]{2})+", code):
        return bytes.fromhex(code[1:]).decode(charset, "replace")
    return _formatting(code)


def _formatting(code: str) -> str | None:
    """Formatted text (FT): line breaks and spaces; indents and justification carry no words."""
    match = re.fullmatch(r"\.(br|sp|ce|sk|fi|nf|in|ti)\s*([+-]?\d{1,3})?", code, re.IGNORECASE)
    if match is None:
        return None
    command, count = match[1].lower(), min(abs(int(match[2] or 1)), 100)
    return {"br": "\n" * count, "sp": "\n" * count, "ce": "\n", "sk": " " * count}.get(command, "")
