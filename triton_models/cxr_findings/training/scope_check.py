"""Whether a picture is of the kind that the network was trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from evaluation import lowest_threshold
from network import SCOPE_TAP, tap_slices
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

SEED = 7
COMPONENTS = 64
# Shares of in-scope films, in each population, that pass each of the two tests: 98 % or more pass both.
NEAR = 0.985
NOT_INVERTED = 0.997
STRENGTH = 0.01
INNER_FOLDS = 4

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Population:
    """Films in scope, and inverted ones. adult: which of them are; inverted_of: rows that the inverted ones are of."""

    features: Floats
    adult: NDArray[np.bool_]
    inverted: Floats
    inverted_of: Rows

    def of(self, rows: Rows) -> Population:
        """The part with these films."""
        chosen = np.isin(self.inverted_of, rows)
        place = np.full(len(self.features), -1)
        place[rows] = np.arange(len(rows))
        return Population(self.features[rows], self.adult[rows], self.inverted[chosen], place[self.inverted_of[chosen]])


@dataclass(frozen=True, slots=True)
class ScopeCheck:
    """Two tests of the scope tap's standardised features; above 1 either puts a picture out of scope.

    Distance: Mahalanobis to the nearer population's centre in principal components, plus what these leave out, over
    `limit`. Inversion: a linear score, 0 at its limit.
    """

    mean: Floats
    scale: Floats
    components: Floats
    centres: Floats
    precision: Floats
    residual: float
    inversion: Floats
    inversion_bias: float
    limit: float

    def distance(self, features: Floats) -> Floats:
        """(n,): before the limit."""
        z = self._standardised(features)
        p = z @ self.components.T
        residual = ((z - p @ self.components) ** 2).mean(1) / self.residual
        apart = p[:, None] - self.centres[None]
        squared = np.einsum("nij,jk,nik->ni", apart, self.precision, apart)
        distance: Floats = squared.min(1) / len(self.components) + residual
        return distance

    def inverted(self, features: Floats) -> Floats:
        """(n,): the linear score."""
        score: Floats = self._standardised(features) @ self.inversion + self.inversion_bias
        return score

    def __call__(self, features: Floats) -> Floats:
        """As the exported graph computes it: above 1 is out of scope."""
        return np.maximum(self.distance(features) / self.limit, 1 + self.inverted(features))

    def arrays(self) -> dict[str, Floats]:
        """Buffers of the exported graph."""
        return {name: np.asarray(getattr(self, name), np.float64) for name in self.__dataclass_fields__}

    def _standardised(self, features: Floats) -> Floats:
        z: Floats = (features[:, tap_slices()[SCOPE_TAP]] - self.mean) / self.scale
        return z


def fit_scope(known: Population) -> ScopeCheck:
    """Both tests, their limits from films that each was not fitted to."""
    every = np.arange(len(known.features))
    draws = np.random.default_rng(SEED).permutation(every) % INNER_FOLDS
    distance, score = np.zeros(len(every)), np.zeros(len(every))
    for fold in range(INNER_FOLDS):
        inner = _fit(known.of(every[draws != fold]))
        distance[draws == fold] = inner.distance(known.features[draws == fold])
        score[draws == fold] = inner.inverted(known.features[draws == fold])
    groups = (known.adult, ~known.adult)
    limit = max(lowest_threshold(distance[group], NEAR) for group in groups)
    offset = max(lowest_threshold(score[group], NOT_INVERTED) for group in groups)
    raw = _fit(known)
    return replace(raw, limit=limit, inversion_bias=raw.inversion_bias - offset)


def held_out(known: Population, folds: list[tuple[Rows, Rows]]) -> dict[str, float]:
    """Shares accepted of films, and rejected of inverted ones, all of patients that the check never saw."""
    films, inverted = np.zeros(len(known.features)), np.zeros(len(known.inverted))
    for train, test in folds:
        check = fit_scope(known.of(train))
        films[test] = check(known.features[test])
        chosen = np.isin(known.inverted_of, test)
        inverted[chosen] = check(known.inverted[chosen])
    adult = known.adult[known.inverted_of]
    return {
        "accepted_adult": round(float((films[known.adult] <= 1).mean()), 4),
        "accepted_child": round(float((films[~known.adult] <= 1).mean()), 4),
        "inverted_rejected_adult": round(float((inverted[adult] > 1).mean()), 4),
        "inverted_rejected_child": round(float((inverted[~adult] > 1).mean()), 4),
    }


def _fit(known: Population) -> ScopeCheck:
    """Without limits. Children are many: twice the number of adults shapes the distance."""
    part = tap_slices()[SCOPE_TAP]
    adults = np.flatnonzero(known.adult)
    children = np.random.default_rng(SEED).permutation(np.flatnonzero(~known.adult))[: 2 * len(adults)]
    rows = np.concatenate([adults, children])
    features, grown = known.features[rows][:, part], known.adult[rows]
    mean, scale = features.mean(0), features.std(0) + 1e-6
    z = (features - mean) / scale
    components = np.linalg.svd(z, full_matrices=False)[2][:COMPONENTS]
    p = z @ components.T
    centres = np.array([p[grown].mean(0), p[~grown].mean(0)])
    spread = np.cov((p - np.where(grown[:, None], centres[0], centres[1])).T) + 1e-3 * np.eye(COMPONENTS)
    x = np.vstack([z, (known.inverted[:, part] - mean) / scale])
    y = np.repeat([False, True], [len(z), len(known.inverted)])
    model = LogisticRegression(C=STRENGTH, max_iter=300, class_weight="balanced").fit(x, y)
    return ScopeCheck(
        mean=mean,
        scale=scale,
        components=components,
        centres=centres,
        precision=np.linalg.inv(spread),
        residual=float(np.median(((z - p @ components) ** 2).mean(1))),
        inversion=model.coef_[0],
        inversion_bias=float(model.intercept_[0]),
        limit=1.0,
    )
