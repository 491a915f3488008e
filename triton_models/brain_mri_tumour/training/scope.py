"""Whether a picture is of the kind that the network was trained on, upright and not inverted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from numpy.typing import NDArray

COMPONENTS = 48
RIGHT_WAY = 0.994  # share of in-scope pictures that pass the linear test
STRENGTH = 0.003
INNER_FOLDS = 4
SEED = 7

Floats = "NDArray[np.float64]"


@dataclass(frozen=True, slots=True)
class ScopeCheck:
    """Above 1 either test puts a picture out of scope.

    Distance: Mahalanobis to the nearest group's centre in principal components of standardised features, plus what
    these leave out, over `limit`. Wrong way: a linear score that tells turned and inverted pictures, 0 at its limit.
    """

    mean: Floats
    scale: Floats
    components: Floats
    centres: Floats
    precision: Floats
    residual: float
    wrong: Floats
    wrong_bias: float
    limit: float = 1.0

    def distance(self, features: Floats) -> Floats:
        """(n,): before the limit."""
        z = self._standard(features)
        p = z @ self.components.T
        residual = ((z - p @ self.components) ** 2).mean(1) / self.residual
        apart = p[:, None] - self.centres[None]
        squared = np.einsum("nij,jk,nik->ni", apart, self.precision, apart)
        distance: Floats = squared.min(1) / len(self.components) + residual
        return distance

    def wrong_way(self, features: Floats) -> Floats:
        """(n,): the linear score."""
        score: Floats = self._standard(features) @ self.wrong + self.wrong_bias
        return score

    def __call__(self, features: Floats) -> Floats:
        """As the exported graph computes it."""
        return np.maximum(self.distance(features) / self.limit, 1 + self.wrong_way(features))

    def _standard(self, features: Floats) -> Floats:
        z: Floats = (features - self.mean) / self.scale
        return z

    def arrays(self) -> dict[str, Floats]:
        """Buffers of the exported graph."""
        return {name: np.asarray(getattr(self, name), np.float64) for name in self.__slots__}


def fit_scope(
    features: Floats, groups: NDArray[np.int64], wrong: Floats, wrong_of: NDArray[np.int64], near: float
) -> ScopeCheck:
    """Limits from inner folds, everything else from all.

    features: (n, d) in scope. groups: (n,), each has a centre of its own. wrong: (m, d), pictures in scope that were
    turned or inverted; wrong_of: (m,), rows they are of. near: share of those in scope that pass the test of distance.
    """
    parts = np.random.default_rng(SEED).integers(0, INNER_FOLDS, len(features))
    distance, score = np.zeros(len(features)), np.zeros(len(features))
    for part in range(INNER_FOLDS):
        seen = parts != part
        inner = _fit(features[seen], groups[seen], wrong[seen[wrong_of]])
        distance[~seen], score[~seen] = inner.distance(features[~seen]), inner.wrong_way(features[~seen])
    check = _fit(features, groups, wrong)
    bias = check.wrong_bias - float(np.quantile(score, RIGHT_WAY))
    return replace(check, limit=float(np.quantile(distance, near)), wrong_bias=bias)


def _fit(features: Floats, groups: NDArray[np.int64], wrong: Floats) -> ScopeCheck:
    mean, scale = features.mean(0), features.std(0) + 1e-3
    z = (features - mean) / scale
    components = np.linalg.svd(z, full_matrices=False)[2][:COMPONENTS]
    p = z @ components.T
    names = np.unique(groups)
    centres = np.array([p[groups == name].mean(0) for name in names])
    spread = np.cov((p - centres[np.searchsorted(names, groups)]).T) + 1e-3 * np.eye(COMPONENTS)
    x = np.vstack([z, (wrong - mean) / scale])
    y = np.repeat([False, True], [len(z), len(wrong)])
    model = LogisticRegression(C=STRENGTH, max_iter=300, class_weight="balanced").fit(x, y)
    return ScopeCheck(
        mean,
        scale,
        components,
        centres,
        np.linalg.inv(spread),
        float(np.median(((z - p @ components) ** 2).mean(1))),
        model.coef_[0],
        float(model.intercept_[0]),
    )
