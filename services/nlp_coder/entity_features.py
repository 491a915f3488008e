"""Model input of `note_entities`: for each word of a note, the rows of the embedding table that it adds up."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder import entity_kernels
from services.nlp_coder.assertion import WordSpan
from services.nlp_coder.document import Document
from services.nlp_coder.evidence import ReadMention
from services.nlp_coder.forms import MOST_FORMS
from services.nlp_coder.tokens import LONGEST_WORD, norm_of

# Buckets of what is hashed: beginnings and endings of words that the vocabulary lacks, shapes, what parts two words.
AFFIXES, SHAPES, GAPS = 4096, 256, 64
# States of a word in the dictionary's mentions, in the names of drugs that the service knows, and in the names of the
# vocabularies: none, and four places for each kind or class.
MENTION_KINDS = ("disease", "sign_symptom")
MENTIONS, DRUGS, NAMES = 1 + 4 * len(MENTION_KINDS), 5, 1 + 4 * 7
MOST_WORDS_OF_A_NAME = 6
COLUMNS, PLACES = 4, 3
# Words of a window, and words that two windows share on each side.
MAX_WORDS, OVERLAP = 2048, 16
WORDS_STEP = 64
_DIGIT = re.compile(r"\d")
_RUN = re.compile(r"(.)\1{2,}")
# Different words that are remembered beside those of `forms`.
_MOST_OTHERS = 65_536


def lexical(word: str) -> str:
    """A word as the vocabulary knows it: lower case, without a possessive, every digit a nought."""
    plain = word.lower().removesuffix("'s").removesuffix("\u2019s")
    return plain if plain.isalpha() else _DIGIT.sub("0", plain)


def shape(word: str) -> str:
    """Its capitals, digits and others, runs cut to two: "Xx", "XX0", "xx"."""
    return _RUN.sub(r"\1\1", word.translate(_SHAPES))


class _Shapes(dict[int, str]):
    """What stands for a character in a shape."""

    def __missing__(self, character: int) -> str:
        stands = self[character] = "0" if chr(character).isdecimal() else "u"
        return stands


_SHAPES = _Shapes(
    {ord(own): stands for each, stands in ((ascii_uppercase, "X"), (ascii_lowercase, "x")) for own in each}
    | {ord(own): own for own in "'\u2019.+-"}
)


def hashed(text: str, buckets: int) -> int:
    """A stable bucket."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) % buckets


