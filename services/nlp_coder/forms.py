"""Words of notes as they are written, each normalised and looked up once: what is read again and again is found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder import kernels
from services.nlp_coder.numbered import count_of_numbers, numbered
from services.nlp_coder.tokens import LONGEST_WORD, CodePoints, Words, code_points, norm_of, row_of, words_of

Places: TypeAlias = NDArray[np.int64]
# Different words that are kept; a million notes have fewer that come twice.
MOST_FORMS = 65_536


class FormRows(NamedTuple):
    """Which written word each word of a note is, int64 [words], -1 for one that is not kept.

    begun: how often the written words had been begun anew; equal rows mean equal words only where this is equal too.
    """

    begun: int
    rows: Places


class NumberedWords(NamedTuple):
    """Words with their places again and their numbers, for compiled loops, int64 [words], and their forms."""

    words: Words
    starts: Places
    ends: Places
    numbers: Places
    forms: FormRows


@dataclass(slots=True)
class _Forms:
    """Written words. Form i has the characters `pool[bounds[i]:bounds[i + 1]]`, a norm and a number.

    table: forms by hash. count: of the forms. begun: as of `FormRows`. known: how many words had numbers when this was
    begun.
    """

    begun: int
    known: int
    count: int
    table: NDArray[np.int64]
    pool: NDArray[np.uint8]
    bounds: NDArray[np.int64]
    norms: NDArray[np.object_]
    numbers: NDArray[np.int64]


class FormTable(NamedTuple):
    """Written words for `kernels`, as `_Forms` has them."""

    table: NDArray[np.int64]
    pool: NDArray[np.uint8]
    bounds: NDArray[np.int64]


def form_table(words: Iterable[str]) -> FormTable:
    """A table of some ASCII words, each once."""
    listed = list(words)
    size = 1 << (2 * len(listed)).bit_length()
    pool, bounds = np.zeros(sum(map(len, listed)), dtype=np.uint8), np.zeros(len(listed) + 1, dtype=np.int64)
    made = FormTable(np.full(size, -1, dtype=np.int64), pool, bounds)
    for form, word in enumerate(listed):
        kernels.add_form(code_points(word), 0, len(word), *made, form)
    return made


def _no_forms(begun: int) -> _Forms:
    return _Forms(
        begun,
        count_of_numbers(),
        0,
        np.full(2 * MOST_FORMS, -1, dtype=np.int64),
        np.zeros(MOST_FORMS * LONGEST_WORD, dtype=np.uint8),
        np.zeros(MOST_FORMS + 1, dtype=np.int64),
        np.empty(MOST_FORMS, dtype=np.object_),
        np.zeros(MOST_FORMS, dtype=np.int64),
    )


_forms = _no_forms(0)
_growing = Lock()


def numbered_words(text: str, characters: CodePoints) -> NumberedWords:
    """`words_of` a text with their numbers. characters: its `code_points`. Never raises."""
    if not text.isascii():
        return numbered_again(words_of(text))
    forms = _up_to_date()
    rows, known = kernels.known_words(characters, forms.table, forms.pool, forms.bounds, forms.numbers)
    starts, ends, found, numbers = rows
    norms: list[str] = forms.norms[found].tolist()
    if known < len(found):
        _learn(text, characters, forms, rows, norms)
    words = Words(row_of(starts), row_of(ends), norms)
    return NumberedWords(words, starts, ends, numbers, FormRows(forms.begun, found))


def numbered_again(words: Words) -> NumberedWords:
    """Words with the numbers of their norms."""
    starts, ends = np.array(words.starts, dtype=np.int64), np.array(words.ends, dtype=np.int64)
    no_forms = FormRows(_forms.begun, np.full(len(words), -1, dtype=np.int64))
    return NumberedWords(words, starts, ends, numbered(words.norms), no_forms)


def _learn(text: str, characters: CodePoints, forms: _Forms, rows: Places, norms: list[str]) -> None:
    """Look up what is not known of `known_words` yet, put it into their rows and norms, and remember it."""
    starts, ends, found, numbers = rows
    (new,) = (found < 0).nonzero()
    places, firsts, lasts = new.tolist(), starts[new].tolist(), ends[new].tolist()
    written = [text[first:last] for first, last in zip(firsts, lasts, strict=True)]
    for word, form in zip(places, written, strict=True):
        norms[word] = norm_of(form)
    numbers[new] = numbered([norms[word] for word in places])
    # Each once, and of what is too long none.
    once = {form: word for form, word in zip(written, places, strict=True) if len(form) <= LONGEST_WORD}
    with _growing:
        chosen = list(once.values())[: MOST_FORMS - forms.count]
        first, last = forms.count, forms.count + len(chosen)
        forms.numbers[first:last], forms.norms[first:last] = numbers[chosen], [norms[word] for word in chosen]
        forms.count = last
        kernels.add_forms(characters, starts[chosen], ends[chosen], forms.table, forms.pool, forms.bounds, first)
    found[new] = kernels.forms_in(characters, starts[new], ends[new], forms.table, forms.pool, forms.bounds)


def _up_to_date() -> _Forms:
    """The forms; begun anew when they are many, or when another table has made numbers."""
    global _forms  # noqa: PLW0603 - one for the process, like the numbers
    if _forms.count >= MOST_FORMS or _forms.known != count_of_numbers():
        _forms = _no_forms(_forms.begun + 1)
    return _forms
