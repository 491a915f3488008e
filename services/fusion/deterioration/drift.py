"""How far the patients of today are from those of training: the population stability index. Pure.

PSI = sum over bins of (now - then) * ln(now / then), with shares of rows in bins that held equal shares in training and
one for "not measured" (Siddiqi, Credit Risk Scorecards, 2006: under 0.1 stable, over 0.25 another population).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STABLE = 0.1
OTHER_POPULATION = 0.25
SMALLEST_SHARE = 1e-3  # an empty bin would make the index infinite


@dataclass(frozen=True, slots=True)
class Bins:
    """edges: rising, inner ones. shares: of training rows, [len(edges) + 2], the last for "not measured"."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]


def bins_of(values: NDArray[np.float32], count: int = 10) -> Bins:
    """Bins of about equal share; fewer where values repeat."""
    known = values[~np.isnan(values)]
    cuts = np.quantile(known, np.linspace(0, 1, count + 1)[1:-1]) if len(known) else np.empty(0)
    edges = tuple(float(edge) for edge in np.unique(cuts.astype(np.float32)))
    counted = counts(values, edges)
    return Bins(edges, tuple(float(share) for share in np.round(counted / max(counted.sum(), 1), 6)))


def counts(values: NDArray[np.float32], edges: Sequence[float]) -> NDArray[np.int64]:
    """[len(edges) + 2] rows in each bin: up to the first edge, ..., over the last, not measured."""
    missing = np.isnan(values)
    at = np.where(missing, len(edges) + 1, np.searchsorted(np.asarray(edges), np.where(missing, 0, values)))
    return np.bincount(at, minlength=len(edges) + 2)


def stability(then: Sequence[float], now: Sequence[float] | NDArray[np.int64]) -> float:
    """PSI of shares or counts against shares; 0 where nothing was counted."""
    expected, observed = np.asarray(then, float), np.asarray(now, float)
    if not observed.sum():
        return 0.0
    was = np.maximum(expected / expected.sum(), SMALLEST_SHARE)
    share = np.maximum(observed / observed.sum(), SMALLEST_SHARE)
    return float(np.sum((share - was) * np.log(share / was)))
