"""Sentences of a clinical note: abbreviations, lists and lines broken by the sending system."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from services.nlp_coder.data_files import rows

# Where a sentence may end: a full stop with a blank or a new sentence after it, a blank line, a line end.
# A run of marks or of blanks is tried from its beginning only; from each of its characters would be quadratic.
_CANDIDATE = re.compile(r"(?<![.!?])[.!?]+[\"')\]]*(?=\s|$|,\s*[A-Z0-9])|(?<![ \t])[ \t]*\r?\n[ \t\r\n]*|;")
_LAST_WORD = re.compile(r"([\w.]+)$")
_LIST_ITEM = re.compile(r"(?:[-*\u2022\u00b7+\u2013]|\(?\d{1,2}[.)]|[A-Z][A-Za-z /]{1,30}:)")
_LIST_NUMBER = re.compile(r"(?:^|[\n,]\s*)\s*\d{1,2}$")
# An answer belongs to its question: "Chest pain? No."
_ANSWER = re.compile(r"[ \t]*(?:no|yes|none|nil|denies|denied|negative)[ \t]*(?:$|[.,;\n])", re.IGNORECASE)
# A line at least this long was probably broken by its writer's screen, so the sentence goes on.
_WRAPPED_LINE_CHARS = 55
_LOOK_BACK = 24


def abbreviations() -> frozenset[str]:
    """Words whose full stop does not end a sentence."""
    return frozenset(word for word, _source in rows("abbreviations.tsv", 2))


def sentence_starts(text: str, known: frozenset[str], section_starts: Sequence[int]) -> list[int]:
    """First character of every sentence, ascending, beginning with 0. A section always starts a sentence."""
    starts = {0, *section_starts}
    for match in _CANDIDATE.finditer(text):
        mark = match.group()
        if mark[0] in ".!?":
            ends = _full_stop_ends(text, match.start(), match.end(), known)
        elif mark == ";":
            ends = True
        else:
            ends = _line_ends(text, match.start(), match.end(), mark)
        if ends:
            starts.add(match.end())
    return sorted(starts)


def _full_stop_ends(text: str, start: int, end: int, known: frozenset[str]) -> bool:
    if text[start] != ".":
        return text[start] != "?" or not _ANSWER.match(text, end)
    before = text[max(0, start - _LOOK_BACK) : start]
    word = _LAST_WORD.search(before)
    if word is None:
        return True
    if _LIST_NUMBER.search(before) and end < len(text) and text[end] in " \t":
        return False
    following = text[end : end + 8].lstrip(" \t")
    if word[1].lower() in known or (len(word[1]) == 1 and word[1].isupper()):
        return following[:1] in ("\n", "\r")
    return not following[:1].islower()


def _line_ends(text: str, start: int, end: int, mark: str) -> bool:
    if mark.count("\n") > 1 or end >= len(text):
        return True
    if _LIST_ITEM.match(text, end):
        return True
    line = start - (text.rfind("\n", 0, start) + 1)
    following = text[end]
    if following.islower() or text[start - 1 : start] in (",", ":"):
        return text[start - 1 : start] == ":" and not following.islower()
    return not (line >= _WRAPPED_LINE_CHARS)


def sentence_of(starts: Sequence[int], position: int) -> int:
    """Index of the sentence that holds the character at `position`."""
    return bisect_right(starts, position) - 1
