"""Terms whose words stand apart in one sentence: "lesion found in the left adrenal gland"."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from sys import intern
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder.code_relations import SIDES
from services.nlp_coder.data_files import rows
from services.nlp_coder.dictionary import Mention, Term
from services.nlp_coder.document import Document
from services.nlp_coder.laterality import is_side
from services.nlp_coder.numbered import bits_of, by_number
from services.nlp_coder.phrases import PhraseTable

# Farther apart than this, words of one sentence speak of different things; chosen by cross-validation.
_WIDEST = 13
_FEWEST_WORDS, _MOST_WORDS = 2, 6
_WITHOUT = "without"
# Where "a" is a letter and no article, and so tells everything: "vitamin A deficiency" is not any other.
_LETTER_A = re.compile(r"\b(?:vitamin|hepatitis|group|type|class|hemophilia|influenza|factor|protein|cluster) a\b")


@dataclass(frozen=True, slots=True)
class LooseTerm:
    """A term by its telling words but the two rarest, which the index knows.

    `bits`: those of the others. `lacking`: it says "without".
    """

    others: frozenset[str]
    bits: int
    term: Term
    lacking: bool


@dataclass(frozen=True, slots=True)
class LooseTable:
    """`by_pair[rarest][second]`: the terms with these two words.

    By a word's number: `is_telling`, whether any term has it; and `seconds`, the bits of the second words to a rarest.
    """

    by_pair: Mapping[str, Mapping[str, Sequence[LooseTerm]]]
    is_telling: NDArray[np.bool_]
    seconds: NDArray[np.uint64]


@dataclass(slots=True)
class LooseMention:
    """The tightest place of a code's terms, not to be changed: `mention` runs from the first word to the last.

    `words`: how many of them are telling. `lacking`: its term says "without".
    """

    mention: Mention
    words: int
    lacking: bool = False

    @property
    def tightness(self) -> float:
        """Share of the telling words, in (0, 1]."""
        return self.words / (self.mention.last - self.mention.first)


@cache
def untelling_words() -> frozenset[str]:
    """Words that say nothing about which condition a term means."""
    return frozenset(word for word, _source in rows("untelling_words.tsv", 2))


def loose_table(dictionary: PhraseTable[Term]) -> LooseTable:
    """Index the terms of a dictionary that have two telling words or more."""
    ignored = untelling_words()
    terms: dict[tuple[frozenset[str], bool], Term] = {}
    for phrase, term in dictionary.phrases.items():
        words = frozenset(map(intern, phrase.split(" ")))
        telling = words - ignored
        if term.code and _FEWEST_WORDS <= len(telling) <= _MOST_WORDS and not _LETTER_A.search(phrase):
            terms.setdefault((telling, _WITHOUT in words), term)
    frequency = Counter(word for telling, _lacking in terms for word in telling)
    by_pair: dict[str, dict[str, list[LooseTerm]]] = {}
    for (telling, lacking), term in terms.items():
        rarest, second, *others = sorted(telling, key=lambda word: (frequency[word], word))
        by_pair.setdefault(rarest, {}).setdefault(second, []).append(
            LooseTerm(frozenset(others), bits_of(others), term, lacking)
        )
    is_telling = by_number(dict.fromkeys(frequency, 1), np.bool_)
    return LooseTable(by_pair, is_telling, by_number({word: bits_of(by_pair[word]) for word in by_pair}, np.uint64))


def find_loose(table: LooseTable, document: Document, hidden: Sequence[int]) -> Iterator[LooseMention]:
    """The tightest loose mention of each code, by code. hidden: for each word of the note, 1 for one to look past."""
    best: dict[str, _Found] = {}
    for rarest, sentence in _promising(table, document, hidden):
        for found in _with_rarest(rarest, table.by_pair[rarest], sentence):
            code = found.term.code
            if (code not in best or _order(found) > _order(best[code])) and _agrees(found, document):
                best[code] = found
    for code in sorted(best):
        found = best[code]
        yield LooseMention(Mention(found.first, found.last, code, found.term.kind), found.words, found.lacking)


class _Found(NamedTuple):
    """A term whose telling words stand between `first` and `last`. `lacking`: it says "without"."""

    first: int
    last: int
    words: int
    term: Term
    lacking: bool


def _agrees(found: _Found, document: Document) -> bool:
    """Whether term and text say "without" alike: "severe, without psychotic features" names no psychosis."""
    return found.lacking == (_WITHOUT in document.words.norms[found.first : found.last])


def _order(found: _Found) -> tuple[float, int, int]:
    return found.words / (found.last - found.first), found.words, -found.first


@dataclass(slots=True)
class _Sentence:
    """The telling words of a sentence by their first places, and their bits together."""

    places: Mapping[str, int]
    bits: int


def _promising(table: LooseTable, document: Document, hidden: Sequence[int]) -> Iterator[tuple[str, _Sentence]]:
    """Each word that may be a term's rarest with its second beside it, once a sentence."""
    words, norms = document.numbered, document.words.norms
    telling = table.is_telling.take(words.numbers, mode="clip") & ~_passed_over(document, hidden)
    places = telling.nonzero()[0]
    if len(places) < _FEWEST_WORDS:
        return
    begins = np.append(0, np.diff(np.array(document.sentence)[places]).nonzero()[0] + 1)
    bits = np.bitwise_or.reduceat(words.bits[places], begins)
    own_bits = bits.repeat(np.diff(begins, append=len(places)))
    promising = (table.seconds.take(words.numbers[places], mode="clip") & own_bits).nonzero()[0]
    number_of_sentence = begins.searchsorted(promising, side="right") - 1
    bounds, at = [*begins.tolist(), len(places)], places.tolist()
    current, sentence, done = -1, _Sentence({}, 0), set[str]()
    for index, number in zip(promising.tolist(), number_of_sentence.tolist(), strict=True):
        if number != current:
            own = at[bounds[number] : bounds[number + 1]]
            current, done = number, set()
            telling_here = [word for word in reversed(own) if norms[word] not in SIDES or is_side(norms, word)]
            sentence = _Sentence({norms[word]: word for word in telling_here}, int(bits[number]))
        rarest = norms[at[index]]
        if rarest not in done and rarest in sentence.places:
            done.add(rarest)
            yield rarest, sentence


def _passed_over(document: Document, hidden: Sequence[int]) -> NDArray[np.bool_]:
    """For each word, whether it tells nothing: a hidden one, or one of a header."""
    passed, starts = bytearray(hidden), document.words.starts
    for section in document.sections:
        first = bisect_left(starts, section.start)
        last = bisect_left(starts, section.body, first)
        passed[first:last] = b"\x01" * (last - first)
    return np.frombuffer(passed, dtype=np.bool_)


def _with_rarest(rarest: str, seconds: Mapping[str, Sequence[LooseTerm]], sentence: _Sentence) -> Iterator[_Found]:
    """Terms of a sentence that have this rarest word. seconds: such terms by their second word."""
    places, bits = sentence.places, sentence.bits
    words = places.keys()
    if words.isdisjoint(seconds.keys()):
        return
    for second in words & seconds.keys():
        for candidate in seconds[second]:
            if candidate.bits & bits == candidate.bits and words >= candidate.others:
                where = [places[rarest], places[second], *[places[word] for word in candidate.others]]
                first, last = min(where), max(where) + 1
                if last - first <= _WIDEST:
                    yield _Found(first, last, len(where), candidate.term, candidate.lacking)
