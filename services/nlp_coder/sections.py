"""Sections of a hospital note, found by their headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from services.nlp_coder import kernels
from services.nlp_coder.data_files import rows
from services.nlp_coder.tokens import code_points, matches_from

# A header stands at the start of a line or sentence and ends with a colon, or is alone on its line.
_TITLE = (
    r"[ \t#*]*(?:\d{1,2}[.)][ \t]*)?"
    r"(?P<name>[A-Za-z](?:[A-Za-z/&' (),+]|-(?=[A-Za-z])){0,58}+)[*]{0,2}[ \t]*"
    r"(?P<end>:|[-\u2013](?=[ \t])|(?=\r?\n|$))"
)
_FIRST_HEADER = re.compile(_TITLE)
_LATER_HEADER = re.compile(r"[\n.;,](?:(?<=[\n;])|(?<=\.),?|(?<=,)(?=[A-Z]))" + _TITLE)
# An aside behind the header: "Medications (home):".
_ASIDE = re.compile(r" ?\([^)]*\)$")
_BLANKS = re.compile(r"[\s*]+")
_LONGEST_LETTER_HEADER = 2  # "A:", "PE:" only count with their colon and in upper case
OTHER = "other"
ALLERGIES = "allergies"
_MOST_HEADERS = 4096


@dataclass(slots=True)
class Section:
    """A stretch of text, header included: characters `start` to `end`, body from `body`."""

    name: str
    start: int
    body: int
    end: int


class Headers(dict[tuple[str, bool], str | None]):
    """Sections by header as written, and whether a colon follows; None for what is no header.

    names: by header in lower case, with single blanks. Notes share most of their headers, which are looked up once.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, header: tuple[str, bool]) -> str | None:
        if len(self) >= _MOST_HEADERS:
            self.clear()
        name = self[header] = _section_name(header[0], self._names, has_colon=header[1])
        return name


def header_names() -> Headers:
    """Those of the table."""
    return Headers({header: name for header, name, _source in rows("sections.tsv", 3)})


def sections_of(text: str, headers: Headers) -> list[Section]:
    """Sections in order, together covering all of `text`; text before the first header is "other"."""
    found = [(0, 0, OTHER)]
    first = _FIRST_HEADER.match(text)
    leads = kernels.header_leads(code_points(text)).tolist() if ":" in text or "\n" in text else ()
    later = matches_from(_LATER_HEADER, text, leads)
    for match in (first, *later) if first else later:
        name = headers[match["name"], match["end"] == ":"]
        if name is not None:
            found.append((match.start("name"), match.end(), name))
    ends = [start for start, _body, _name in found[1:]] + [len(text)]
    return [
        Section(name, start, body, end) for (start, body, name), end in zip(found, ends, strict=True) if end > start
    ]


def _section_name(header: str, headers: Mapping[str, str], *, has_colon: bool) -> str | None:
    header = _BLANKS.sub(" ", header).strip()
    if len(header) <= _LONGEST_LETTER_HEADER and not (has_colon and header.isupper()):
        return None
    lowered = header.lower()
    known = headers.get(lowered) or headers.get(_ASIDE.sub("", lowered))
    if known is not None:
        return known
    # A shouted header that no table knows still ends the section before it; "Lungs:" inside an exam does not.
    is_shouted = has_colon and header.isupper() and len(header) > 4  # noqa: PLR2004 - "CT:" or "BP:" is a label
    return OTHER if is_shouted else None
