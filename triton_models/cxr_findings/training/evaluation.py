"""Discrimination, calibration and operating points, with intervals by patient."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDS = 500
CALIBRATION_BINS = 10
FEW = 20  # fewer of either class say nothing
ASSUMED_PREVALENCE = 0.10  # share of films with pneumonia for which PPV and flags per 100 films are stated

Floats = "NDArray[np.float64]"
Flags = "NDArray[np.bool_]"


def summary(truth: Flags, p: Floats, patients: NDArray[np.str_], thresholds: tuple[float, float]) -> dict[str, Any]:
    """Every figure of one group. thresholds: of pneumonia, and of no_finding (on 1 - p). Few cases: counts only."""
    counts = {"films": len(truth), "patients": len(set(patients)), "pneumonia": int(truth.sum())}
    if min(truth.sum(), (~truth).sum()) < FEW:
        return counts | {"note": f"fewer than {FEW} of a class"}
    figures: dict[str, Callable[[Flags, Floats], float]] = {
        "auroc": roc_auc_score,
        "auprc": average_precision_score,
        "brier": brier,
        "ece": calibration_error,
        "sensitivity": lambda t, q: float((q[t] >= thresholds[0]).mean()),
        "specificity": lambda t, q: float((q[~t] < thresholds[0]).mean()),
        "no_finding_sensitivity_for_normal": lambda t, q: float((1 - q[~t] >= thresholds[1]).mean()),
        "no_finding_given_to_pneumonia": lambda t, q: float((1 - q[t] >= thresholds[1]).mean()),
    }
    resampled = _resamples(patients)
    result: dict[str, Any] = counts
    for name, figure in figures.items():
        values = [figure(truth[rows], p[rows]) for rows in resampled if 0 < truth[rows].sum() < len(rows)]
        low, high = np.quantile(values, [0.025, 0.975])
        result[name] = {"value": _short(figure(truth, p)), "low": _short(low), "high": _short(high)}
    sensitivity, specificity = result["sensitivity"]["value"], result["specificity"]["value"]
    flagged = sensitivity * ASSUMED_PREVALENCE + (1 - specificity) * (1 - ASSUMED_PREVALENCE)
    result["ppv_at_10_percent"] = _short(sensitivity * ASSUMED_PREVALENCE / max(flagged, 1e-9))
    result["flags_per_100_films_at_10_percent"] = _short(100 * flagged)
    return result


def _resamples(patients: NDArray[np.str_]) -> list[NDArray[np.int64]]:
    random = np.random.default_rng(0)
    rows_of: dict[str, list[int]] = {}
    for row, patient in enumerate(patients):
        rows_of.setdefault(str(patient), []).append(row)
    names = list(rows_of)
    draws = (random.choice(len(names), len(names)) for _ in range(ROUNDS))
    return [np.concatenate([rows_of[names[i]] for i in draw]).astype(np.int64) for draw in draws]


def _short(value: float) -> float:
    return round(float(value), 4)


def brier(truth: Flags, p: Floats) -> float:
    """Mean squared difference between outcome and probability."""
    return float(np.mean((p - truth) ** 2))


def reliability(truth: Flags, p: Floats) -> list[tuple[float, float, int]]:
    """Mean probability, share of pneumonia and count in ten bins of equal count."""
    order = np.argsort(p)
    bins = np.array_split(order, CALIBRATION_BINS)
    return [(float(p[b].mean()), float(truth[b].mean()), len(b)) for b in bins if len(b)]


def calibration_error(truth: Flags, p: Floats) -> float:
    """Expected calibration error over ten bins of equal count."""
    return sum(n * abs(mean - share) for mean, share, n in reliability(truth, p)) / len(p)


def lowest_threshold(scores: Floats, share_below: float) -> float:
    """The lowest threshold under which at least `share_below` of the scores lie."""
    return float(np.quantile(scores, share_below, method="higher")) + 1e-6
