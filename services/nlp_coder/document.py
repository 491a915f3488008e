"""A note as the later steps see it: words, sentences, sections and triggers, all with offsets in the text."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from services.nlp_coder import assertion, sections, sentences
from services.nlp_coder.assertion import Reading, Rule, Trigger
from services.nlp_coder.phrases import PhraseTable
from services.nlp_coder.sections import Section
from services.nlp_coder.tokens import Words, words_of

# What may stand inside a phrase; anything else between two words parts them.
_JOINERS = " \t\r\n-/\u2010\u2011\u2013\u00a0"


@dataclass(frozen=True, slots=True)
class Grammar:
    """The tables that reading a note needs."""

    headers: Mapping[str, str]
    abbreviations: frozenset[str]
    triggers: PhraseTable[Rule]


@dataclass(frozen=True, slots=True)
class Document:
    """A note, read. Indices count words; `sentence[i]` and `section[i]` are the indices of those of word i.

    `stops[i]` is the first word that a phrase beginning at word i may not include; `clauses[i]` counts commas
    before word i.
    """

    text: str
    words: Words
    sections: list[Section]
    sentence_starts: list[int]
    sentence: list[int]
    section: list[int]
    stops: list[int]
    clauses: list[int]
    triggers: dict[int, list[Trigger]]

    def reading(self, first: int, last: int) -> Reading:
        """How the words from `first` up to but not including `last` read."""
        own = self.triggers.get(self.sentence[first], ())
        reading = assertion.reading_of((first, last), own, self.section_name(first), self.clauses)
        return _questioned(self, first, last, reading)

    def section_name(self, word: int) -> str:
        """Canonical name of the section that holds a word."""
        return self.sections[self.section[word]].name

    def in_header(self, word: int) -> bool:
        """Whether a word belongs to its section's header, where "Illness" names no illness."""
        return self.words.starts[word] < self.sections[self.section[word]].body

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Characters of the words from `first` up to but not including `last`."""
        return self.words.starts[first], self.words.ends[last - 1]


def load_grammar() -> Grammar:
    """Read the tables. Raises ValueError for a slip in one."""
    return Grammar(sections.header_names(), sentences.abbreviations(), assertion.load_triggers())


def read(text: str, grammar: Grammar) -> Document:
    """Split `text` and find its triggers. Pure; never raises on any text."""
    words = words_of(text)
    parts = sections.sections_of(text, grammar.headers)
    starts = sentences.sentence_starts(text, grammar.abbreviations, [part.start for part in parts])
    sentence = _owners(words.starts, starts)
    section_index = _owners(words.starts, [part.start for part in parts])
    stops, clauses = _stops(text, words, sentence)
    found = assertion.find_triggers(grammar.triggers, _answering(text, words), stops)
    triggers: dict[int, list[Trigger]] = {}
    for trigger in found:
        triggers.setdefault(sentence[trigger.start], []).append(trigger)
    return Document(text, words, parts, starts, sentence, section_index, stops, clauses, triggers)


def word_range(document: Document, start: int, end: int) -> tuple[int, int] | None:
    """Words that the characters from `start` to `end` touch, or None when there are none."""
    first = bisect_right(document.words.ends, start)
    last = bisect_left(document.words.starts, end, lo=first)
    return (first, last) if last > first else None


def _owners(positions: list[int], starts: list[int]) -> list[int]:
    """For ascending `positions`, the index of the last start at or before each."""
    owners, current, count = [], 0, len(starts)
    for position in positions:
        while current + 1 < count and starts[current + 1] <= position:
            current += 1
        owners.append(current)
    return owners


def _stops(text: str, words: Words, sentence: list[int]) -> tuple[list[int], list[int]]:
    """(stops, clauses) of every word."""
    count = len(words)
    stops, commas = [count] * count, [0] * count
    for index in range(count - 2, -1, -1):
        gap = text[words.ends[index] : words.starts[index + 1]]
        if sentence[index] == sentence[index + 1] and (gap in (" ", "-") or not gap.strip(_JOINERS)):
            stops[index] = stops[index + 1]
        else:
            stops[index] = index + 1
            commas[index + 1] = int("," in gap)
    return stops, list(accumulate(commas))


def _answering(text: str, words: Words) -> list[str]:
    """Normalised words, with a colon before those that answer the item before them ("Fever: no.")."""
    norms = list(words.norms)
    for index, norm in enumerate(norms):
        if norm in assertion.ANSWERS and text[max(0, words.starts[index] - 8) : words.starts[index]].rstrip().endswith(
            ":"
        ):
            following = text[words.ends[index] : words.ends[index] + 1]
            if following in ("", "\n", "\r", ".", ",", ";"):
                norms[index] = assertion.COLON + norm
    return norms


def _questioned(document: Document, first: int, last: int, reading: Reading) -> Reading:
    """A question mark on a mention makes it possible ("?PE", "pneumonia?")."""
    if reading.status != "present":
        return reading
    start, end = document.span(first, last)
    around = (document.text[max(0, start - 1) : start], document.text[end : end + 1])
    if "?" not in around:
        return reading
    return Reading("possible", reading.historical, reading.experiencer, reading.trigger)
