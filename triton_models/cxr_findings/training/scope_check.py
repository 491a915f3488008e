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
# Shares of in-scope films, in each population, that pass each of the three tests: 98 % or more pass all.
NEAR = 0.985
NOT_SPOILT = 0.997
STRENGTH = 0.01
INNER_FOLDS = 4

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Population:
    """Films in scope, and spoilt ones: inverted, and parts cut out. adult: which of them are.

    spoilt_of: rows that the inverted ones are of, and the parts, too.
    """

    features: Floats
    adult: NDArray[np.bool_]
    inverted: Floats
    cropped: Floats
    spoilt_of: Rows

    def of(self, rows: Rows) -> Population:
        """The part with these films."""
        chosen = np.isin(self.spoilt_of, rows)
        place = np.full(len(self.features), -1)
        place[rows] = np.arange(len(rows))
        return Population(
            self.features[rows],
            self.adult[rows],
            self.inverted[chosen],
            self.cropped[chosen],
            place[self.spoilt_of[chosen]],
        )


@dataclass(frozen=True, slots=True)
class ScopeCheck:
    """Three tests of the scope tap's standardised features; above 1 any puts a picture out of scope.

    Distance: Mahalanobis to the nearer population's centre in principal components, plus what these leave out, over
    `limit`. Spoilt: linear scores, one tells inverted films and one cropped ones, 0 at their limits.
    """

    mean: Floats
    scale: Floats
    components: Floats
    centres: Floats
    precision: Floats
    residual: float
    spoilt: Floats
    spoilt_bias: Floats
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

    def spoilt_scores(self, features: Floats) -> Floats:
        """(n, 2): the linear scores."""
        score: Floats = self._standardised(features) @ self.spoilt.T + self.spoilt_bias
        return score

    def __call__(self, features: Floats) -> Floats:
        """As the exported graph computes it: above 1 is out of scope."""
        return np.maximum(self.distance(features) / self.limit, 1 + self.spoilt_scores(features).max(1))

    def arrays(self) -> dict[str, Floats]:
        """Buffers of the exported graph."""
        return {name: np.asarray(getattr(self, name), np.float64) for name in self.__dataclass_fields__}

    def _standardised(self, features: Floats) -> Floats:
        z: Floats = (features[:, tap_slices()[SCOPE_TAP]] - self.mean) / self.scale
        return z


def fit_scope(known: Population) -> ScopeCheck:
    """All tests, their limits from films that each was not fitted to."""
    every = np.arange(len(known.features))
    draws = np.random.default_rng(SEED).permutation(every) % INNER_FOLDS
    distance, scores = np.zeros(len(every)), np.zeros((len(every), 2))
    for fold in range(INNER_FOLDS):
        inner = _fit(known.of(every[draws != fold]))
        distance[draws == fold] = inner.distance(known.features[draws == fold])
        scores[draws == fold] = inner.spoilt_scores(known.features[draws == fold])
    groups = (known.adult, ~known.adult)
    limit = max(lowest_threshold(distance[group], NEAR) for group in groups)
    offsets = [max(lowest_threshold(score[group], NOT_SPOILT) for group in groups) for score in scores.T]
    raw = _fit(known)
    return replace(raw, limit=limit, spoilt_bias=raw.spoilt_bias - offsets)


def held_out(known: Population, folds: list[tuple[Rows, Rows]]) -> dict[str, float]:
    """Shares accepted of films, and rejected of spoilt ones, all of patients that the check never saw."""
    films = np.zeros(len(known.features))
    spoilt = {"inverted": np.zeros(len(known.inverted)), "cropped": np.zeros(len(known.cropped))}
    for train, test in folds:
        check = fit_scope(known.of(train))
        films[test] = check(known.features[test])
        chosen = np.isin(known.spoilt_of, test)
        for kind, distance in spoilt.items():
            distance[chosen] = check(getattr(known, kind)[chosen])
    adult = known.adult[known.spoilt_of]
    return {
        "accepted_adult": round(float((films[known.adult] <= 1).mean()), 4),
        "accepted_child": round(float((films[~known.adult] <= 1).mean()), 4),
        **{
            f"{kind}_rejected_{name}": round(float((distance[of] > 1).mean()), 4)
            for kind, distance in spoilt.items()
            for name, of in (("adult", adult), ("child", ~adult))
        },
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
    tests = []
    for spoilt in (known.inverted, known.cropped):
        x = np.vstack([z, (spoilt[:, part] - mean) / scale])
        y = np.repeat([False, True], [len(z), len(spoilt)])
        tests.append(LogisticRegression(C=STRENGTH, max_iter=300, class_weight="balanced").fit(x, y))
    return ScopeCheck(
        mean=mean,
        scale=scale,
        components=components,
        centres=centres,
        precision=np.linalg.inv(spread),
        residual=float(np.median(((z - p @ components) ** 2).mean(1))),
        spoilt=np.array([test.coef_[0] for test in tests]),
        spoilt_bias=np.array([test.intercept_[0] for test in tests]),
        limit=1.0,
    )
