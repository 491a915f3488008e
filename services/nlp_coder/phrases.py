"""Longest-match search for many phrases at once, word by word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class PhraseTable(Generic[Value]):
    """Phrases by their normalised words, a string a phrase: a tenth of the memory of a trie of dictionaries.

    `singles` holds the one-word phrases; `lengths` the numbers of words, longest first, of the phrases that
    begin with a pair of words; `phrases` every longer phrase, words joined by blanks.
    """

    singles: dict[str, Value]
    pairs: dict[str, tuple[int, ...]]
    openers: frozenset[str]
    phrases: dict[str, Value]

    def longest_from(self, norms: Sequence[str], start: int, stop: int) -> tuple[int, Value] | None:
        """Longest phrase that begins at word `start` and ends at or before `stop`.

        Returns (word after the phrase, its value), or None.
        """
        first = norms[start]
        if first in self.openers and start + 1 < stop:
            for length in self.pairs.get(f"{first} {norms[start + 1]}", ()):
                if start + length <= stop:
                    value = self.phrases.get(" ".join(norms[start : start + length]))
                    if value is not None:
                        return start + length, value
        single = self.singles.get(first)
        return None if single is None else (start + 1, single)


def phrase_table(phrases: Iterable[tuple[Sequence[str], Value]]) -> PhraseTable[Value]:
    """Index (words, value) pairs. Of two equal phrases the first one stays."""
    singles: dict[str, Value] = {}
    longer: dict[str, Value] = {}
    lengths: dict[str, set[int]] = {}
    for words, value in phrases:
        if len(words) == 1:
            singles.setdefault(words[0], value)
        elif words:
            longer.setdefault(" ".join(words), value)
            lengths.setdefault(f"{words[0]} {words[1]}", set()).add(len(words))
    pairs = {pair: tuple(sorted(counts, reverse=True)) for pair, counts in lengths.items()}
    return PhraseTable(singles, pairs, frozenset(pair.split(" ", 1)[0] for pair in pairs), longer)


def matches(table: PhraseTable[Value], norms: Sequence[str], stops: Sequence[int]) -> Iterator[tuple[int, int, Value]]:
    """Non-overlapping longest matches, left to right.

    `stops[i]` is the first word that a phrase beginning at word i may not include. Yields (first word,
    word after the last, value).
    """
    position, count = 0, len(norms)
    singles, openers = table.singles, table.openers
    while position < count:
        word = norms[position]
        if word in singles or word in openers:
            found = table.longest_from(norms, position, stops[position])
            if found is not None:
                yield position, found[0], found[1]
                position = found[0]
                continue
        position += 1
