"""A note as the later steps see it: words, sentences, sections and triggers, all with offsets in the text."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder import assertion, kernels, sections, sentences, triggers
from services.nlp_coder.assertion import PLAIN, Reading, WordSpan
from services.nlp_coder.forms import FormRows, NumberedWords, numbered_again, numbered_words
from services.nlp_coder.numbered import flags, number_of
from services.nlp_coder.sections import Section
from services.nlp_coder.tokens import CodePoints, Words, code_points, row_of
from services.nlp_coder.triggers import COLON, Triggers, TriggerTable

# What stands between an item and its answer, and what may follow the answer: the end, or the next item's label.
_BEFORE_ANSWER = re.compile(r"[:?\t=|,]|\s[-\u2013\u2014]\s|\.{2,}")
_AFTER_ANSWER = re.compile(r"\s*(?:$|[.,;)\]\n\r\t|]|[A-Za-z][A-Za-z /]{0,30}[:?])")
# Answers that need no sign before them: "Fever no, cough yes".
_BARE_ANSWERS = frozenset({"no", "yes"})
# "-fever" denies; "-pneumonia" alone at the start of its line lists.
_DENYING_SIGN = re.compile(r"(?:[,;:(]\s*|^|\s)[-+][A-Za-z]")
_LIST_LEAD = re.compile(r":[ \t]*\r?\n[ \t]*(?=[-*\u2022\u00b7+\u2013]|\(?\d{1,2}[.)])")
_LIST_ITEM = re.compile(r"[ \t]*(?:[-*\u2022\u00b7+\u2013]|\(?\d{1,2}[.)])")
# Sections whose name does not say all: an empty list of allergies, and the differential diagnosis.
_LOOKED_INTO = frozenset({sections.ALLERGIES, "assessment"})
_NO_ALLERGY = re.compile(
    r"\s*(?:NKD?A|none(?: known)?|no known (?:drug |food |medication )?(?:allerg(?:ies|y)|reactions)|denies(?: any)?)\b"
    r"[^.;\n]*",
    re.IGNORECASE,
)
_PREFIXED = ("non", "non-")
_NO_TRIGGERS = 0, 0


@dataclass(frozen=True, slots=True)
class Grammar:
    """The tables that reading a note needs."""

    headers: sections.Headers
    abbreviations: frozenset[str]
    triggers: TriggerTable


@dataclass(slots=True)
class Columns:
    """Of each word its number and, as the lists of `Document` have them, place, sentence, stop, clause and section.

    All int64 [words]. forms: which written word each is. characters: of the text, for compiled loops, and
    sentence_starts, int64 [sentences], as the list of `Document` has them.
    """

    numbers: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    sentence: NDArray[np.int64]
    stops: NDArray[np.int64]
    clauses: NDArray[np.int64]
    section: NDArray[np.int64]
    forms: FormRows
    characters: CodePoints
    sentence_starts: NDArray[np.int64]

    def layout(self) -> tuple[NDArray[np.int64], ...]:
        """Those of words but the forms, in this order, for compiled loops."""
        return self.numbers, self.starts, self.ends, self.sentence, self.stops, self.clauses, self.section


@dataclass(slots=True)
class Document:
    """A note, read; not to be changed, though not frozen, which would cost a tenth of the reading.

    Indices count words; `sentence[i]` and `section[i]` are the indices of those of word i.

    `stops[i]` is the first word that a phrase beginning at word i may not include; `clauses[i]` counts commas
    before word i. `columns`: the same for compiled loops.
    """

    text: str
    words: Words
    sections: list[Section]
    sentence_starts: list[int]
    sentence: Sequence[int]
    section: Sequence[int]
    stops: Sequence[int]
    clauses: Sequence[int]
    triggers: Triggers
    has_question: bool
    columns: Columns

    def reading(self, first: int, last: int, *, is_asked: bool = False) -> Reading:
        """How the words from `first` up to but not including `last` read. is_asked: somebody else chose them."""
        return self.readings([(first, last)], is_asked=is_asked)[0]

    def readings(self, mentions: Sequence[WordSpan], *, is_asked: bool = False) -> list[Reading]:
        """How each of some mentions reads. is_asked: somebody else chose their words."""
        found, asked, rows, told_by = [PLAIN] * len(mentions), [], [], []
        for index, (first, last) in enumerate(mentions):
            section, sentence = self.sections[self.section[first]], self.sentence[first]
            name = self._told_by(section, first) if section.name in _LOOKED_INTO else section.name
            is_spoken = sentence in self.triggers.speaking
            if is_spoken or self.has_question or name in assertion.TELLING_SECTIONS:
                asked.append((index, section))
                told_by.append(assertion.SECTIONS.get(name, 0))
                rows.append((first, last, *(self.triggers.of(sentence) if is_spoken else _NO_TRIGGERS)))
        if not asked:
            return found
        readings = assertion.decided(rows, told_by, self.triggers, self.columns.clauses, is_asked=is_asked)
        for (index, section), told, reading in zip(asked, told_by, readings, strict=True):
            if told and reading.trigger is None:
                reading.trigger = self._header(section)
            is_open = self.has_question and reading.status == "present"
            found[index] = _questioned(self, *mentions[index], reading) if is_open else reading
        return found

    def reading_of_span(self, start: int, end: int) -> Reading:
        """How the words that the characters `start` to `end` touch read; plain where there are none.

        "tender" of "nontender" is absent.
        """
        words = word_range(self, start, end)
        if words is None:
            return PLAIN
        reading = self.reading(*words, is_asked=True)
        if self.text[self.words.starts[words[0]] : start].lower() in _PREFIXED and reading.status == "present":
            return Reading("absent", reading.historical, reading.experiencer, (words[0], words[0] + 1))
        return reading

    def _told_by(self, section: Section, word: int) -> str:
        """The section as what it says of its mentions names it.

        "ALLERGIES: NKDA. Has asthma." lists no reaction, and a differential diagnosis is an assessment that is open.
        """
        if section.name == sections.ALLERGIES:
            no_allergy = _NO_ALLERGY.match(self.text, section.body)
            return sections.OTHER if no_allergy and self.words.starts[word] > no_allergy.end() else section.name
        is_open = self.text[section.start : section.body].lstrip(" \t#*").lower().startswith("differential")
        return "differential" if is_open else section.name

    def _header(self, section: Section) -> WordSpan | None:
        return word_range(self, section.start, section.body)

    def section_name(self, word: int) -> str:
        """Canonical name of the section that holds a word."""
        return self.sections[self.section[word]].name

    def in_header(self, word: int) -> bool:
        """Whether a word belongs to its section's header, where "Illness" names no illness."""
        return self.words.starts[word] < self.sections[self.section[word]].body

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Characters of the words from `first` up to but not including `last`."""
        return self.words.starts[first], self.words.ends[last - 1]


def may_say_how_to_read(section: str) -> bool:
    """Whether a section of this name may say how what is in it reads."""
    return section in assertion.TELLING_SECTIONS or section in _LOOKED_INTO


@cache
def load_grammar() -> Grammar:
    """Read the tables, once a process. Raises ValueError for a slip in one."""
    return Grammar(sections.header_names(), sentences.abbreviations(), triggers.load_triggers())


def read(text: str, grammar: Grammar) -> Document:
    """Split `text` and find its triggers. Pure; never raises on any text."""
    characters = code_points(text)
    found_words = numbered_words(text, characters)
    if "- " in text and "+" in text:
        found_words = _with_spaced_signs(text, found_words)
    words, first, last, numbers, forms = found_words
    parts = sections.sections_of(text, grammar.headers)
    starts = sentences.sentence_starts(text, grammar.abbreviations, [part.start for part in parts])
    # "History:" says by its section what it says; "Return precautions" are no precautions against what follows.
    speaking = [0 if part.name == sections.OTHER else part.body for part in parts]
    places = np.array(starts, dtype=np.int64)
    section_starts, speaks_from = np.array([[part.start for part in parts], speaking], dtype=np.int64)
    sentence, section, stops, clauses, is_silent = kernels.layout(
        characters, first, last, places, section_starts, speaks_from
    )
    columns = Columns(numbers, first, last, sentence, stops, clauses, section, forms, characters, places)
    by_sentence = triggers.find_triggers(grammar.triggers, _answering(text, words, numbers), stops, sentence, is_silent)
    if "\n" in text:
        _lead_lists(text, starts, by_sentence)
    rows = row_of(sentence), row_of(section), row_of(stops), row_of(clauses)
    return Document(text, words, parts, starts, *rows, by_sentence, "?" in text, columns)


def _lead_lists(text: str, starts: list[int], by_sentence: Triggers) -> None:
    """What leads a list in ("Denies:", "Return for:") holds for each of its items."""
    for match in _LIST_LEAD.finditer(text):
        lead = sentences.sentence_of(starts, match.start())
        item = lead + 1
        first, last = by_sentence.of(lead)
        while last > first and item < len(starts) and _LIST_ITEM.match(text, starts[item]):
            by_sentence.lead(lead, item)
            item += 1
            if item < len(starts) and "\n\n" in text[starts[item - 1] : starts[item]]:
                break


def word_range(document: Document, start: int, end: int) -> tuple[int, int] | None:
    """Words that the characters from `start` to `end` touch, or None when there are none."""
    first = bisect_right(document.words.ends, start)
    last = bisect_left(document.words.starts, end, lo=first)
    return (first, last) if last > first else None


def _answering(text: str, words: Words, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of words as the triggers see them.

    Answers get a colon before them ("Fever: no."), and a sign that denies nothing becomes nothing.
    """
    replies = kernels.places_of(_IS_REPLY, numbers).tolist()
    if not replies:
        return numbers
    changed = numbers.copy()
    for index in replies:
        norm = words.norms[index]
        if norm in _SIGNS:
            if not _is_denying_sign(text, words.starts[index]):
                changed[index] = 0
        elif index:
            # Who denies may be named between: "Dysuria: patient denies."
            first = index - 1 if words.norms[index - 1] in _ANSWERERS and index > 1 else index
            if _answers(text, words, first, index):
                changed[first:index], changed[index] = 0, _WITH_COLON[norm]
    return changed


