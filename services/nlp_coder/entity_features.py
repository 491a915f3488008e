"""Model input of `note_entities`: for each word of a note, the rows of the embedding table that it adds up."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder.assertion import WordSpan
from services.nlp_coder.document import Document
from services.nlp_coder.evidence import ReadMention

# Buckets of what is hashed: beginnings and endings of words that the vocabulary lacks, shapes, what parts two words.
AFFIXES, SHAPES, GAPS = 4096, 256, 64
# States of a word in the dictionary's mentions, and in the names of drugs: none, and four places for each kind.
MENTION_KINDS = ("disease", "sign_symptom")
_MENTIONS, _NAMES = 1 + 4 * len(MENTION_KINDS), 5
COLUMNS = 5
# Words of a window, and words that two windows share on each side.
MAX_WORDS, OVERLAP = 2048, 16
WORDS_STEP = 64
_DIGIT = re.compile(r"\d")
_UPPER, _LOWER, _OTHER = re.compile(r"[A-Z]"), re.compile(r"[a-z]"), re.compile(r"[^Xx0'\u2019.+-]")
_RUN = re.compile(r"(.)\1{2,}")
_LONGEST_GAP = 3
_MOST_SURFACES = 65536


def lexical(word: str) -> str:
    """A word as the vocabulary knows it: lower case, without a possessive, every digit a nought."""
    plain = word.lower().removesuffix("'s").removesuffix("\u2019s")
    return _DIGIT.sub("0", plain)


def shape(word: str) -> str:
    """Its capitals, digits and others, runs cut to two: "Xx", "XX0", "xx"."""
    plain = _LOWER.sub("x", _UPPER.sub("X", word.replace("X", "A").replace("x", "a")))
    return _RUN.sub(r"\1\1", _OTHER.sub("u", _DIGIT.sub("0", plain)))


def hashed(text: str, buckets: int) -> int:
    """A stable bucket."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) % buckets


@dataclass(slots=True)
class EntityVocabulary:
    """Words by row, from 1, and what was made of words met so far. model_sha256: of the model whose rows these are."""

    ids: Mapping[str, int]
    model_sha256: str
    offsets: Sequence[int] = field(init=False)
    _numbers: dict[str, int] = field(default_factory=dict)
    _gaps: dict[str, int] = field(default_factory=dict)
    _rows: NDArray[np.int32] = field(default_factory=lambda: np.zeros((1024, 4), dtype=np.int32))

    def __post_init__(self) -> None:
        sizes = [len(self.ids) + 1, AFFIXES, AFFIXES, SHAPES, GAPS, _MENTIONS * _NAMES]
        # First row of the words, beginnings, endings, shapes, gaps and marks; and how many rows there are.
        self.offsets = [0, *accumulate(sizes)]

    def rows_of(self, surfaces: Sequence[str]) -> NDArray[np.int32]:
        """[T, 4]: the three rows of each word by itself, and a number that equal words share."""
        if len(self._numbers) > _MOST_SURFACES:
            self._numbers.clear()
        numbers = self._numbers
        try:
            found = [numbers[surface] for surface in surfaces]
        except KeyError:
            for surface in surfaces:
                if surface not in numbers:
                    self._learn(surface)
            found = [numbers[surface] for surface in surfaces]
        return self._rows.take(found, axis=0)

    def _learn(self, surface: str) -> None:
        number = len(self._numbers)
        if number >= len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        word = lexical(surface)
        own, form = self.ids.get(word, 0), self.offsets[3] + hashed(shape(surface), SHAPES)
        if own:
            self._rows[number] = own, 0, form, own
        else:
            self._rows[number] = *self.affixes(word), form, -1 - hashed(word, 2**31 - 1)
        self._numbers[surface] = number

    def affixes(self, word: str) -> tuple[int, int]:
        """Rows of a word's beginning and ending, which stand for one that the vocabulary lacks."""
        return self.offsets[1] + hashed(word[:3], AFFIXES), self.offsets[2] + hashed(word[-4:], AFFIXES)

    def gap(self, between: str) -> int:
        """Row of what stands between two words, by its first three characters."""
        own = self._gaps.get(between)
        if own is None:
            if len(self._gaps) > _MOST_SURFACES:
                self._gaps.clear()
            own = self._gaps[between] = self.offsets[4] + hashed(between[:_LONGEST_GAP], GAPS)
        return own


