"""Intervals by the bootstrap over notes: 1,000 resamples, the same for every system, so that differences are paired."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
SEED = 0
PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def resamples(notes: int) -> NDArray[np.float64]:
    """Weights [1 + RESAMPLES, notes]; the first row is every note once."""
    random = np.random.default_rng(SEED)
    drawn = random.multinomial(notes, np.full(notes, 1 / notes), size=RESAMPLES)
    return np.concatenate([np.ones((1, notes)), drawn])


def estimate(values: NDArray[np.float64]) -> Estimate:
    """values: [1 + RESAMPLES], the figure itself first.

    The interval is shifted by what the resamples' mean lies off: they hold fewer different notes, and so fewer
    different codes, which lifts every mean over codes.
    """
    bias = values[1:].mean() - values[0]
    low, high = np.percentile(values[1:], PERCENTILES) - bias
    return Estimate(float(values[0]), float(low), float(high))
