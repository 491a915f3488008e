"""From the states that `note_entities` gives words to spans of the text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder.document import Document

# States of a label, from 1 + 4 * label; 0 is outside of all.
BEGIN, INSIDE, END, SINGLE = range(4)
_POSSESSIVES = ("'s", "\u2019s")
# Values go with what compares them: "<20 mg/dL", "\u2265 18 years", "90 %", "HIV+".
VALUES = frozenset({"Lab_value", "Value", "Multiplier"})
_COMPARED = re.compile(r"[<>\u2264\u2265=\u00b1~]+\s*$|[+\u2013-]$")
_BRACKET = re.compile(r"[()\[\]]")
_PERCENT = re.compile(r"\s?%")
_REACH = 4
WordSpanOf = tuple[int, int, str]


def consistent(states: NDArray[np.integer[Any]], scores: NDArray[np.float32]) -> NDArray[np.integer[Any]]:
    """States [T] that follow the rules: as given where they do, else the best sequence around.

    states: the best of each word by itself. scores: [T, S] of all states. Between two words outside, the sequence with
    the most score is taken among the labels that are the best of a word there.
    """
    wrong = _wrong(states)
    if not len(wrong):
        return states
    mended = states.copy()
    for first, last in _stretches(states, wrong):
        labels = sorted({(state - 1) // 4 for state in states[first:last].tolist() if state})
        columns = [0, *(1 + 4 * label + kind for label in labels for kind in range(4))]
        path = _best_path(scores[first:last, columns].tolist(), len(labels))
        mended[first:last] = [columns[state] for state in path]
    return mended


def _wrong(states: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
    """Words that do not go with the one before; the number of words for what is open at the end."""
    plain = np.concatenate([[0], states.astype(np.int16), [0]])
    kinds, labels = (plain - 1) % 4, (plain - 1) // 4  # outside is closed, as an end is
    is_open, goes_on = kinds <= INSIDE, (kinds == INSIDE) | (kinds == END)
    follows = goes_on[1:] & (labels[1:] == labels[:-1])
    return np.flatnonzero(np.where(is_open[:-1], ~follows, goes_on[1:]))


def _stretches(states: NDArray[np.integer[Any]], wrong: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Words (first, after the last) around what is wrong, up to and with a word outside on each side."""
    count, found = len(states), list[tuple[int, int]]()
    for word in wrong.tolist():
        first, last = max(0, word - 1), min(count - 1, word)
        while first > 0 and states[first]:
            first -= 1
        while last < count - 1 and states[last]:
            last += 1
        if found and first < found[-1][1]:
            first = min(first, found.pop()[0])
        found.append((first, last + 1))
    return found


def _best_path(rows: Sequence[Sequence[float]], labels: int) -> list[int]:
    """States with the most score that begin and end outside of any span."""
    closed, opened = 0.0, [_NEVER] * labels
    steps: list[tuple[int, list[int]]] = []
    for row in rows:
        best, own, still, came = closed + row[0], 0, [], []
        for label in range(labels):
            begin = 1 + 4 * label
            alone, ended = closed + row[begin + SINGLE], opened[label] + row[begin + END]
            if alone > best:
                best, own = alone, begin + SINGLE
            if ended > best:
                best, own = ended, begin + END
            fresh, further = closed + row[begin], opened[label] + row[begin + INSIDE]
            still.append(max(fresh, further))
            came.append(begin if fresh >= further else begin + INSIDE)
        closed, opened = best, still
        steps.append((own, came))
    path, inside = [], -1
    for own, came in reversed(steps):
        state = own if inside < 0 else came[inside]
        kind = (state - 1) % 4 if state else SINGLE
        inside = (state - 1) // 4 if state and kind in (INSIDE, END) else -1
        path.append(state)
    return path[::-1]


_NEVER = float("-inf")


def spans_of(words: Sequence[int], states: Sequence[int], labels: Sequence[str]) -> Iterator[WordSpanOf]:
    """(first word, word after the last, label) of each span.

    words: those that have a state other than 0, ascending; states: theirs. Any states give spans in order.
    """
    first = following = current = -1
    for word, state in zip(words, states, strict=True):
        label, kind = divmod(state - 1, 4)
        if label != current or word != following or kind in (BEGIN, SINGLE):
            if current >= 0:
                yield first, following, labels[current]
            first, current = word, label
        following = word + 1
        if kind in (END, SINGLE):
            yield first, following, labels[current]
            current = -1
    if current >= 0:
        yield first, following, labels[current]


def edges(document: Document, first: int, last: int, label: str) -> tuple[int, int]:
    """Characters of words: no possessive at the end, the bracket that closes one inside, and a value's signs."""
    text = document.text
    start, end = document.words.starts[first], document.words.ends[last - 1]
    if text[end - 2 : end] in _POSSESSIVES:
        end -= 2
    if label in VALUES:
        before = text[max(0, start - _REACH) : start]
        compared = _COMPARED.search(before)
        start -= len(before) - compared.start() if compared else 0
        percent = _PERCENT.match(text, end)
        end = percent.end() if percent else end
    inside = text[start:end]
    if inside.isalnum() or _BRACKET.search(inside) is None:
        return start, end
    for opening, closing in ("()", "[]"):
        if text[end : end + 1] == closing and inside.count(opening) > inside.count(closing):
            end += 1
        if start and text[start - 1] == opening and inside.count(closing) > inside.count(opening):
            start -= 1
    return start, end
