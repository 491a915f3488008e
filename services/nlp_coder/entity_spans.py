"""From words that `note_entities` marks to spans of the text."""

from __future__ import annotations

import re

from services.nlp_coder import joining_kernels
from services.nlp_coder.document import Document

# States of a label, from 1 + 4 * label; 0 is outside of all.
BEGIN, INSIDE, END, SINGLE = range(4)
# Values go with what compares them: "<20 mg/dL", "\u2265 18 years", "90 %", "HIV+".
VALUES = frozenset({"Lab_value", "Value", "Multiplier"})
_COMPARED = re.compile(r"[<>\u2264\u2265=\u00b1~]+\s*$|[+\u2013-]$")
_BRACKET = re.compile(r"[()\[\]]")
_PERCENT = re.compile(r"\s?%")
_REACH = 4


def edges(document: Document, first: int, last: int, label: str) -> tuple[int, int]:
    """Characters of words: no possessive at the end, the bracket that closes one inside, and a value's signs."""
    text = document.text
    start, end = document.words.starts[first], document.words.ends[last - 1]
    if text[end - 1] == "s":
        end = joining_kernels.without_possessive(document.columns.characters, end)
    if label in VALUES:
        before = text[max(0, start - _REACH) : start]
        compared = _COMPARED.search(before)
        start -= len(before) - compared.start() if compared else 0
        percent = _PERCENT.match(text, end)
        end = percent.end() if percent else end
    if _BRACKET.search(text, start, end):
        start, end = joining_kernels.with_brackets(document.columns.characters, start, end)
    return start, end
