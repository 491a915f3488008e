"""What the model `icd_coder` sees of a note. Training and serving share this module."""

from __future__ import annotations

import json
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder import kernels
from services.nlp_coder.code_set import category_of
from services.nlp_coder.document import Document
from services.nlp_coder.evidence import ReadMention, hidden_words, is_patients
from services.nlp_coder.numbered import by_number, number_of
from services.nlp_coder.ranking import Candidates

PADDING = 0
# Longest sequence sent to the model; a longer note is read in windows of as many.
MAX_OCCURRENCES = 4096
# By how much neighbouring windows overlap, so that what the border of one cuts stands whole in the other.
OVERLAP = MAX_OCCURRENCES // 4
# Notes that the same of these lengths holds make a batch, and are padded to the longest of them.
LENGTHS = (64, 128, 256, 384, 512, 640, 768, 1024, 1536, 2048, 3072, MAX_OCCURRENCES)

# Occurrences and candidates are padded to a multiple of these: the model has few shapes to plan for, and little to
# work on that is padding.
OCCURRENCES_STEP = 32
CANDIDATES_STEP = 8
# Column of a code or category that training has not seen.
NO_COLUMN = -1

TermAt = tuple[str, int, int]
_KnownAt = tuple[int, int, int]
# Terms that the model knows, [N, 3]: id, first word, word after the last.
_Known = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Terms of the model: `ids[term]` from 1, `idf[id]`; `codes` and `categories` by the column of its weights.

    `model_sha256`: the model file that these ids belong to. `least_length`: a note whose tf-idf vector is shorter is
    not stretched to length 1; it says less. `singles`: the same ids by the number of a word. `pairs`: those of two
    words by their numbers, as `kernels.lookup_table`.
    """

    ids: Mapping[str, int]
    idf: NDArray[np.float64]
    codes: Sequence[str]
    code_columns: Mapping[str, int]
    category_columns: Mapping[str, int]
    least_length: float
    model_sha256: str
    singles: NDArray[np.int64] = field(init=False, repr=False, compare=False)
    pairs: NDArray[np.int64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        words = {tuple(term.split(" ")): index for term, index in self.ids.items() if _is_term(term)}
        singles = {known[0]: index for known, index in words.items() if len(known) == 1}
        pairs = [(number_of(known[0]), number_of(known[1]), index) for known, index in words.items() if len(known) > 1]
        first, second, ids = np.array(pairs, dtype=np.int64).reshape(-1, 3).T
        object.__setattr__(self, "singles", by_number(singles, np.int64))
        object.__setattr__(self, "pairs", kernels.lookup_table(first << 32 | second, ids.copy()))


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Model input of one note, in order: term ids, tf-idf weights, and the words of each.

    words: int64 [N, 2], the first and the one after the last.
    """

    token_ids: NDArray[np.int64]
    weights: NDArray[np.float32]
    words: NDArray[np.int64]


NO_OCCURRENCES = Occurrences(
    np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32), np.zeros((0, 2), dtype=np.int64)
)


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One window of a note, and the candidates that are mentioned in it, with their evidence in the whole note.

    codes, categories: columns of the candidates, int64 [M], `NO_COLUMN` for what training has not seen.
    evidence: float32 [M, E], see `ranking.EVIDENCE`. chosen: which candidates of the note these are; None for all.
    """

    occurrences: Occurrences
    codes: NDArray[np.int64]
    categories: NDArray[np.int64]
    evidence: NDArray[np.float32]
    chosen: NDArray[np.int64] | None = None


def load_vocabulary(folder: Path) -> Vocabulary:
    """Read `vocabulary.json` and `labels.json` beside the model. Raises FileNotFoundError."""
    terms = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    ids = {term: index for index, term in enumerate(terms, start=1)}
    return Vocabulary(
        ids,
        np.array([0.0, *terms.values()]),
        labels["codes"],
        {code: column for column, code in enumerate(labels["codes"])},
        {name: column for column, name in enumerate(labels["categories"])},
        labels["least_length"],
        labels["model_sha256"],
    )


def _is_term(norm: str) -> bool:
    """Whether a word of a note is a term, or begins one: no bare number, and no sign."""
    return not norm.isdigit() and norm[:1].isalnum()


def terms_of(document: Document, mentions: Sequence[ReadMention]) -> list[TermAt]:
    """(term, first word, word after the last): dictionary codes as "=J18.9", words, and pairs of words.

    Words of mentions that are negated, of the family or otherwise not the patient's are left out.
    """
    norms, stops = document.words.norms, document.stops
    terms, hidden = _named(mentions, len(norms))
    for index, norm in enumerate(norms):
        if hidden[index] or not _is_term(norm):
            continue
        following = index + 1
        terms.append((norm, index, following))
        if following < stops[index] and not hidden[following]:
            terms.append((f"{norm} {norms[following]}", index, index + 2))
    return terms


def _named(mentions: Sequence[ReadMention], words: int) -> tuple[list[TermAt], bytearray]:
    """Codes of the patient's mentions, as terms; and for each word, 1 where it is hidden by another mention."""
    patients = [read.mention for read in mentions if is_patients(read.reading)]
    return [(f"={mention.code}", mention.first, mention.last) for mention in patients], hidden_words(mentions, words)


