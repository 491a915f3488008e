"""Short forms of what is found: after "ataxia telangiectasia (A-T)" every "A-T" of the note is one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder.document import Document, word_range

_BRACKETED = re.compile(r"\(\s?(?P<form>[A-Za-z][A-Za-z0-9/+-]{1,9})\s?[);,]")
_LEAST_CAPITALS = 2


def with_short_forms(document: Document, spans: NDArray[np.int64]) -> NDArray[np.int64]:
    """Spans (first word, word after the last, label; int64 [n, 3]) and the short forms of what they name, in order.

    A span that ends before a bracket has its label wherever what is in the bracket stands, but not over another span.
    """
    text = document.text
    if not len(spans) or "(" not in text:
        return spans
    by_last: dict[int, int] | None = None
    taken: set[int] = set()
    added = []
    for match in _BRACKETED.finditer(text):
        form = match["form"]
        if sum(map(str.isupper, form)) < _LEAST_CAPITALS:
            continue
        if by_last is None:
            by_last = {last: row for row, last in enumerate(spans[:, 1].tolist())}
            taken = {word for first, last, _label in spans.tolist() for word in range(first, last)}
        words = word_range(document, *match.span("form"))
        row = by_last.get(words[0]) if words is not None else None
        if row is None:
            continue
        first, last, label = spans[row].tolist()
        start, end = document.span(first, last)
        if text[end : match.start()].strip() or not _stands_for(form, text[start:end]):
            continue
        for other_first, other_last in _places(form, document):
            own = range(other_first, other_last)
            if taken.isdisjoint(own):
                taken.update(own)
                added.append((other_first, other_last, label))
    return np.array(sorted([*map(tuple, spans.tolist()), *added]), dtype=np.int64) if added else spans


def _stands_for(form: str, name: str) -> bool:
    """Whether the letters of a short form stand in a name in their order, the first one at its beginning.

    "ASPA" is not short for "deficiency of aspartoacylase".
    """
    letters, rest = (text.lower() for text in (form, name))
    at = 0
    for letter in filter(str.isalpha, letters):
        at = rest.find(letter, at) + 1
        if not at:
            return False
    return letters[0] == rest[0]


def _places(form: str, document: Document) -> Iterator[tuple[int, int]]:
    """Words of a short form wherever it stands for itself; "A-T" of "A-T-like" does, of "non-A-T" does not."""
    text = document.text
    start = text.find(form)
    while start >= 0:
        end = start + len(form)
        before, after = text[start - 1 : start], text[end : end + 1]
        words = word_range(document, start, end) if not (before.isalnum() or before == "-" or after.isalnum()) else None
        if words is not None and document.span(*words) == (start, end):
            yield words
        start = text.find(form, end)
