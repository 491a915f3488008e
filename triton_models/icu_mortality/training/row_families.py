"""Families of models that read a row of a stay, for comparison. The rows and the folds are the caller's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import rows
import torch
import trees
from numpy.typing import NDArray
from trees import Boosting

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]
Fitted = Callable[[Float32], Floats]
Fit = Callable[[Float32, Float32, Float32], Fitted]  # of rows, labels and weights, what gives log-odds of other rows
CHUNK = 20_000


XGBOOST = Boosting("xgboost", 300, {
    "eta": 0.05, "max_depth": 4, "min_child_weight": 20, "subsample": 0.6, "colsample_bynode": 0.15, "lambda": 20,
    "max_bin": 128,
})  # fmt: skip
CATBOOST = Boosting(
    "catboost", 400, {"learning_rate": 0.06, "depth": 5, "l2_leaf_reg": 20, "rsm": 0.15, "border_count": 64}
)


def boosted(boosting: Boosting) -> Fit:
    return lambda x, y, weight: trees.fit(x, y, weight, boosting, rows.SEED).log_odds


def splines(x: Float32, y: Float32, weight: Float32) -> Fitted:
    """Logistic regression over linear splines with knots at quantiles, and whether each feature is missing."""
    keep = np.flatnonzero((~np.isnan(x)).mean(axis=0) > 0.01)  # noqa: PLR2004 - a share of rows
    knots = np.nanquantile(x[::3, keep], [0.01, 0.1, 0.35, 0.65, 0.9, 0.99], axis=0)
    middle = np.nanmedian(x[::3, keep], axis=0)

    def basis(some: Float32) -> Float32:
        taken = some[:, keep]
        filled = np.clip(np.where(np.isnan(taken), middle, taken), knots[0], knots[-1]).astype(np.float32)
        hinges = [np.maximum(filled - knot, 0).astype(np.float32) for knot in knots[1:-1]]
        return np.concatenate([filled, *hinges, np.isnan(taken)], axis=1, dtype=np.float32)

    terms = basis(x)
    centre, scale = terms.mean(axis=0), np.maximum(terms.std(axis=0), 1e-6)
    terms -= centre
    terms /= scale
    weights = logistic(np.c_[terms, np.ones(len(y), np.float32)], y, 3e-2, weight)

    def said(other: Float32) -> Floats:
        chunks = (basis(other[at : at + CHUNK]) for at in range(0, len(other), CHUNK))
        return np.concatenate([(one - centre) / scale @ weights[:-1] + weights[-1] for one in chunks])

    return said


def logistic(terms: NDArray[Any], y: Float32, penalty: float, weight: Float32 | None = None) -> Floats:
    """Coefficients of a logistic regression; the last term is not penalised."""
    torch.set_num_threads(1)
    x, wanted = torch.from_numpy(terms.astype(np.float32, copy=False)), torch.from_numpy(y)
    each = None if weight is None else torch.from_numpy((weight / weight.mean()).astype(np.float32))
    weights = torch.zeros(x.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=50, history_size=8, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(x @ weights, wanted, weight=each)
        value = value + penalty * (weights[:-1] ** 2).sum()
        value.backward()
        return value

    optimiser.step(loss)
    return weights.detach().numpy().astype(np.float64)


FAMILIES: dict[str, Fit] = {
    "XGBoost": boosted(XGBOOST),
    "CatBoost": boosted(CATBOOST),
    "logistic regression with splines": splines,
}