def windows_in(document: Document, mentions: Sequence[ReadMention], vocabulary: Vocabulary) -> list[Occurrences]:
    """`windows_of` the `terms_of` a note, without making the many terms that the model does not know."""
    ids, columns = vocabulary.ids, document.columns
    named, hidden = _named(mentions, len(columns.numbers))
    spoken = kernels.terms_in(
        vocabulary.singles, vocabulary.pairs, columns.numbers, columns.stops, np.frombuffer(hidden, dtype=np.uint8)
    )
    known = _rows((ids[term], first, last) for term, first, last in named if term in ids)
    return _windows(np.concatenate([known, spoken]), vocabulary)


def windows_of(terms: Iterable[TermAt], vocabulary: Vocabulary) -> list[Occurrences]:
    """Model inputs of a note: one, or for more than `MAX_OCCURRENCES` known terms overlapping windows in text order.

    A window is weighed as a note of its own: in the vector of a whole book, no term would weigh anything. A note
    without a known term has no window.
    """
    ids = vocabulary.ids
    return _windows(_rows((ids[term], first, last) for term, first, last in terms if term in ids), vocabulary)


def _rows(known: Iterable[_KnownAt]) -> _Known:
    return np.array(list(known), dtype=np.int64).reshape(-1, 3)


def _windows(known: _Known, vocabulary: Vocabulary) -> list[Occurrences]:
    if len(known) <= MAX_OCCURRENCES:
        return [_weighed(known, vocabulary)] if len(known) else []
    known = known[np.lexsort((known[:, 2], known[:, 1]))]
    starts = range(0, len(known) - OVERLAP, MAX_OCCURRENCES - OVERLAP)
    return [_weighed(known[start : start + MAX_OCCURRENCES], vocabulary) for start in starts]


def model_inputs(windows: Sequence[Occurrences], candidates: Candidates, vocabulary: Vocabulary) -> list[ModelInput]:
    """What the model is asked of a note: each window with its candidates; nothing when there are neither."""
    if not windows and candidates.codes:
        windows = [NO_OCCURRENCES]
    codes = [vocabulary.code_columns.get(code, NO_COLUMN) for code in candidates.codes]
    categories = [vocabulary.category_columns.get(category_of(code), NO_COLUMN) for code in candidates.codes]
    columns = np.array(codes, dtype=np.int64), np.array(categories, dtype=np.int64)
    if len(windows) == 1:
        return [ModelInput(_distinct(windows[0]), *columns, candidates.evidence)]
    inputs = []
    for number, window in enumerate(windows):
        # What stands before the first known term or after the last belongs to the first and the last window.
        first = int(window.words[0, 0]) if number else 0
        last = int(window.words[-1, 0]) if number < len(windows) - 1 else sys.maxsize
        chosen = np.array(_mentioned(candidates.places, first, last), dtype=np.int64)
        of_codes, of_categories = (column[chosen] for column in columns)
        evidence = candidates.evidence[chosen]
        inputs.append(ModelInput(_distinct(window), of_codes, of_categories, evidence, chosen))
    return inputs


def _mentioned(places: Sequence[Sequence[int]], first: int, last: int) -> list[int]:
    """Indices of those that have a place from `first` to `last`."""
    return [index for index, own in enumerate(places) if bisect_left(own, first) < bisect_right(own, last)]


def _distinct(window: Occurrences) -> Occurrences:
    """Each term once, with all of its weight, at its first place: half the work for the model, the same sums."""
    token_ids, weights, first = kernels.distinct(window.token_ids, window.weights)
    return Occurrences(token_ids, weights, window.words[first])


def _weighed(known: _Known, vocabulary: Vocabulary) -> Occurrences:
    """Occurrences with their share of the vector of all of them (sublinear tf-idf, Euclidean length at most 1)."""
    token_ids = known[:, 0].copy()
    weights = kernels.weights_of(token_ids, vocabulary.idf, vocabulary.least_length)
    return Occurrences(token_ids, weights, known[:, 1:].copy())


def padded(batch: Sequence[ModelInput]) -> dict[str, NDArray[Any]]:
    """Inputs of the model by name, [B, ...]: occurrences and candidates padded to those of the longest note."""
    length = _rounded_up(max(len(one.occurrences.token_ids) for one in batch), OCCURRENCES_STEP)
    width = _rounded_up(max(len(one.codes) for one in batch), CANDIDATES_STEP)
    token_ids = np.full((len(batch), length), PADDING, dtype=np.int64)
    weights = np.zeros((len(batch), length), dtype=np.float32)
    codes = np.full((len(batch), width), NO_COLUMN, dtype=np.int64)
    categories = np.full((len(batch), width), NO_COLUMN, dtype=np.int64)
    evidence = np.zeros((len(batch), width, batch[0].evidence.shape[1]), dtype=np.float32)
    for row, one in enumerate(batch):
        count, candidates = len(one.occurrences.token_ids), len(one.codes)
        token_ids[row, :count] = one.occurrences.token_ids
        weights[row, :count] = one.occurrences.weights
        codes[row, :candidates] = one.codes
        categories[row, :candidates] = one.categories
        evidence[row, :candidates] = one.evidence
    return {
        "token_ids": token_ids,
        "weights": weights,
        "candidate_codes": codes,
        "candidate_categories": categories,
        "evidence": evidence,
    }


def _rounded_up(count: int, step: int) -> int:
    """The least multiple of `step` that holds `count`, and at least one step."""
    return max(1, -(-count // step)) * step


def batch_length(count: int) -> int:
    """The least of `LENGTHS` that holds `count` occurrences; `count` at most `MAX_OCCURRENCES`."""
    return next(length for length in LENGTHS if length >= count)
