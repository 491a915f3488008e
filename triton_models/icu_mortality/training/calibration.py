"""From blended log-odds to a probability, an interval, and the threshold from which it is an alarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]
Bounds = list[tuple[float | None, float | None]] | None
COVERAGE = 0.9
LEAST_SLOPE = 0.05
LEAST_WIDTH = 0.1  # log-odds, before the root and the factor
# How far two models of different patients are apart is learned from the row: their 9th decile, by a few small trees.
DIFFICULTY = {
    "objective": "quantile",
    "alpha": COVERAGE,
    "num_leaves": 8,
    "learning_rate": 0.1,
    "min_data_in_leaf": 300,
    "feature_fraction": 0.3,
    "seed": 20261128,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
ROUNDS = 40
FITTED = 0.67  # share of patients that the trees learn from; the factor is chosen on the others


@dataclass(frozen=True, slots=True)
class Platt:
    """log-odds = slope * blended + offset + exp(-hours / 12) * (early + early_slope * blended)."""

    slope: float
    offset: float
    early: float
    early_slope: float

    @classmethod
    def of(cls, blended: Floats, hours: Floats, label: NDArray[np.int8], weight: Floats) -> Platt:
        """Of the highest likelihood."""
        aged = np.exp(-hours / 12)
        terms = np.stack([blended, np.ones(len(blended)), aged, aged * blended])
        return cls(*_most_likely(terms, label, weight, np.array([1.0, 0.0, 0.0, 0.0])))

    def log_odds(self, blended: Floats, hours: Floats) -> Floats:
        return self.slope * blended + self.offset + np.exp(-hours / 12) * (self.early + self.early_slope * blended)


@dataclass(frozen=True, slots=True)
class Bent:
    """log-odds = offset + below * (blended - over) + above * over, where over = softplus(blended - at).

    One slope for rows under the log-odds `at` of the event, and another for those over it: where events are rare, trees
    that are held back say too much of the safest rows.
    """

    below: float
    above: float
    offset: float
    at: float

    @classmethod
    def of(cls, blended: Floats, label: NDArray[np.int8]) -> Bent:
        """Of the highest likelihood with slopes that rise."""
        at = float(np.log(label.mean() / (1 - label.mean())))
        over = np.logaddexp(0, blended - at)
        terms = np.stack([blended - over, over, np.ones(len(blended))])
        rising = [(LEAST_SLOPE, None), (LEAST_SLOPE, None), (None, None)]
        return cls(*_most_likely(terms, label, np.ones(len(label)), np.array([1.0, 1.0, 0.0]), rising), at)

    def log_odds(self, blended: Floats) -> Floats:
        over = np.logaddexp(0, blended - self.at)
        return self.offset + self.below * (blended - over) + self.above * over


def _most_likely(
    terms: Floats, label: NDArray[np.int8], weight: Floats, start: Floats, bounds: Bounds = None
) -> list[float]:
    """Coefficients of the terms, [terms, rows]."""

    def loss(at: Floats) -> tuple[float, Floats]:
        said = at @ terms
        chance = 1 / (1 + np.exp(-said))
        value = weight @ (np.logaddexp(0, said) - label * said) / weight.sum()
        return float(value), terms @ (weight * (chance - label)) / weight.sum()

    how: dict[str, Any] = {"method": "BFGS"}
    if bounds:
        how = {"method": "L-BFGS-B", "bounds": bounds, "options": {"ftol": 1e-13, "gtol": 1e-7}}
    return [float(one) for one in minimize(loss, start, jac=True, **how).x]


def cross_fitted(blended: Floats, label: NDArray[np.int8], fold: NDArray[np.int64]) -> Floats:
    """Calibrated log-odds of each row by a bent calibration that saw none of its patient."""
    said = np.full(len(blended), np.nan)
    for number in np.unique(fold):
        other, mine = fold != number, fold == number
        said[mine] = Bent.of(blended[other], label[other]).log_odds(blended[mine])
    return said


@dataclass(frozen=True, slots=True)
class Apart:
    """Where two models of different patients were asked. x: [rows, features]. by: how far apart they were, log-odds.

    fold, patient: of each row.
    """

    x: NDArray[np.float32]
    by: Floats
    fold: NDArray[np.int64]
    patient: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> Apart:
        return Apart(self.x[chosen], self.by[chosen], self.fold[chosen], self.patient[chosen])


@dataclass(frozen=True, slots=True)
class Width:
    """Half width of the interval, log-odds before calibration: factor * root of what the trees say.

    Normalised conformal prediction (Papadopoulos et al., Neural Networks 2011;24:842). The root, because half of what
    is learned of the models at hand is about them alone: without it hard rows were covered too often and easy ones too
    seldom, on other folds. difficulty: None for one width for all rows.
    """

    difficulty: lightgbm.Booster | None
    factor: float

    @classmethod
    def of(cls, apart: Apart) -> Width:
        """So that COVERAGE of the rows of patients that the difficulty was not learned from lie within."""
        patients, index = np.unique(apart.patient, return_inverse=True)
        learned = (np.random.default_rng(int(DIFFICULTY["seed"])).random(len(patients)) < FITTED)[index]
        told = apart.where(learned)
        difficulty = lightgbm.train(DIFFICULTY, lightgbm.Dataset(told.x, told.by), ROUNDS)
        rest = apart.where(~learned)
        return cls(difficulty, float(np.quantile(rest.by / _difficulty(difficulty, rest.x), COVERAGE)))

    @classmethod
    def constant(cls, apart: Apart) -> Width:
        """One for all rows, so that COVERAGE of these lie within."""
        return cls(None, float(np.quantile(apart.by, COVERAGE)))

    def of_rows(self, x: NDArray[np.float32]) -> Floats:
        """[rows]."""
        return self.factor * _difficulty(self.difficulty, x)


def _difficulty(booster: lightgbm.Booster | None, x: NDArray[np.float32]) -> Floats:
    if booster is None:
        return np.ones(len(x))
    return np.sqrt(np.maximum(np.asarray(booster.predict(x, num_threads=1)), LEAST_WIDTH))


FIFTHS = ("easiest", "easier", "middle", "harder", "hardest")


def coverage(apart: Apart, groups: dict[str, NDArray[np.bool_]]) -> dict[str, Any]:
    """How often the other model lies within, on folds that the width was not chosen on; beside one width for all rows.

    groups: rows to tell apart. The fifths are of the rows by how difficult they look.
    """
    adapted, constant = np.zeros(len(apart.by)), np.zeros(len(apart.by))
    for number in np.unique(apart.fold):
        mine = apart.fold == number
        adapted[mine] = Width.of(apart.where(~mine)).of_rows(apart.x[mine])
        constant[mine] = Width.constant(apart.where(~mine)).of_rows(apart.x[mine])
    fifths = np.array_split(np.argsort(adapted, kind="stable"), len(FIFTHS))
    named = groups | {f"{name} fifth": _at(rows, len(adapted)) for name, rows in zip(FIFTHS, fifths, strict=True)}
    return {
        "asked": COVERAGE,
        "mean_half_width": round(float(adapted.mean()), 3),
        "mean_half_width_of_one_for_all": round(float(constant.mean()), 3),
        "covered": {
            name: {
                "half_width": round(float(adapted[rows].mean()), 3),
                "adapted": round(float((apart.by <= adapted)[rows].mean()), 4),
                "one_for_all": round(float((apart.by <= constant)[rows].mean()), 4),
            }
            for name, rows in named.items()
        },
    }


def _at(rows: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    chosen = np.zeros(count, bool)
    chosen[rows] = True
    return chosen


def probability(log_odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-log_odds))
