"""A linear model on tf-idf of words and pairs of words, one a code: a support vector machine or ridge regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from bench.compare_coders.families import Family, Predict, best_first
from bench.compare_coders.metrics import Ranking
from bench.compare_coders.notes import Note, code_counts

Floats = NDArray[np.float64]
Setting = tuple[str, float]


def vectorizer() -> TfidfVectorizer:
    """Words and pairs of words that two notes or more have, counted on a log scale."""
    return TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, stop_words="english")


def fit(notes: Sequence[Note], setting: Setting) -> Predict:
    """setting: ("svm", C) or ("ridge", penalty)."""
    words = vectorizer()
    rows = words.fit_transform([note.text for note in notes])
    codes = sorted(code_counts([note.gold for note in notes]))
    truth = np.array([[code in note.gold for code in codes] for note in notes], dtype=np.float64)
    kind, strength = setting
    solve: Callable[[Any, Floats, float], tuple[Floats, Floats]] = _machines if kind == "svm" else _ridge
    weights, bias = solve(rows, truth, strength)

    def predict(others: Sequence[Note]) -> list[Ranking]:
        values = words.transform([note.text for note in others]) @ weights + bias
        return [best_first(codes, row.tolist()) for row in values]

    return predict


def _machines(rows: Any, truth: Floats, strength: float) -> tuple[Floats, Floats]:
    """Weights [terms, codes] and bias [codes] of a linear support vector machine a code."""
    models = [LinearSVC(C=strength).fit(rows, column) for column in truth.T]
    return np.array([model.coef_[0] for model in models]).T, np.array([model.intercept_[0] for model in models])


def _ridge(rows: Any, truth: Floats, strength: float) -> tuple[Floats, Floats]:
    """The same of ridge regression, all codes at once through the kernel of the notes."""
    bias = truth.mean(axis=0)
    kernel = (rows @ rows.T).toarray()
    return rows.T @ np.linalg.solve(kernel + strength * np.eye(len(kernel)), truth - bias), bias


FAMILY = Family("tfidf", fit, (("ridge", 0.03), ("ridge", 0.1), ("ridge", 0.3), ("svm", 1.0), ("svm", 10.0)))
