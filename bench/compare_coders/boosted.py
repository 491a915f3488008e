"""Gradient-boosted trees (XGBoost) on tf-idf of words, one model a code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xgboost
from sklearn.feature_extraction.text import TfidfVectorizer

from bench.compare_coders.families import Family, Predict, best_first
from bench.compare_coders.metrics import Ranking
from bench.compare_coders.notes import Note, code_counts

OPTIONS = {
    "objective": "binary:logistic",
    "eta": 0.2,
    "subsample": 0.8,
    "colsample_bytree": 0.3,  # of thousands of words few matter to a code; the others cost time
    "min_child_weight": 0.5,  # a leaf may rest on two notes
    "tree_method": "hist",
    "nthread": 1,
    "seed": 0,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """`least_notes`: codes of fewer training notes get no trees, only their share of notes as score."""

    least_notes: int
    rounds: int
    depth: int


def fit(notes: Sequence[Note], setting: Setting) -> Predict:
    """Boost trees for every code that enough of `notes` have."""
    words = TfidfVectorizer(min_df=3, sublinear_tf=True, dtype=np.float32)
    rows = words.fit_transform([note.text for note in notes])
    counts = code_counts([note.gold for note in notes])
    codes = sorted(counts)
    options = OPTIONS | {"max_depth": setting.depth}
    boosters = {}
    for code in codes:
        if counts[code] >= setting.least_notes:
            share = counts[code] / len(notes)
            truth = np.array([float(code in note.gold) for note in notes])
            data = xgboost.DMatrix(rows, truth)
            boosters[code] = xgboost.train(options | {"base_score": share}, data, num_boost_round=setting.rounds)

    def predict(others: Sequence[Note]) -> list[Ranking]:
        data = xgboost.DMatrix(words.transform([note.text for note in others]))
        columns = [
            boosters[code].predict(data) if code in boosters else np.full(len(others), counts[code] / len(notes))
            for code in codes
        ]
        return [best_first(codes, row.tolist()) for row in np.array(columns).T]

    return predict


FAMILY = Family("xgboost", fit, (Setting(5, 40, 3), Setting(3, 40, 3), Setting(3, 40, 6)))
