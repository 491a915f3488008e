"""What each feature added to a prediction of an ensemble of trees: exact path-dependent TreeSHAP, all leaves at once.

Lundberg et al., Nature Machine Intelligence 2020;2:56. A leaf is reached when every feature on its path lies in an
interval. As a game of features it is worth value * product(in S: o_j) * product(not in S: z_j), where o is 1 when the
row meets the condition and z is the share of training rows that did (product of the covers along the path). The Shapley
value of feature i is then value * (o_i - z_i) * integral over t in [0, 1] of product(j != i: t o_j + (1 - t) z_j). That
is a polynomial, so Gauss-Legendre quadrature with half as many nodes as features on the longest path gives it exactly.
LightGBM, XGBoost and CatBoost say the same of their own trees.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Band:
    """Leaves with equally many features on their paths.

    feature: column. above, up_to: the condition is above < x <= up_to. missing: whether NaN meets it; all [conditions,
    leaves]. value: [leaves], log-odds. What a condition adds hangs on which of its leaf's conditions are met, and of a
    path of seven there are 128 such patterns, so all are worked out once. added: [leaves * patterns, conditions]; a
    pattern is a binary number, the first condition its lowest digit. first: [leaves], where a leaf's patterns begin.
    into: [leaves * conditions], the feature of each of a leaf's conditions, leaf after leaf.
    """

    feature: NDArray[np.intp]
    above: NDArray[np.float32]
    up_to: NDArray[np.float32]
    missing: NDArray[np.bool_]
    value: Floats
    added: Floats
    first: NDArray[np.intp]
    into: NDArray[np.intp]

    def met(self, row: NDArray[np.float32]) -> NDArray[np.bool_]:
        """[conditions, leaves] whether the row meets each condition."""
        values = row[self.feature]
        inside = (values > self.above) & (values <= self.up_to)
        inside |= self.missing & np.isnan(values)
        return inside


@dataclass(frozen=True, slots=True)
class Leaves:
    """The leaves of an ensemble.

    start: log-odds before any tree. bias: mean prediction; contributions add up to the rest.
    """

    bands: tuple[Band, ...]
    start: float
    bias: float

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "Leaves":
        """From the arrays of `assets/model.npz`: [leaves, conditions], padded with conditions that always hold.

        share: of the training rows that came to a condition, how many met it; the rest as in `Band`.
        """
        share, value = arrays["share"].astype(np.float64), arrays["value"].astype(np.float64)
        start = float(arrays["start"])
        return cls(tuple(_bands(arrays, share, value)), start, start + float(value @ share.prod(axis=1)))


def _bands(arrays: Mapping[str, NDArray[np.generic]], share: Floats, value: Floats) -> Iterator[Band]:
    above, up_to = arrays["above"].astype(np.float32), arrays["up_to"].astype(np.float32)
    missing, feature = arrays["missing"].astype(np.bool_), arrays["feature"].astype(np.intp)
    padding = missing & np.isneginf(above) & np.isposinf(up_to)
    real_first, counts = np.argsort(padding, axis=1, kind="stable"), (~padding).sum(axis=1)
    for count in np.unique(counts).tolist():
        leaves = np.flatnonzero(counts == count)
        at = leaves, real_first[leaves, :count].T
        added = _shapley(share[at], value[leaves])
        first = np.arange(len(leaves), dtype=np.intp) << count
        into = np.ascontiguousarray(feature[at].T).ravel()
        yield Band(feature[at], above[at], up_to[at], missing[at], value[leaves], added, first, into)


def _shapley(share: Floats, value: Floats) -> Floats:
    """`added` of a `Band`. share: [conditions, leaves]."""
    count, leaves = share.shape
    added = np.zeros((leaves, 1 << count, count))
    nodes, weights = quadrature(max((count + 1) // 2, 1))
    for pattern in range(1 << count):
        holds = np.array([[pattern >> digit & 1] for digit in range(count)], np.float64)
        for node, weight in zip(nodes, weights, strict=True):
            factor = node * holds + (1 - node) * share
            added[:, pattern] += ((holds - share) / factor * (weight * factor.prod(axis=0) * value)).T
    return added.reshape(-1, count)


def contributions(leaves: Leaves, row: NDArray[np.float32]) -> Floats:
    """[features] log-odds that each feature of the row added to `leaves.bias`."""
    summed = np.zeros(len(row))
    for band in leaves.bands:
        pattern = band.first.copy()
        for digit, holds in enumerate(band.met(row)):
            pattern += holds.astype(np.intp) << digit
        summed += np.bincount(band.into, band.added[pattern].ravel(), minlength=len(row))
    return summed


@lru_cache
def quadrature(count: int) -> tuple[list[float], list[float]]:
    """Nodes in [0, 1] and weights of Gauss and Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(count)  # type: ignore[no-untyped-call]
    return ((nodes + 1) / 2).tolist(), (weights / 2).tolist()


def log_odds(leaves: Leaves, row: NDArray[np.float32]) -> float:
    """Prediction of the ensemble for the row, before calibration."""
    return leaves.start + sum(float(band.value @ band.met(row).all(axis=0)) for band in leaves.bands)


def by_group(contributed: Floats, groups: Sequence[str]) -> dict[str, float]:
    """Sum of the contributions of each group of features; groups: [features] names."""
    summed: dict[str, float] = {}
    for name, value in zip(groups, contributed.tolist(), strict=True):
        summed[name] = summed.get(name, 0.0) + value
    return summed
