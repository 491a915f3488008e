"""Longest-match search for many phrases at once, word by word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder.document import Document
from services.nlp_coder.numbered import Numbered, bits_of, by_number

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class PhraseTable(Generic[Value]):
    """Phrases by their normalised words, a string a phrase: a tenth of the memory of a trie of dictionaries.

    `singles` holds the one-word phrases; `pairs[first][second]` the numbers of words, longest first, of the phrases
    that begin with a pair of words; `phrases` every longer phrase, words joined by blanks. By a word's number:
    `is_single`, and `seconds`, the bits of the words that may follow it.
    """

    singles: dict[str, Value]
    pairs: dict[str, dict[str, tuple[int, ...]]]
    phrases: dict[str, Value]
    is_single: NDArray[np.bool_]
    seconds: NDArray[np.uint64]

    def longest_from(self, norms: Sequence[str], start: int, stop: int) -> tuple[int, Value] | None:
        """Longest phrase that begins at word `start` and ends at or before `stop`.

        Returns (word after the phrase, its value), or None.
        """
        first = norms[start]
        following = self.pairs.get(first)
        if following is not None and start + 1 < stop:
            for length in following.get(norms[start + 1], ()):
                if start + length <= stop:
                    value = self.phrases.get(" ".join(norms[start : start + length]))
                    if value is not None:
                        return start + length, value
        single = self.singles.get(first)
        return None if single is None else (start + 1, single)

    def beginnings(self, words: Numbered) -> list[int]:
        """Where a phrase may begin, ascending: with a phrase of one word, or two words that may open a longer one."""
        begins = self.is_single.take(words.numbers, mode="clip")
        begins[:-1] |= self.seconds.take(words.numbers[:-1], mode="clip") & words.bits[1:] != 0
        starts: list[int] = np.flatnonzero(begins).tolist()
        return starts


def phrase_table(phrases: Iterable[tuple[Sequence[str], Value]]) -> PhraseTable[Value]:
    """Index (words, value) pairs. Of two equal phrases the first one stays."""
    singles: dict[str, Value] = {}
    longer: dict[str, Value] = {}
    lengths: dict[str, dict[str, set[int]]] = {}
    for words, value in phrases:
        if len(words) == 1:
            singles.setdefault(words[0], value)
        elif words:
            longer.setdefault(" ".join(words), value)
            lengths.setdefault(words[0], {}).setdefault(words[1], set()).add(len(words))
    pairs = {
        first: {second: tuple(sorted(counts, reverse=True)) for second, counts in following.items()}
        for first, following in lengths.items()
    }
    is_single = by_number(dict.fromkeys(singles, 1), np.bool_)
    seconds = by_number({first: bits_of(following) for first, following in pairs.items()}, np.uint64)
    return PhraseTable(singles, pairs, longer, is_single, seconds)


def matches(table: PhraseTable[Value], document: Document) -> Iterator[tuple[int, int, Value]]:
    """Non-overlapping longest matches, left to right, none across a stop: (first word, word after the last, value)."""
    norms, stops, position = document.words.norms, document.stops, 0
    for start in table.beginnings(document.numbered):
        if start < position:
            continue
        found = table.longest_from(norms, start, stops[start])
        if found is not None:
            position = found[0]
            yield start, position, found[1]
