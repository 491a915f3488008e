"""From dictionary evidence and model output to one calibrated, ranked list of codes (logistic stacking)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder.evidence import CATEGORY_CHARACTERS, CodeEvidence, ReadMention

# Columns of the feature matrix, in order.
FEATURES = (
    "model_logit",
    "category_logit",
    "is_label",
    "in_dictionary",
    "mentions",
    "precision_logit",
    "longest_term",
    "earliness",
    "plainly_present",
    "only_possible",
    "mentioned_otherwise",
    "is_symptom",
    "is_circumstance",
    "dictionary_x_model",
    "dictionary_x_symptom",
    "dictionary_x_unlabelled",
    "dictionary_x_category",
)
# What a code gets that the model has no output for; below every logit the model gives.
_NO_LOGIT = -7.0
_MOST_MENTIONS = 5
_SMOOTHING = 2.0
_UNKNOWN_PRECISION = 0.5


@dataclass(frozen=True, slots=True)
class ModelView:
    """The model's calibrated probabilities of one note, by code and by three-character category."""

    codes: Mapping[str, float]
    categories: Mapping[str, float]


NO_MODEL = ModelView({}, {})


@dataclass(frozen=True, slots=True)
class Stacker:
    """Logistic regression over standardised `FEATURES`; `threshold` is the operating point, 0 to 1."""

    means: NDArray[np.float64]
    scales: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercept: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Ranker:
    r"""How evidence becomes scores: with the model, and with the dictionary alone.

    `hits`: for "phrase\tcode" and for the code alone, (notes where the code was right, notes with the phrase).
    """

    with_model: Stacker
    dictionary_alone: Stacker
    hits: Mapping[str, tuple[int, int]]


def load_ranker(folder: Path) -> Ranker:
    """Read `stacker.json` and `term_hits.json` beside the model. Raises FileNotFoundError."""
    stackers = json.loads((folder / "stacker.json").read_text(encoding="utf-8"))
    hits = json.loads((folder / "term_hits.json").read_text(encoding="utf-8"))
    return Ranker(
        _stacker(stackers["with_model"]),
        _stacker(stackers["dictionary_alone"]),
        {key: (right, seen) for key, (right, seen) in hits.items()},
    )


def _stacker(entry: Mapping[str, Sequence[float] | float]) -> Stacker:
    return Stacker(
        np.array(entry["means"]),
        np.array(entry["scales"]),
        np.array(entry["coefficients"]),
        float(entry["intercept"]),  # type: ignore[arg-type]  # a number by construction
        float(entry["threshold"]),  # type: ignore[arg-type]
    )


def scores(stacker: Stacker, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability that each code is right. features: [codes, len(FEATURES)]. Returns [codes] in (0, 1)."""
    logits = (features - stacker.means) / stacker.scales @ stacker.coefficients + stacker.intercept
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), dtype=np.float64)


def features_of(
    codes: Sequence[str],
    evidence: Mapping[str, CodeEvidence],
    model: ModelView,
    hits: Mapping[str, tuple[int, int]],
    words: int,
) -> NDArray[np.float64]:
    """Feature matrix [codes, len(FEATURES)] of candidate codes. words: length of the note."""
    none = CodeEvidence()
    matrix = [_row(code, evidence.get(code, none), model, hits, words) for code in codes]
    return np.array(matrix, dtype=np.float64).reshape(len(codes), len(FEATURES))


def _row(
    code: str, evidence: CodeEvidence, model: ModelView, hits: Mapping[str, tuple[int, int]], words: int
) -> list[float]:
    probability = model.codes.get(code)
    logit = _NO_LOGIT if probability is None else _logit(probability)
    category = _logit(model.categories.get(code[:CATEGORY_CHARACTERS], 0.0))
    symptom = float(code[0] == "R")
    mentions = evidence.patients
    found = float(bool(mentions))
    return [
        logit,
        category,
        float(probability is not None),
        found,
        min(len(mentions), _MOST_MENTIONS),
        _logit(max((precision(read, hits) for read in mentions), default=_UNKNOWN_PRECISION)),
        max((read.mention.last - read.mention.first for read in mentions), default=0),
        1.0 - min((read.mention.first for read in mentions), default=words) / max(words, 1),
        float(any(read.reading.status == "present" and not read.reading.historical for read in mentions)),
        float(bool(mentions) and all(read.reading.status == "possible" for read in mentions)),
        float(bool(evidence.others)),
        symptom,
        float(code[0] == "Z"),
        found * logit,
        found * symptom,
        found * float(probability is None),
        found * category,
    ]


def precision(read: ReadMention, hits: Mapping[str, tuple[int, int]]) -> float:
    """How often this phrase meant its code in training, smoothed towards the code's own figure; 0 to 1."""
    code = read.mention.code
    right, seen = hits.get(code, (0, 0))
    of_code = (right + _UNKNOWN_PRECISION) / (seen + 1.0)
    right, seen = hits.get(f"{read.phrase}\t{code}", (0, 0))
    return (right + _SMOOTHING * of_code) / (seen + _SMOOTHING)


def _logit(probability: float) -> float:
    clipped = min(max(probability, 0.001), 0.999)
    return math.log(clipped / (1.0 - clipped))
