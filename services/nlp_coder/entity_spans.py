"""From words that `note_entities` marks to spans of the text."""

from __future__ import annotations

import re

from services.nlp_coder.document import Document

# States of a label, from 1 + 4 * label; 0 is outside of all.
BEGIN, INSIDE, END, SINGLE = range(4)
_POSSESSIVES = ("'s", "\u2019s")
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
    if text[end - 2 : end] in _POSSESSIVES:
        end -= 2
    if label in VALUES:
        before = text[max(0, start - _REACH) : start]
        compared = _COMPARED.search(before)
        start -= len(before) - compared.start() if compared else 0
        percent = _PERCENT.match(text, end)
        end = percent.end() if percent else end
    inside = text[start:end]
    if inside.isalnum() or _BRACKET.search(inside) is None:
        return start, end
    for opening, closing in ("()", "[]"):
        if text[end : end + 1] == closing and inside.count(opening) > inside.count(closing):
            end += 1
        if start and text[start - 1] == opening and inside.count(closing) > inside.count(opening):
            start -= 1
    return start, end
