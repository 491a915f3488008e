"""Logistic regression on counted words, one model a code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from bench.compare_coders.families import Family, Predict, best_first
from bench.compare_coders.metrics import Ranking
from bench.compare_coders.notes import Note, code_counts


def fit(notes: Sequence[Note], strength: float) -> Predict:
    """One classifier for every code of `notes`. strength: inverse of the L2 penalty."""
    words = CountVectorizer(min_df=2, stop_words="english", dtype=np.float64)
    counted = words.fit_transform([note.text for note in notes])
    codes = sorted(code_counts([note.gold for note in notes]))
    weights, biases = [], []
    for code in codes:
        truth = np.array([code in note.gold for note in notes])
        # The dual problem has a variable a note; the primal one a variable a word, of which there are ten times more.
        model = LogisticRegression(C=strength, solver="liblinear", dual=True, max_iter=1000).fit(counted, truth)
        weights.append(model.coef_[0])
        biases.append(model.intercept_[0])
    matrix, bias = np.array(weights).T, np.array(biases)

    def predict(others: Sequence[Note]) -> list[Ranking]:
        logits = words.transform([note.text for note in others]) @ matrix + bias
        return [best_first(codes, row.tolist()) for row in 1 / (1 + np.exp(-logits))]

    return predict


FAMILY = Family("logistic", fit, (0.1, 1.0, 10.0))
