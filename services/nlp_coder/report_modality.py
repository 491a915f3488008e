"""How the images of a radiology report were made, as its own first words say."""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.nlp_coder.document import Document
from services.nlp_coder.sections import OTHER, Section

# Earlier studies and why one was asked for are of other images.
_SAYING = frozenset({OTHER, "technique", "physical_exam", "imaging"})  # "EXAM: chest, two views"
_READING = frozenset({"findings"})  # an impression advises what to do next
_FIRST_CHARS = 200
_WORDS = re.compile(
    r"\b(?:(?P<radiograph>radiograph\w*|x[- ]?rays?|xr|cxr|roentgenogram|plain films?|chest films?"
    r"|portable (?:ap|chest)"
    r"|(?:ap|pa|frontal) (?:and|&|/) lat(?:eral)?|(?:ap|pa|frontal|single|one|two|three|1|2|3)[ -]views?"
    r"|(?:ap|pa) (?:chest|portable)|chest,? \(?(?:portable|single|pa|ap|one|two|1|2))"
    r"|(?P<CT>ct|cta|hrct|cat scan|computed tomogra\w+)"
    r"|(?P<MR>mri|mra|mr|magnetic resonance|flair)"
    r"|(?P<US>ultraso\w+|sonogra\w+))\b",
    re.IGNORECASE,
)


def modality_of(document: Document) -> str:
    """How: "radiograph", "CT", "MR" or "US"; empty when neither title, technique nor the first words seen say."""
    found = (_WORDS.search(document.text, start, end) for start, end in _places(document.sections))
    return next((match.lastgroup or "" for match in found if match), "")


def _places(sections: list[Section]) -> Iterator[tuple[int, int]]:
    """What names the study, in order; then the first words of what was seen."""
    for names in (_SAYING, _READING):
        yield from ((one.start, min(one.end, one.start + _FIRST_CHARS)) for one in sections if one.name in names)
