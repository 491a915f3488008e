"""Discrimination, calibration, outlines and where the heat lies; pure NumPy and SciPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import distance_transform_edt, zoom
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDS = 500
BINS = 10
FEW = 20
SEED = 7

Floats = "NDArray[np.float64]"
Flags = "NDArray[np.bool_]"
Rows = "NDArray[np.int64]"


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """(n, classes)."""
    z = np.asarray(logits, np.float64) / temperature
    e = np.exp(z - z.max(1, keepdims=True))
    p: Floats = e / e.sum(1, keepdims=True)
    return p


def temperature_of(logits: Floats, truth: Rows) -> float:
    """The temperature (Guo 2017) of least log loss."""
    grid = np.exp(np.linspace(-1.5, 1.5, 121))
    losses = [-np.log(softmax(logits, t)[np.arange(len(truth)), truth] + 1e-12).mean() for t in grid]
    return round(float(grid[int(np.argmin(losses))]), 4)


def with_interval(statistic: Any, groups: NDArray[Any]) -> dict[str, float]:
    """Value and 95 % bootstrap interval over groups. statistic: rows to a number."""
    names, inverse = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(inverse == i) for i in range(len(names))]
    random = np.random.default_rng(SEED)
    values = []
    for _ in range(ROUNDS):
        rows = np.concatenate([members[i] for i in random.integers(0, len(names), len(names))])
        try:
            values.append(statistic(rows))
        except ValueError:  # a draw without one of the classes
            continue
    low, high = np.nanquantile(values, [0.025, 0.975])
    return {
        "value": round(float(statistic(np.arange(len(groups)))), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }


def classification(p: Floats, truth: Rows, classes: tuple[str, ...], groups: NDArray[Any]) -> dict[str, Any]:
    """Of one group of pictures. Few pictures: counts only."""
    counts = {name: int((truth == i).sum()) for i, name in enumerate(classes)}
    if len(truth) < FEW:
        return {"pictures": counts, "note": f"fewer than {FEW} pictures"}
    one_vs_rest = {}
    for i, name in enumerate(classes):
        y = truth == i
        if FEW <= y.sum() <= len(y) - FEW:
            one_vs_rest[name] = {
                "auroc": with_interval(lambda rows, y=y, i=i: roc_auc_score(y[rows], p[rows, i]), groups),
                "auprc": round(float(average_precision_score(y, p[:, i])), 4),
            }
    hit = p.argmax(1) == truth
    return {
        "pictures": counts,
        "accuracy": with_interval(lambda rows: hit[rows].mean(), groups),
        "recall": {name: round(float(hit[truth == i].mean()), 4) for i, name in enumerate(classes) if counts[name]},
        "one_against_the_rest": one_vs_rest,
        "ece": round(calibration_error(p.max(1), hit), 4),
        "brier": round(float(((p - np.eye(len(classes))[truth]) ** 2).sum(1).mean()), 4),
        "confusion": confusion_matrix(truth, p.argmax(1), labels=range(len(classes))).tolist(),
    }


def calibration_error(confidence: Floats, hit: Flags) -> float:
    """Expected calibration error over bins of equal count."""
    order = np.argsort(confidence)
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return float(sum(abs(confidence[q].mean() - hit[q].mean()) * len(q) for q in parts) / len(confidence))


def reliability(p: Floats, y: Flags) -> list[list[float]]:
    """Rows of mean predicted, observed share, count; bins of equal count."""
    parts = np.array_split(np.argsort(p), BINS)
    return [[round(float(p[q].mean()), 4), round(float(y[q].mean()), 4), len(q)] for q in parts if len(q)]


def dice(found: Flags, drawn: Flags) -> Floats:
    """(n,): 2 |A and B| / (|A| + |B|); masks (n, h, w)."""
    both = (found & drawn).sum((1, 2))
    score: Floats = 2 * both / np.maximum(1, found.sum((1, 2)) + drawn.sum((1, 2)))
    return score


def hausdorff95(found: Flags, drawn: Flags) -> Floats:
    """(n,): 95th percentile of distances between the outlines, pixels; nan where nothing was found."""
    values = []
    for a, b in zip(found, drawn, strict=True):
        if not a.any() or not b.any():
            values.append(np.nan)
            continue
        edges = [m & (distance_transform_edt(m) <= 1) for m in (a, b)]
        to_a, to_b = (distance_transform_edt(~edge) for edge in edges)
        values.append(np.quantile(np.concatenate([to_b[edges[0]], to_a[edges[1]]]), 0.95))
    return np.array(values)


def pointing(heatmaps: Floats, drawn: Flags) -> dict[str, float]:
    """Share of heat maps whose peak lies in the mask, in its box, and mean share of positive heat inside the mask."""
    in_mask, in_box, energy = [], [], []
    for heat, mask in zip(heatmaps, drawn, strict=True):
        scale = mask.shape[0] / heat.shape[0]
        large = zoom(heat, scale, order=1, mode="nearest", grid_mode=True)
        row, column = np.unravel_index(int(large.argmax()), large.shape)
        down, across = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        in_mask.append(mask[row, column])
        in_box.append(down[0] <= row <= down[-1] and across[0] <= column <= across[-1])
        positive = np.clip(large, 0, None)
        energy.append((positive * mask).sum() / max(positive.sum(), 1e-9))
    return {
        "peak_in_mask": round(float(np.mean(in_mask)), 4),
        "peak_in_box": round(float(np.mean(in_box)), 4),
        "heat_in_mask": round(float(np.mean(energy)), 4),
    }


def band(p: Floats, y: Flags, sensitivity: float, specificity: float) -> tuple[float, float]:
    """Low and high operating point of one label of several that exclude each other.

    `sensitivity` of its pictures lie at or above the low point, `specificity` of the others below the high one, which
    is one half or more so that two labels are never positive together. Where these cross both are the high one.
    """
    high = max(0.5, float(np.quantile(p[~y], specificity)))
    low = min(high, float(np.quantile(p[y], 1 - sensitivity)))
    return round(low, 4), round(high, 4)