@dataclass(frozen=True, slots=True)
class EntityInput:
    """Words of a note or a window of it. ids: int32 [T, COLUMNS]. same: int32 [T], first place of the same word."""

    ids: NDArray[np.int32]
    same: NDArray[np.int32]


def encoded(
    document: Document, mentions: Sequence[ReadMention], drugs: Sequence[WordSpan], vocabulary: EntityVocabulary
) -> EntityInput:
    """All words of a note. mentions: of the code set's dictionary. drugs: where names of drugs stand."""
    text, words = document.text, document.words
    starts, ends = words.starts, words.ends
    rows = vocabulary.rows_of([text[start:end] for start, end in zip(starts, ends, strict=True)])
    ids = np.empty((len(words), COLUMNS), dtype=np.int32)
    ids[:, :3] = rows[:, :3]
    gap = vocabulary.gap
    ids[:, 3] = [gap(text[end:start]) for end, start in zip([0, *ends], starts, strict=False)]
    marks = [vocabulary.offsets[5]] * len(words)
    for read in mentions:
        mention = read.mention
        _mark(marks, mention.first, mention.last, (1 + 4 * MENTION_KINDS.index(mention.kind)) * _NAMES, _NAMES)
    for first, last in drugs:
        _mark(marks, first, last, 1, 1)
    ids[:, 4] = marks
    _distinct, places, inverse = np.unique(rows[:, 3], return_index=True, return_inverse=True)
    return EntityInput(ids, places[inverse].astype(np.int32))


def _mark(marks: list[int], first: int, last: int, row: int, step: int) -> None:
    """States of a mention: its beginning, inside and end, or a single word."""
    if last - first == 1:
        marks[first] += row + 3 * step
        return
    marks[first] += row
    for word in range(first + 1, last - 1):
        marks[word] += row + step
    marks[last - 1] += row + 2 * step


def windows_of(whole: EntityInput) -> list[EntityInput]:
    """One, or for a long note overlapping windows, each a note of its own."""
    count = len(whole.ids)
    if count <= MAX_WORDS:
        return [whole]
    return [_window(whole, start) for start in range(0, count - 2 * OVERLAP, MAX_WORDS - 2 * OVERLAP)]


def _window(whole: EntityInput, start: int) -> EntityInput:
    same = whole.same[start : start + MAX_WORDS]
    _distinct, places, inverse = np.unique(same, return_index=True, return_inverse=True)
    return EntityInput(whole.ids[start : start + MAX_WORDS], places[inverse].astype(np.int32))


def joined(rows: Sequence[NDArray[Any]], count: int) -> NDArray[Any]:
    """One answer [T, ...] from those of the windows: of shared words from the window that sees more around them."""
    if len(rows) == 1:
        return rows[0][:count]
    step, parts = MAX_WORDS - 2 * OVERLAP, []
    for number, row in enumerate(rows):
        first = OVERLAP if number else 0
        last = OVERLAP + step if number < len(rows) - 1 else count - number * step
        parts.append(row[first:last])
    return np.concatenate(parts)


def padded(batch: Sequence[EntityInput]) -> dict[str, NDArray[Any]]:
    """Inputs of the model by name, [B, ...], padded to the longest."""
    length = words_length(max(len(one.ids) for one in batch))
    ids = np.zeros((len(batch), length, COLUMNS), dtype=np.int32)
    same = np.tile(np.arange(length, dtype=np.int32), (len(batch), 1))
    mask = np.zeros((len(batch), length), dtype=np.float32)
    for row, one in enumerate(batch):
        count = len(one.ids)
        ids[row, :count], same[row, :count], mask[row, :count] = one.ids, one.same, 1.0
    return {"ids": ids, "same": same, "mask": mask}


def words_length(count: int) -> int:
    """The least multiple of `WORDS_STEP` that holds `count` words, and at least one step."""
    return max(1, -(-count // WORDS_STEP)) * WORDS_STEP


def load_entity_vocabulary(folder: Path) -> EntityVocabulary:
    """Read `words.txt` and `labels.json` beside the model. Raises FileNotFoundError."""
    words = (folder / "words.txt").read_text(encoding="utf-8").split("\n")
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    return EntityVocabulary({word: row for row, word in enumerate(words, start=1)}, labels["model_sha256"])
