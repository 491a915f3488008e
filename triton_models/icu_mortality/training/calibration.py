"""From blended log-odds to a probability, an interval, and the threshold from which it is an alarm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]
COVERAGE = 0.9
LEAST_SPREAD = 2.0  # large: how far the networks are apart says little of how far two models are (measured)


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

        def loss(at: Floats) -> tuple[float, Floats]:
            said = at @ terms
            chance = 1 / (1 + np.exp(-said))
            value = weight @ (np.logaddexp(0, said) - label * said) / weight.sum()
            return float(value), terms @ (weight * (chance - label)) / weight.sum()

        found = minimize(loss, np.array([1.0, 0.0, 0.0, 0.0]), jac=True, method="BFGS").x
        return cls(*(float(one) for one in found))

    def log_odds(self, blended: Floats, hours: Floats) -> Floats:
        return self.slope * blended + self.offset + np.exp(-hours / 12) * (self.early + self.early_slope * blended)


def cross_fitted(
    blended: Floats, hours: Floats, label: NDArray[np.int8], weight: Floats, fold: NDArray[np.int64]
) -> Floats:
    """Calibrated log-odds of each row by a calibration that saw none of its patient."""
    said = np.full(len(blended), np.nan)
    for number in np.unique(fold):
        other, mine = fold != number, fold == number
        platt = Platt.of(blended[other], hours[other], label[other], weight[other])
        said[mine] = platt.log_odds(blended[mine], hours[mine])
    return said


def half_width(first: Floats, second: Floats, spread: Floats) -> float:
    """Factor of (spread + LEAST_SPREAD) so that `second` lies within it around `first` in COVERAGE of the rows."""
    return float(np.quantile(np.abs(first - second) / (spread + LEAST_SPREAD), COVERAGE))


def cross_covered(first: Floats, second: Floats, spread: Floats, fold: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether `second` lies within the interval around `first`, its factor chosen on the other folds."""
    within = np.zeros(len(first), bool)
    for number in np.unique(fold):
        other, mine = fold != number, fold == number
        factor = half_width(first[other], second[other], spread[other])
        within[mine] = np.abs(first[mine] - second[mine]) <= factor * (spread[mine] + LEAST_SPREAD)
    return within


def probability(log_odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-log_odds))
