"""Longest-match search for many phrases at once, word by word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder import kernels
from services.nlp_coder.document import Document
from services.nlp_coder.numbered import Trie, flat, number_of, trie_of, word_of

Value = TypeVar("Value")
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PhraseTable(Generic[Value]):
    """Phrases by the numbers of their normalised words: `trie` for `kernels`, and the value of each phrase.

    `words`: of all phrases, one after the other, those of phrase i from `bounds[i]` to `bounds[i + 1]`.
    """

    trie: Trie
    values: Sequence[Value]
    words: NDArray[np.int64]
    bounds: NDArray[np.int64]

    def longest_from(self, numbers: Numbers, start: int, stop: int) -> tuple[int, Value] | None:
        """Longest phrase that begins at word `start` and ends at or before `stop`; at least that word is asked for.

        Returns (word after the phrase, its value), or None.
        """
        last, found = kernels.longest_from(*self.trie, numbers, start, stop)
        return (last, self.values[found]) if found >= 0 else None

    def phrases(self) -> Iterator[tuple[list[str], Value]]:
        """All phrases, as they were given."""
        words, bounds = self.words.tolist(), self.bounds.tolist()
        for index, value in enumerate(self.values):
            yield [word_of(number) for number in words[bounds[index] : bounds[index + 1]]], value


def phrase_table(phrases: Iterable[tuple[Sequence[str], Value]]) -> PhraseTable[Value]:
    """Index (words, value) pairs. Of two equal phrases the first one stays; one without words is left out."""
    kept = [(words, value) for words, value in phrases if words]
    numbers = [list(map(number_of, words)) for words, _value in kept]
    return PhraseTable(trie_of(numbers), [value for _words, value in kept], *flat(numbers))


def matches(table: PhraseTable[Value], document: Document) -> Iterator[tuple[int, int, Value]]:
    """Non-overlapping longest matches, left to right, none across a stop: (first word, word after the last, value)."""
    values = table.values
    found = kernels.phrases_in(*table.trie, document.columns.numbers, document.columns.stops)
    for first, last, phrase in found.tolist():
        yield first, last, values[phrase]
