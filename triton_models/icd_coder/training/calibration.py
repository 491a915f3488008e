"""Logistic calibration of raw scores; the same formula is built into the graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

FLOOR = 0.001


@dataclass(frozen=True, slots=True)
class Calibration:
    """Coefficients over `code_features`."""

    coefficients: NDArray[np.float64]
    intercept: float


def logit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(values, FLOOR, 1.0 - FLOOR)
    return np.log(clipped / (1.0 - clipped))


def code_features(
    score: NDArray[np.float64], category: NDArray[np.float64], lexicon: NDArray[np.float64], prior: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Stack [..., 7] of what the probability of a code rests on."""
    found = (lexicon > 0).astype(np.float64)
    prior = np.broadcast_to(logit(prior), score.shape)
    parts = [score, logit(score), category, logit(category), found, found * logit(lexicon), prior]
    return np.stack(parts, axis=-1)


def fit(features: NDArray[np.float64], targets: NDArray[np.bool_]) -> Calibration:
    flat = features.reshape(-1, features.shape[-1])
    model = LogisticRegression(C=10.0, max_iter=500).fit(flat, targets.reshape(-1))
    return Calibration(model.coef_[0], float(model.intercept_[0]))


def probability(calibration: Calibration, features: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-(features @ calibration.coefficients + calibration.intercept)))
