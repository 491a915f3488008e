"""Candidates of every note with their features, and the logistic stackers over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from corpus import FOLDS, Example
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from services.nlp_coder.candidates import candidates_of
from services.nlp_coder.evidence import CATEGORY_CHARACTERS, gathered
from services.nlp_coder.ranking import FEATURES, NO_MODEL, ModelView, Stacker, features_of, scores

Rankings = list[dict[str, float]]
Hits = Mapping[str, tuple[int, int]]


def term_hits(examples: Sequence[Example]) -> dict[str, tuple[int, int]]:
    """For each code, and each phrase and code: (notes where the code was gold, notes with the mention)."""
    seen: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for example in examples:
        evidence = gathered(example.mentions)
        for code, entry in evidence.items():
            keys = {f"{read.phrase}\t{code}" for read in entry.patients} | ({code} if entry.patients else set())
            seen.update(keys)
            right.update(key for key in keys if code in example.gold)
    return {key: (right[key], count) for key, count in sorted(seen.items())}


class Candidates:
    """Features of the candidate codes of many notes, [pairs, len(FEATURES)], with their notes and truth."""

    def __init__(self, examples: Sequence[Example], views: Sequence[ModelView], hits: Sequence[Hits]) -> None:
        matrices, self.codes, notes, truth = [], [], [], []
        for index, (example, view, own_hits) in enumerate(zip(examples, views, hits, strict=True)):
            evidence = gathered(example.mentions)
            codes = candidates_of(evidence, view)
            matrices.append(features_of(codes, evidence, view, own_hits, example.words))
            self.codes += codes
            notes += [index] * len(codes)
            truth += [code in example.gold for code in codes]
        self.features = np.concatenate(matrices)
        self.notes, self.truth = np.array(notes), np.array(truth)
        self.count = len(examples)

    def as_served(self, values: NDArray[np.float64], threshold: float, denied: Sequence[frozenset[str]]) -> Rankings:
        """As `rankings`, with the service's rule: what a note never says of now and the patient is not selected."""
        factors = [
            threshold if code[:CATEGORY_CHARACTERS] in denied[note] else 1.0
            for note, code in zip(self.notes, self.codes, strict=True)
        ]
        return self.rankings(values * np.array(factors))

    def rankings(self, values: NDArray[np.float64]) -> list[dict[str, float]]:
        """Scores by code of each note."""
        found: list[dict[str, float]] = [{} for _ in range(self.count)]
        for note, code, value in zip(self.notes, self.codes, values, strict=True):
            found[note][code] = float(value)
        return found


def fit(features: NDArray[np.float64], truth: NDArray[np.bool_], threshold: float = 0.0) -> Stacker:
    means, scales = features.mean(axis=0), features.std(axis=0) + 1e-9
    model = LogisticRegression(C=1.0, max_iter=1000).fit((features - means) / scales, truth)
    return Stacker(means, scales, model.coef_[0], float(model.intercept_[0]), threshold)


def cross_validated(candidates: Candidates, fold_of_note: NDArray[np.int64]) -> list[dict[str, float]]:
    """Rankings in which every note was scored by a stacker that did not see it."""
    values = np.zeros(len(candidates.truth))
    fold = fold_of_note[candidates.notes]
    for held in range(FOLDS):
        stacker = fit(candidates.features[fold != held], candidates.truth[fold != held])
        values[fold == held] = scores(stacker, candidates.features[fold == held])
    return candidates.rankings(values)


def without_model(examples: Sequence[Example], hits: Sequence[Hits]) -> Candidates:
    """The same candidates as seen when the model does not answer."""
    return Candidates(examples, [NO_MODEL] * len(examples), hits)


def as_json(stacker: Stacker) -> dict[str, object]:
    return {
        "features": list(FEATURES),
        "means": stacker.means.tolist(),
        "scales": stacker.scales.tolist(),
        "coefficients": stacker.coefficients.tolist(),
        "intercept": stacker.intercept,
        "threshold": stacker.threshold,
    }
