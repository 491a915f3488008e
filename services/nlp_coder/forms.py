"""Words of notes as they are written, each normalised and looked up once: what is read again and again is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder import kernels
from services.nlp_coder.numbered import count_of_numbers, numbered
from services.nlp_coder.tokens import LONGEST_WORD, CodePoints, Words, norm_of, words_of

Places: TypeAlias = NDArray[np.int64]
# Different words that are kept; a million notes have fewer that come twice.
_MOST_FORMS = 65_536


class NumberedWords(NamedTuple):
    """Words with their places again and their numbers, for compiled loops, int64 [words]."""

    words: Words
    starts: Places
    ends: Places
    numbers: Places


@dataclass(slots=True)
class _Forms:
    """Written words. Form i has the characters `pool[bounds[i]:bounds[i + 1]]`, a norm and a number.

    table: forms by hash. known: how many words had numbers when this was begun.
    """

    known: int
    table: NDArray[np.int64]
    pool: NDArray[np.uint8]
    bounds: NDArray[np.int64]
    norms: list[str]
    numbers: NDArray[np.int64]


def _no_forms() -> _Forms:
    return _Forms(
        count_of_numbers(),
        np.full((4 * _MOST_FORMS, 2), -1, dtype=np.int64),
        np.zeros(_MOST_FORMS * LONGEST_WORD, dtype=np.uint8),
        np.zeros(_MOST_FORMS + 1, dtype=np.int64),
        [],
        np.zeros(_MOST_FORMS, dtype=np.int64),
    )


_forms = _no_forms()
_growing = Lock()


def numbered_words(text: str, characters: CodePoints) -> NumberedWords:
    """`words_of` a text with their numbers. characters: its `code_points`. Never raises."""
    if not text.isascii():
        return numbered_again(words_of(text))
    forms = _up_to_date()
    starts, ends, found = kernels.known_words(characters, forms.table, forms.pool, forms.bounds)
    if found.min(initial=0) < 0:
        return _with_new_forms(text, characters, starts, ends)
    norms = list(map(forms.norms.__getitem__, found.tolist()))
    return NumberedWords(Words(starts.tolist(), ends.tolist(), norms), starts, ends, forms.numbers[found])


def numbered_again(words: Words) -> NumberedWords:
    """Words with the numbers of their norms."""
    starts, ends = np.array(words.starts, dtype=np.int64), np.array(words.ends, dtype=np.int64)
    return NumberedWords(words, starts, ends, numbered(words.norms))


def _with_new_forms(text: str, characters: CodePoints, starts: Places, ends: Places) -> NumberedWords:
    """The same for a text with words that are not known yet, which become known."""
    with _growing:
        forms = _up_to_date()
        found = kernels.forms_in(characters, starts, ends, forms.table, forms.pool, forms.bounds)
        _learn(text, characters, forms, starts[found < 0].tolist(), ends[found < 0].tolist())
        found = kernels.forms_in(characters, starts, ends, forms.table, forms.pool, forms.bounds)
    first, last = starts.tolist(), ends.tolist()
    # What is too long to be kept, or one too many, is unknown still.
    norms = [
        forms.norms[form] if form >= 0 else norm_of(text[start:end])
        for form, start, end in zip(found.tolist(), first, last, strict=True)
    ]
    numbers, unknown = forms.numbers[found], np.flatnonzero(found < 0)
    numbers[unknown] = numbered([norms[word] for word in unknown.tolist()])
    return NumberedWords(Words(first, last, norms), starts, ends, numbers)


def _learn(text: str, characters: CodePoints, forms: _Forms, starts: Sequence[int], ends: Sequence[int]) -> None:
    """Make words forms, each once, as far as there is room."""
    new = {text[start:end]: (start, end) for start, end in zip(starts, ends, strict=True)}
    norms = list(map(norm_of, new))
    for (start, end), norm, number in zip(new.values(), norms, numbered(norms).tolist(), strict=True):
        if end - start <= LONGEST_WORD and len(forms.norms) < _MOST_FORMS:
            form = len(forms.norms)
            forms.numbers[form] = number
            forms.norms.append(norm)
            kernels.add_form(characters, start, end, forms.table, forms.pool, forms.bounds, form)


def _up_to_date() -> _Forms:
    """The forms; begun anew when they are many, or when another table has made numbers."""
    global _forms  # noqa: PLW0603 - one for the process, like the numbers
    if len(_forms.norms) >= _MOST_FORMS or _forms.known != count_of_numbers():
        _forms = _no_forms()
    return _forms
