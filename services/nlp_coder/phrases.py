"""Longest-match search for many phrases at once, word by word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class PhraseTable(Generic[Value]):
    """Phrases by their normalised words, a string a phrase: a tenth of the memory of a trie of dictionaries.

    `singles` holds the one-word phrases; `pairs[first][second]` the numbers of words, longest first, of the phrases
    that begin with a pair of words; `phrases` every longer phrase, words joined by blanks; `openers` all first words.
    """

    singles: dict[str, Value]
    pairs: dict[str, dict[str, tuple[int, ...]]]
    openers: frozenset[str]
    phrases: dict[str, Value]

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
    return PhraseTable(singles, pairs, frozenset(singles.keys() | pairs.keys()), longer)


def matches(table: PhraseTable[Value], norms: Sequence[str], stops: Sequence[int]) -> Iterator[tuple[int, int, Value]]:
    """Non-overlapping longest matches, left to right.

    `stops[i]` is the first word that a phrase beginning at word i may not include. Yields (first word,
    word after the last, value).
    """
    openers, position = table.openers, 0
    for start in [index for index, norm in enumerate(norms) if norm in openers]:
        if start < position:
            continue
        found = table.longest_from(norms, start, stops[start])
        if found is not None:
            position = found[0]
            yield start, position, found[1]