def key_of(norm: str) -> int:
    """A normalised word's key in the names of the vocabularies: 64 bits."""
    return int.from_bytes(blake2b(norm.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)


class _Met(NamedTuple):
    """Words that were met, and what is known of them, as `entity_kernels.model_input` has it.

    about, is_met: int64 [forms, 5] and bool [forms], of the words that `forms` keeps since it had been `begun` so
    often. others: of those that it does not keep. numbers: by lexical word.
    """

    begun: int
    about: NDArray[np.int64]
    is_met: NDArray[np.bool_]
    others: dict[str, tuple[int, ...]]
    numbers: dict[str, int]


def _none_met(begun: int) -> _Met:
    return _Met(begun, np.zeros((MOST_FORMS, 5), dtype=np.int64), np.zeros(MOST_FORMS, dtype=np.bool_), {}, {})


@dataclass(slots=True)
class EntityVocabulary:
    """Words by row, from 1, and the vocabularies' names by hash (`entity_kernels.names_table`).

    model_sha256: of the model whose rows these are. Written words that were met are remembered.
    """

    ids: Mapping[str, int]
    names: NDArray[np.uint32]
    model_sha256: str
    offsets: Sequence[int] = field(init=False)
    _layout: tuple[int, int, int, int] = field(init=False)
    _sieve: NDArray[np.uint8] = field(init=False)
    _met: _Met = field(default_factory=partial(_none_met, 0))
    _growing: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.lay_out(len(self.ids))
        self._sieve = entity_kernels.marks_of(self.names)

    def lay_out(self, words: int) -> None:
        """Have rows for so many words, of which some may be unknown."""
        sizes = [words + 1, AFFIXES, AFFIXES, SHAPES * GAPS, MENTIONS * DRUGS * NAMES]
        # First row of the words, beginnings, endings, shapes with gaps, and marks; and how many rows there are.
        self.offsets = [0, *accumulate(sizes)]
        self._layout = self.offsets[3], GAPS, self.offsets[4], 4

    def affixes(self, word: str) -> tuple[int, int]:
        """Rows of a word's beginning and ending, which stand for one that the vocabulary lacks."""
        return self.offsets[1] + hashed(word[:3], AFFIXES), self.offsets[2] + hashed(word[-4:], AFFIXES)

    def input_of(self, document: Document, spans: NDArray[np.int64]) -> EntityInput:
        """All words of a note. spans: what is known to stand where, see `entity_kernels.model_input`."""
        columns = document.columns
        about, rows = self._about(document)
        ids, same = entity_kernels.model_input(
            columns.characters,
            columns.starts,
            columns.ends,
            about,
            rows,
            spans,
            self.names,
            self._sieve,
            MOST_WORDS_OF_A_NAME,
            self._layout,
        )
        return EntityInput(ids, same)

    def _about(self, document: Document) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What is known of words, int64 [N, 5], and the row of each word of a note, int64 [T]."""
        forms, met = document.columns.forms, self._met
        if met.begun != forms.begun or len(met.others) > _MOST_OTHERS:
            met = self._met = _none_met(forms.begun)
        unmet = entity_kernels.unmet(forms.rows, met.is_met)
        if not len(unmet):
            return met.about, forms.rows
        # Of a longer word the beginning counts.
        words = unmet.tolist()
        starts, ends = document.words.starts, document.words.ends
        surfaces = [document.text[starts[word] : min(ends[word], starts[word] + LONGEST_WORD)] for word in words]
        rows = forms.rows[unmet].tolist()
        with self._growing:
            for surface, row in zip(surfaces, rows, strict=True):
                if row < 0 and surface not in met.others:
                    met.others[surface] = self._known(surface, met)
                elif row >= 0 and not met.is_met[row]:
                    met.about[row], met.is_met[row] = self._known(surface, met), True
        if min(rows) >= 0:
            return met.about, forms.rows
        about = met.about.take(forms.rows, axis=0)
        about[unmet] = [
            met.others[surface] if row < 0 else met.about[row] for surface, row in zip(surfaces, rows, strict=True)
        ]
        return about, np.arange(len(about))

    def _known(self, surface: str, met: _Met) -> tuple[int, ...]:
        """Of a word, see `entity_kernels.model_input`."""
        word, numbers = lexical(surface), met.numbers
        own = self.ids.get(word, 0)
        rows = (own, 0) if own else self.affixes(word)
        return *rows, hashed(shape(surface), SHAPES), numbers.setdefault(word, len(numbers)), key_of(norm_of(surface))


@dataclass(frozen=True, slots=True)
class EntityInput:
    """Words of a note or a window of it.

    ids: int32 [T, COLUMNS], rows of the embedding table. same: int32 [T, PLACES], the first place of the same word, the
    one before and the one after; where there is none, the word itself.
    """

    ids: NDArray[np.int32]
    same: NDArray[np.int32]


def encoded(
    document: Document, mentions: Sequence[ReadMention], drugs: Sequence[WordSpan], vocabulary: EntityVocabulary
) -> EntityInput:
    """All words of a note. mentions: of the code set's dictionary. drugs: where names of drugs stand."""
    spans = [(one.mention.first, one.mention.last, *_STEPS[one.mention.kind]) for one in mentions]
    spans += [(first, last, NAMES, NAMES) for first, last in drugs]
    return vocabulary.input_of(document, np.array(spans, dtype=np.int64).reshape(-1, 4))


# What the first state of a mention of a kind adds to a mark, and each further one.
_STEPS = {kind: ((1 + 4 * row) * DRUGS * NAMES, DRUGS * NAMES) for row, kind in enumerate(MENTION_KINDS)}


def windows_of(whole: EntityInput) -> list[EntityInput]:
    """One, or for a long note overlapping windows, each a note of its own."""
    count = len(whole.ids)
    if count <= MAX_WORDS:
        return [whole]
    return [_window(whole, start) for start in range(0, count - 2 * OVERLAP, MAX_WORDS - 2 * OVERLAP)]


def _window(whole: EntityInput, start: int) -> EntityInput:
    ids, same = whole.ids[start : start + MAX_WORDS], whole.same[start : start + MAX_WORDS] - start
    itself = np.arange(len(ids), dtype=np.int32)[:, None]
    return EntityInput(ids, np.where((same >= 0) & (same < len(ids)), same, itself))


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
    same = np.zeros((len(batch), length, PLACES), dtype=np.int32)
    mask = np.zeros((len(batch), length), dtype=np.float32)
    for row, one in enumerate(batch):
        count = len(one.ids)
        ids[row, :count], same[row, :count], mask[row, :count] = one.ids, one.same, 1.0
    return {"ids": ids, "same": same, "mask": mask}


def words_length(count: int) -> int:
    """The least multiple of `WORDS_STEP` that holds `count` words, and at least one step."""
    return max(1, -(-count // WORDS_STEP)) * WORDS_STEP


def load_entity_vocabulary(folder: Path) -> EntityVocabulary:
    """Read `words.txt`, `names.npy` and `labels.json` beside the model. Raises FileNotFoundError."""
    words = (folder / "words.txt").read_text(encoding="utf-8").split("\n")
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    names = np.load(folder / "names.npy", allow_pickle=False)
    return EntityVocabulary({word: row for row, word in enumerate(words, start=1)}, names, labels["model_sha256"])