_ANSWERERS = frozenset({"patient", "pt", "he", "she"})
_SIGNS = frozenset({"-", "+", "(-)", "(+)"})
_IS_REPLY = flags({*assertion.ANSWERS, "-", "+"})
_WITH_COLON = {answer: number_of(COLON + answer) for answer in assertion.ANSWERS}


def _answers(text: str, words: Words, first: int, index: int) -> bool:
    gap = text[words.ends[first - 1] : words.starts[first]]
    if not _BEFORE_ANSWER.search(gap) and not (words.norms[index] in _BARE_ANSWERS and gap == " "):
        return False
    return _AFTER_ANSWER.match(text, words.ends[index]) is not None


def _is_denying_sign(text: str, position: int) -> bool:
    """Whether a sign at the start of its line has others beside it on the line; elsewhere it always denies."""
    if text[position : position + 2] == "- ":
        return True
    line_start = text.rfind("\n", 0, position) + 1
    if text[line_start:position].strip(" \t*"):
        return text[position] == "+" or text[:position].rstrip()[-1:] in ",;:(" or _signs(text, line_start) > 1
    return _signs(text, line_start) > 1


def _with_spaced_signs(text: str, found_words: NumberedWords) -> NumberedWords:
    """The words with those minus signs that a blank parts from what they deny: "+ cough, - fever, - chills"."""
    found = []
    for line in _LINE.finditer(text):
        if "- " in line[0] and _PLUS.search(line[0]):
            is_all_signs = line[0].lstrip().startswith("+") or _EACH_SIGNED.match(line[0])
            minuses = (_ANY_SPACED_MINUS if is_all_signs else _SPACED_MINUS).finditer(line[0])
            found += [line.start() + minus.start(1) for minus in minuses]
    if not found:
        return found_words
    words = found_words.words
    signs = [(start, start + 1, "-") for start in found]
    merged = sorted([*zip(words.starts, words.ends, words.norms, strict=True), *signs])
    starts, ends, norms = (list(column) for column in zip(*merged, strict=True))
    return numbered_again(Words(starts, ends, norms))


