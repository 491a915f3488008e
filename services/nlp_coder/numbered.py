"""Words by number: one look-up a word of a note, after which every table is asked by compiled loops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain, repeat
from sys import intern
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder import kernels

# For `kernels`: node after each first word, table of the further steps, phrase that ends at each node.
Trie: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]
Scalar = TypeVar("Scalar", bound=np.generic)
# Numbers of the words that any table knows, from 1. Grows while tables load, never while notes are read.
_NUMBERS: dict[str, int] = {}
_WORDS: list[str] = [""]


def number_of(word: str) -> int:
    """The number of a table's word, the same for all tables; a new one for a word that none had before."""
    number = _NUMBERS.get(word)
    if number is None:
        number = len(_WORDS)
        _WORDS.append(intern(word))
        _NUMBERS[_WORDS[number]] = number
    return number


def count_of_numbers() -> int:
    """How many words have numbers by now."""
    return len(_WORDS)


def word_of(number: int) -> str:
    """The word of a number."""
    return _WORDS[number]


def numbered(norms: Sequence[str]) -> NDArray[np.int64]:
    """Numbers of normalised words, 0 for one that no table knows."""
    return np.fromiter(map(_NUMBERS.get, norms, repeat(0)), dtype=np.int64, count=len(norms))


def by_number(values: Mapping[str, int], dtype: type[Scalar]) -> NDArray[Scalar]:
    """Values of words, by their numbers; 0 for every other word. Words of tables loaded later are beyond its end."""
    numbers = {number_of(word): value for word, value in values.items()}
    found = np.zeros(max(numbers, default=0) + 1, dtype=dtype)
    found[list(numbers.keys())] = list(numbers.values())
    return found


def flags(words: Iterable[str]) -> NDArray[np.bool_]:
    """Whether a word is one of these, by its number."""
    return by_number(dict.fromkeys(words, 1), np.bool_)


def flat(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of numbers one after the other, and bounds: row i is from bounds[i] to bounds[i + 1]."""
    bounds = np.fromiter(accumulate(map(len, rows), initial=0), np.int64, len(rows) + 1)
    return np.fromiter(chain.from_iterable(rows), np.int64, bounds[-1]), bounds


def trie_of(phrases: Sequence[Sequence[int]]) -> Trie:
    """Index phrases by the numbers of their words. Of two equal ones the first stays."""
    words, bounds = flat(phrases)
    steps, ends = kernels.trie(words, bounds)
    return kernels.first_steps(steps, int(words.max(initial=0)) + 1), steps, ends
