"""What each feature added to a prediction of an ensemble of trees: exact path-dependent TreeSHAP, all leaves at once.

Lundberg et al., Nature Machine Intelligence 2020;2:56. A leaf is reached when every feature on its path lies in an
interval. As a game of features it is worth value * product(in S: o_j) * product(not in S: z_j), where o is 1 when the
row meets the condition and z is the share of training rows that did (product of the covers along the path). The Shapley
value of feature i is then value * (o_i - z_i) * integral over t in [0, 1] of product(j != i: t o_j + (1 - t) z_j). That
is a polynomial, so Gauss-Legendre quadrature with half as many nodes as features on the longest path gives it exactly.
LightGBM's `pred_contrib` says the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Leaves:
    """Leaves of an ensemble, [leaves, features on the path], padded with conditions that always hold.

    feature: column. above, up_to: the condition is above < x <= up_to. missing: whether NaN meets it. share: of the
    training rows that met it. value: [leaves], log-odds. bias: mean prediction; contributions add up to the rest.
    """

    feature: NDArray[np.int32]
    above: NDArray[np.float32]
    up_to: NDArray[np.float32]
    missing: NDArray[np.bool_]
    share: Floats
    value: Floats
    bias: float

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "Leaves":
        """From the arrays of `assets/model.npz`."""
        share, value = arrays["share"].astype(np.float64), arrays["value"].astype(np.float64)
        return cls(
            feature=arrays["feature"].astype(np.int32),
            above=arrays["above"].astype(np.float32),
            up_to=arrays["up_to"].astype(np.float32),
            missing=arrays["missing"].astype(np.bool_),
            share=share,
            value=value,
            bias=float(arrays["start"]) + float(value @ share.prod(axis=1)),
        )


def met(leaves: Leaves, row: NDArray[np.float32]) -> NDArray[np.bool_]:
    """[leaves, conditions] whether the row meets each condition."""
    values = row[leaves.feature]
    inside = (values > leaves.above) & (values <= leaves.up_to)
    inside |= leaves.missing & np.isnan(values)
    return inside


def contributions(leaves: Leaves, row: NDArray[np.float32]) -> Floats:
    """[features] log-odds that each feature of the row added to `leaves.bias`."""
    holds = met(leaves, row).astype(np.float64)
    nodes, weights = quadrature((holds.shape[1] + 1) // 2)
    each = np.zeros_like(holds)
    for node, weight in zip(nodes, weights, strict=True):
        factor = node * holds + (1 - node) * leaves.share
        each += (weight * factor.prod(axis=1) * leaves.value)[:, None] / factor
    each *= holds - leaves.share
    return np.bincount(leaves.feature.ravel(), each.ravel(), minlength=len(row)).astype(np.float64)


@lru_cache
def quadrature(count: int) -> tuple[list[float], list[float]]:
    """Nodes in [0, 1] and weights of Gauss and Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(count)  # type: ignore[no-untyped-call]
    return ((nodes + 1) / 2).tolist(), (weights / 2).tolist()


def log_odds(leaves: Leaves, row: NDArray[np.float32]) -> float:
    """Prediction of the ensemble for the row, before calibration."""
    start = leaves.bias - float(leaves.value @ leaves.share.prod(axis=1))
    return start + float(leaves.value @ met(leaves, row).all(axis=1))


def by_group(contributed: Floats, groups: Sequence[str]) -> dict[str, float]:
    """Sum of the contributions of each group of features; groups: [features] names."""
    summed: dict[str, float] = {}
    for name, value in zip(groups, contributed.tolist(), strict=True):
        summed[name] = summed.get(name, 0.0) + value
    return summed