_LINE = re.compile(r"[^\n]+")
# Where a line has a plus sign before a word, a minus sign after a comma denies; where it begins with one, any does.
_PLUS = re.compile(r"(?:^|[\s,;:(])\+ ?[A-Za-z]")
_SPACED_MINUS = re.compile(r"[,;:] (-) (?=[A-Za-z])")
_ANY_SPACED_MINUS = re.compile(r"(?:^|[A-Za-z,;:)] )\s*(-) (?=[A-Za-z])")
# "- fever, + chills": a bullet stands before an item that has no fellow with a sign.
_EACH_SIGNED = re.compile(r"[ \t]*- [A-Za-z][^,;+\n-]*(?:[,;] ?[-+] ?[A-Za-z][^,;+\n-]*)+$")


def _signs(text: str, line_start: int) -> int:
    line_end = text.find("\n", line_start)
    line = text[line_start : line_end if line_end >= 0 else line_start + _LONGEST_LINE]
    return sum(1 for _ in _DENYING_SIGN.finditer(line[:_LONGEST_LINE]))


# Characters of a line in which other signs are looked for.
_LONGEST_LINE = 400


def _questioned(document: Document, first: int, last: int, reading: Reading) -> Reading:
    """A question mark on a mention makes it possible ("?PE", "? PE", "pneumonia?"), unless the answer follows."""
    start, end = document.span(first, last)
    text = document.text
    is_asked = text[end : end + 1] == "?" and not _YES.match(text, end + 1)
    if not is_asked and not _QUERIED.search(text[max(0, start - _QUERY_CHARS) : start]):
        return reading
    return Reading("possible", reading.historical, reading.experiencer, reading.trigger)


# A query goes before its mention with at most two words between: "? early CHF".
_QUERIED = re.compile(r"(?:^|[\s(,;:/])\?\s?(?:[\w-]+ ){0,2}$")
_QUERY_CHARS = 40
_YES = re.compile(r"\s*(?:yes|present|positive)\b", re.IGNORECASE)
