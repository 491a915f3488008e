"""Codes that only the model proposes and nobody selects: most of a ranking, and all of it known to the model's graph.

Nothing that the text says in words is about them, so no rule asks for them, and they go into the answer as they come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from vigil.v1.meta_pb2 import ModelVersion
from vigil.v1.notes_pb2 import NoteCode, NoteCoded

from services.nlp_coder import guess_kernels
from services.nlp_coder.code_set import CodeSet, category_of
from services.nlp_coder.coding import MODEL, NEVER_GUESSED, published
from services.nlp_coder.document import Document
from services.nlp_coder.features import Occurrences
from services.nlp_coder.models import LEAST_CONTRIBUTION, Prediction, Proposed
from services.nlp_coder.reading import ReadNote

_CODES_TAG = NoteCoded.DESCRIPTOR.fields_by_name["codes"].number << 3 | 2
_LINE = "\n"


@dataclass(frozen=True, slots=True)
class GuessTable:
    """What an answer says of each code that the model knows, by the column of its weights.

    columns: of a code. categories: their numbers, and category: that of each column. always_told: those that no guess
    may name. ranks: places in the order of the codes. heads: code, name and origin as bytes of a `NoteCode`, from
    bounds[column] to the next.
    """

    codes: Sequence[str]
    columns: Mapping[str, int]
    categories: Mapping[str, int]
    category: NDArray[np.int64]
    always_told: NDArray[np.bool_]
    ranks: NDArray[np.int64]
    heads: NDArray[np.uint8]
    bounds: NDArray[np.int64]
    billable: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Guesses:
    """Codes by their column, and scores, the likeliest first; each as a `NoteCoded` message from begins[i] to the next.

    names: codes by column, and of_name the columns of codes.
    """

    columns: Sequence[int]
    scores: Sequence[float]
    messages: bytes
    begins: Sequence[int]
    names: Sequence[str]
    of_name: Mapping[str, int]

    def code(self, row: int) -> str:
        """One of the codes."""
        return self.names[self.columns[row]]

    def without(self, codes: Sequence[str]) -> Guesses:
        """The others."""
        gone = {self.of_name.get(code) for code in codes}
        if gone.isdisjoint(self.columns):
            return self
        kept = [row for row, column in enumerate(self.columns) if column not in gone]
        each = [self.messages[self.begins[row] : self.begins[row + 1]] for row in kept]
        begins = [0, *accumulate(map(len, each))]
        columns, scores = [self.columns[row] for row in kept], [self.scores[row] for row in kept]
        return Guesses(columns, scores, b"".join(each), begins, self.names, self.of_name)


NO_GUESSES = Guesses((), (), b"", (0,), (), {})


def guess_table(codes: Sequence[str], code_set: CodeSet) -> GuessTable:
    """codes: by column."""
    known = [published(code, code_set) for code in codes]
    heads = [
        NoteCode(code=code, display=display, origin=MODEL).SerializeToString()
        for code, (display, _billable) in zip(codes, known, strict=True)
    ]
    categories = {category: number for number, category in enumerate(dict.fromkeys(map(category_of, codes)))}
    return GuessTable(
        codes,
        {code: column for column, code in enumerate(codes)},
        categories,
        np.array([categories[category_of(code)] for code in codes], dtype=np.int64),
        np.array([code in NEVER_GUESSED for code in codes], dtype=np.bool_),
        np.argsort(np.argsort(np.array(codes))).astype(np.int64),
        np.frombuffer(b"".join(heads), dtype=np.uint8),
        np.cumsum([0, *map(len, heads)], dtype=np.int64),
        np.array([billable for _display, billable in known], dtype=np.bool_),
    )


def set_apart(
    prediction: Prediction, note: ReadNote, occurrences: Occurrences, threshold: float, table: GuessTable
) -> tuple[Prediction, Guesses]:
    """The prediction without the guesses that no rule has to see, and these, the likeliest first.

    A rule may ask for what reaches the threshold, and for what shares its category with a mention, or its code with
    words that stand apart.
    """
    proposed = prediction.proposed
    if proposed is None:
        return prediction, NO_GUESSES
    spoken_of = {category_of(read.mention.code) for read in note.mentions} & table.categories.keys()
    is_spoken_of = np.zeros(len(table.categories), dtype=np.bool_)
    is_spoken_of[[table.categories[category] for category in spoken_of]] = True
    is_told = table.always_told.copy()
    is_told[[table.columns[one.mention.code] for one in note.loose if one.mention.code in table.columns]] = True
    rows, others, useful = guess_kernels.apart(
        proposed.columns, proposed.probability, proposed.positions, proposed.contributions, len(occurrences.words),
        is_told, is_spoken_of, table.category, table.ranks, LEAST_CONTRIBUTION, threshold,
    )  # fmt: skip
    whole = Prediction({**prediction.scored, **proposed.scored(others, table.codes)}, prediction.version)
    if not len(rows):
        return whole, NO_GUESSES
    words = note.document.columns
    messages, begins = guess_kernels.messages(
        _CODES_TAG, rows, proposed.columns, proposed.probability, proposed.positions, useful, occurrences.words,
        words.starts, words.ends, _lines_of(note.document), table.heads, table.bounds, table.billable,
    )  # fmt: skip
    columns, scores = proposed.columns[rows].tolist(), proposed.probability[rows].tolist()
    return whole, Guesses(columns, scores, messages.tobytes(), begins.tolist(), table.codes, table.columns)


def _lines_of(document: Document) -> NDArray[np.uint8]:
    """The normalised words in UTF-8, each on a line of its own between two line feeds."""
    return np.frombuffer(f"\n{_LINE.join(document.words.norms)}\n".encode(), dtype=np.uint8)


def warm_up_guesses(note: ReadNote, table: GuessTable) -> None:
    """Have the loops compiled. note: of any words."""
    occurrences = Occurrences(np.ones(1, dtype=np.int64), np.ones(1, dtype=np.float32), np.array([(0, 1)]))
    half = np.full((1, 1), 0.5, dtype=np.float32)
    places = np.zeros((1, 1), dtype=np.int64)
    guess = Proposed(places[0], half[0], half[0], places, half)
    set_apart(Prediction({}, ModelVersion(), guess), note, occurrences, 1.0, table)
