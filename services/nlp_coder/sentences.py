"""Sentences of a clinical note: abbreviations, lists and lines broken by the sending system."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache

from services.nlp_coder import kernels
from services.nlp_coder.data_files import rows
from services.nlp_coder.forms import FormTable, form_table
from services.nlp_coder.tokens import code_points, matches_from

# Where a sentence may end: a full stop with a blank or a new sentence after it, a blank line, a line end.
# A run of marks is tried from its beginning only.
_CANDIDATE = re.compile(
    r"[.!?;\n,](?:(?<=[.!?])(?<![.!?][.!?])[.!?]*[\"')\]]*(?=\s|$|,\s*[A-Z0-9])|(?<=\n)[ \t\r\n]*|(?<=;)"
    # A line's end that the sending system made a comma: "Clear,HEART: Regular", ", 3) Anxiety", ", 7)TURP".
    r"|(?<=,)(?=[A-Z][A-Za-z /()&-]{1,40}:|\s+\d{1,2}[.)]\s+[A-Z]|\s*\d{1,2}\)[A-Za-z]))"
)
_LAST_WORD = re.compile(r"([\w.]+)$")
_LIST_ITEM = re.compile(r"(?:[-*\u2022\u00b7+\u2013#>]|\(?\d{1,2}[.)]|\(?[A-Ha-h]\)|[A-Z][A-Za-z /]{1,30}:)")
_LIST_NUMBER = re.compile(r"(?:^|[\n,:;.]\s*)\s*\d{1,2}$")
# "No. 5" is a number; "Cough? No. Fever? Yes." is not.
_NUMBER = frozenset({"no", "nos"})
_DOTTED = re.compile(r"[A-Za-z](?:\.[A-Za-z])+$")
# The next item of a list, after a line's end that the sending system made a comma: "p.r.n.,2. Angina".
_NEXT_ITEM = re.compile(r",\s*\d{1,2}[.)]\s*[A-Z]")
# No sentence ends with one of these, so its line was broken; local.
_GOES_ON = re.compile(
    r"\b(?:and|or|nor|of|for|with|without|no|any|the|an?|to|by|in|on|from|is|was|were|are|has|had|have|denie[sd]|his|her"
    r"|but|that|which|who|than|per|due)$"
)
# An answer belongs to its question: "Chest pain? No."
_ANSWER = re.compile(r"[ \t]*(?:no|yes|none|nil|denies|denied|negative)[ \t]*(?:$|[.,;\n])", re.IGNORECASE)
# A line at least this long, whose neighbour's first word had no room on it, was broken by its writer's screen and the
# sentence goes on; where lines are longer than any screen, a line's end is meant. Local.
_WRAPPED_LINE_CHARS = 55
_WIDEST_SCREEN = 130
_ROOM = 3
_LOOK_BACK = 24
# What is as long as this is no abbreviation but those that the table knows: "no fever. cough is present"; local.
_WHOLE_WORD = 5
# "No headache; double vision; or loss of hearing" is one list, which its last semicolon tells. Local.
_LAST_ITEM = re.compile(r";\s*(?:and/)?or\b")
_BREAK = re.compile(r"[.!?\n]")
_LIST_CHARS = 200


def abbreviations() -> frozenset[str]:
    """Words whose full stop does not end a sentence."""
    return frozenset(word for word, _source in rows("abbreviations.tsv", 2))


def sentence_starts(text: str, known: frozenset[str], section_starts: Sequence[int]) -> list[int]:
    """First character of every sentence, ascending, beginning with 0. A section always starts a sentence.

    known: abbreviations.
    """
    starts = {0, *section_starts}
    length = len(text)
    width = max(map(len, text.split("\n"))) if "\n" in text else 0
    last_items = [match.start() for match in _LAST_ITEM.finditer(text)] if ";" in text else []
    leads, plain = kernels.sentence_leads(code_points(text), _table(known), _WHOLE_WORD, _LOOK_BACK)
    starts.update((leads[:plain] + 1).tolist())
    for match in matches_from(_CANDIDATE, text, leads[plain:].tolist()):
        start, end = match.span()
        if end >= length:
            break
        mark = text[start]
        if mark == "\n":
            ends = _line_ends(text, start, end, width)
        else:
            ends = mark in ";," or _full_stop_ends(text, start, end, known)
            ends = ends and not (mark == ";" and _is_listed(text, start, last_items))
        if ends:
            starts.add(end)
    return sorted(starts) if len(starts) > 1 else [0]


@cache
def _table(known: frozenset[str]) -> FormTable:
    """Words whose full stop the rules have to look at."""
    return form_table(known | _NUMBER)


def _is_listed(text: str, semicolon: int, last_items: Sequence[int]) -> bool:
    """Whether a semicolon parts the items of one list. last_items: where "; or" stands."""
    following = bisect_left(last_items, semicolon)
    if following == len(last_items) or last_items[following] - semicolon > _LIST_CHARS:
        return False
    return _BREAK.search(text, semicolon, last_items[following]) is None


def _full_stop_ends(text: str, start: int, end: int, known: frozenset[str]) -> bool:
    if text[start] != ".":
        return text[start] != "?" or not _ANSWER.match(text, end)
    before = text[max(0, start - _LOOK_BACK) : start]
    last = before[before.rfind(" ") + 1 :]
    is_plain = len(last) >= _WHOLE_WORD and last.isalpha() and last.isascii() and last.lower() not in known
    word = None if is_plain else _LAST_WORD.search(last)
    if word is None:
        return True  # nearly every sentence ends with a plain word
    following = text[end : end + 8].lstrip(" \t")
    next_character = text[end : end + 1]
    if (next_character in (" ", "\t") and word[1][-1].isdigit() and _LIST_NUMBER.search(before)) or (
        next_character == "," and _DOTTED.match(word[1]) and not _NEXT_ITEM.match(text, end)
    ):
        return False
    if word[1].lower() in _NUMBER:
        return not following[:1].isdigit()
    if word[1].lower() in known or (len(word[1]) == 1 and word[1].isupper()):
        return following[:1] in ("\n", "\r")
    return not following[:1].islower() or (len(word[1]) >= _WHOLE_WORD and word[1].isalpha())


def _line_ends(text: str, start: int, end: int, width: int) -> bool:
    """Whether a sentence ends with its line. start, end: the line's end and the next one's first character."""
    if text.count("\n", start, end) > 1 or _LIST_ITEM.match(text, end):
        return True
    while start > 0 and text[start - 1] in " \t\r":
        start -= 1
    line_start = text.rfind("\n", 0, start) + 1
    following, last = text[end], text[start - 1 : start]
    if last == ":":
        return not following.islower()
    if following.islower() or last == "," or _GOES_ON.search(text, max(line_start, start - _LOOK_BACK), start):
        return False
    line = start - line_start
    word = _NEXT_WORD.match(text, end, end + _LOOK_BACK)
    is_full = line + 1 + (word.end() - end if word else 0) > width - _ROOM
    return not (line >= _WRAPPED_LINE_CHARS and width <= _WIDEST_SCREEN and is_full)


_NEXT_WORD = re.compile(r"\S+")


def sentence_of(starts: Sequence[int], position: int) -> int:
    """Index of the sentence that holds the character at `position`."""
    return bisect_right(starts, position) - 1
