"""Words by number: one look-up a word of a note, after which every table is asked about all of them at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from sys import intern
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)
_BITS = 64
# Numbers of the words that any table knows, from 1. Grows while tables load, never while notes are read.
_NUMBERS: dict[str, int] = {}


def number_of(word: str) -> int:
    """The number of a table's word, the same for all tables; a new one for a word that none had before."""
    return _NUMBERS.setdefault(intern(word), len(_NUMBERS) + 1)


@dataclass(frozen=True, slots=True)
class Numbered:
    """The words of a text: their numbers, 0 for one that no table knows, and a bit of 64 for each, none for 0."""

    numbers: NDArray[np.int64]
    bits: NDArray[np.uint64]


def numbered(norms: Sequence[str]) -> Numbered:
    """Look normalised words up."""
    numbers = np.fromiter(map(_NUMBERS.get, norms, repeat(0)), dtype=np.int64, count=len(norms))
    return Numbered(numbers, _BIT_OF[numbers % _BITS] * (numbers > 0))


_BIT_OF = np.left_shift(np.uint64(1), np.arange(_BITS, dtype=np.uint64))


def by_number(values: Mapping[str, int], dtype: type[Scalar]) -> NDArray[Scalar]:
    """Values of words, by their numbers; 0 for every other word, and for the last place.

    Ask with `take(numbers, mode="clip")`: words of tables that are loaded later take the last place.
    """
    numbers = {number_of(word): value for word, value in values.items()}
    found = np.zeros(max(numbers, default=0) + 2, dtype=dtype)
    found[list(numbers.keys())] = list(numbers.values())
    return found


def bits_of(words: Collection[str]) -> int:
    """The bits of all words together: whether a word may be among them, which a look-up then has to confirm."""
    bits = 0
    for word in words:
        bits |= 1 << (number_of(word) % _BITS)
    return bits
