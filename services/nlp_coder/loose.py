"""Terms whose words stand apart in one sentence: "lesion found in the left adrenal gland"."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder import kernels
from services.nlp_coder.code_relations import SIDES
from services.nlp_coder.data_files import rows
from services.nlp_coder.dictionary import Mention, Term, entity_type
from services.nlp_coder.document import Document
from services.nlp_coder.laterality import NO_SIDE_BEFORE
from services.nlp_coder.numbered import flags, flat, number_of
from services.nlp_coder.phrases import PhraseTable

# Farther apart than this, words of one sentence speak of different things; chosen by cross-validation.
_WIDEST = 13
_FEWEST_WORDS, _MOST_WORDS = 2, 6
_WITHOUT = "without"
# Where "a" is a letter and no article, and so tells everything: "vitamin A deficiency" is not any other.
_LETTER_A = re.compile(r"\b(?:vitamin|hepatitis|group|type|class|hemophilia|influenza|factor|protein|cluster) a\b")


@dataclass(frozen=True, slots=True)
class LooseTable:
    """Terms by the numbers of their telling words, as `kernels.terms_apart` takes them; and the term of each row."""

    index: tuple[
        NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_],
        NDArray[np.bool_], NDArray[np.bool_], int,
    ]  # fmt: skip
    terms: Sequence[Term]


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
    for phrase, term in dictionary.phrases():
        words = frozenset(phrase)
        telling = words - ignored
        if term.code and _FEWEST_WORDS <= len(telling) <= _MOST_WORDS and not _LETTER_A.search(" ".join(phrase)):
            terms.setdefault((telling, _WITHOUT in words), term)
    frequency = Counter(word for telling, _lacking in terms for word in telling)
    rarest_first = [
        ([number_of(word) for word in sorted(telling, key=lambda word: (frequency[word], word))], lacking, term)
        for (telling, lacking), term in terms.items()
    ]
    rarest_first.sort(key=lambda row: row[0])
    numbers_of_all, bounds = flat([numbers for numbers, _lacking, _term in rarest_first])
    telling_words = flags(frequency)
    others = np.zeros((len(rarest_first), _MOST_WORDS - 2), dtype=np.int64)
    for row, (numbers, _lacking, _term) in enumerate(rarest_first):
        others[row, : len(numbers) - 2] = numbers[2:]
    index = (
        numbers_of_all[bounds[:-1]].searchsorted(np.arange(len(telling_words) + 1)),
        numbers_of_all[bounds[:-1] + 1],
        others,
        np.array([lacking for _numbers, lacking, _term in rarest_first], dtype=np.bool_),
        telling_words,
        flags(SIDES),
        flags(NO_SIDE_BEFORE),
        number_of(_WITHOUT),
    )
    return LooseTable(index, [term for _numbers, _lacking, term in rarest_first])


def find_loose(table: LooseTable, document: Document, hidden: Sequence[int]) -> Iterator[LooseMention]:
    """The tightest loose mention of each code, by code. hidden: for each word of the note, 1 for one to look past."""
    columns, terms, norms = document.columns, table.terms, document.words.norms
    best: dict[str, _Found] = {}
    rows = kernels.terms_apart(*table.index, columns.numbers, columns.sentence, _passed_over(document, hidden), _WIDEST)
    for first, last, words, row in rows.tolist():
        code, found = terms[row].code, (words / (last - first), words, -first, last)
        if code not in best or found > best[code]:
            best[code] = found
    for code in sorted(best):
        _tightness, words, before, last = best[code]
        lacking = _WITHOUT in norms[-before:last]
        yield LooseMention(Mention(-before, last, code, entity_type(code)), words, lacking)


# Tightness, telling words, the first word with its sign turned, the word after the last: the greatest is the best.
_Found = tuple[float, int, int, int]


def _passed_over(document: Document, hidden: Sequence[int]) -> NDArray[np.bool_]:
    """For each word, whether it tells nothing: a hidden one, or one of a header."""
    passed, starts = bytearray(hidden), document.words.starts
    for section in document.sections:
        first = bisect_left(starts, section.start)
        last = bisect_left(starts, section.body, first)
        passed[first:last] = b"\x01" * (last - first)
    return np.frombuffer(passed, dtype=np.bool_)
