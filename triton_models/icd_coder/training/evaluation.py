"""Figures of a ranked list of codes: MAP, micro-F1, calibration, by frequency; intervals by bootstrap over notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

LONGEST_RANKING = 100
RESAMPLES = 1000
BINS = 10

Scores = Mapping[str, float]


def average_precision(scores: Scores, gold: frozenset[str]) -> float:
    """Average precision of the first 100 codes (CLEF eHealth 2020, CodiEsp)."""
    ranking = sorted(scores, key=lambda code: -scores[code])[:LONGEST_RANKING]
    right, total = 0, 0.0
    for rank, code in enumerate(ranking, start=1):
        if code in gold:
            right += 1
            total += right / rank
    return total / len(gold) if gold else 0.0


def counts_of(chosen: AbstractSet[str], gold: frozenset[str]) -> tuple[int, int, int]:
    """(right, proposed, gold) of the codes chosen for a note."""
    return len(chosen & gold), len(chosen), len(gold)


def chosen_at(rankings: Sequence[Scores], threshold: float) -> list[frozenset[str]]:
    """Codes of each note from an operating point on."""
    return [frozenset(code for code, score in scores.items() if score >= threshold) for scores in rankings]


def micro(counts: NDArray[np.int64]) -> tuple[float, float, float]:
    """(precision, recall, F1) of summed counts [notes, 3]."""
    right, proposed, gold = counts.sum(axis=0)
    return right / max(proposed, 1), right / max(gold, 1), 2 * right / max(proposed + gold, 1)


def best_threshold(rankings: Sequence[Scores], golds: Sequence[frozenset[str]]) -> float:
    """Threshold of the highest micro-F1, in steps of 0.01."""
    grid = [step / 100 for step in range(5, 70)]
    return max(grid, key=lambda value: f1_of(chosen_at(rankings, value), golds))


def f1_of(chosen: Sequence[AbstractSet[str]], golds: Sequence[frozenset[str]]) -> float:
    """Micro-F1 of the codes chosen for each note."""
    return micro(_counts(chosen, golds))[2]


def _counts(chosen: Sequence[AbstractSet[str]], golds: Sequence[frozenset[str]]) -> NDArray[np.int64]:
    return np.array([counts_of(own, gold) for own, gold in zip(chosen, golds, strict=True)])


def calibration_error(
    rankings: Sequence[Scores], golds: Sequence[frozenset[str]]
) -> tuple[float, float, list[dict[str, float]]]:
    """(ECE, Brier, reliability rows) over all proposed pairs of note and code, ten equal bins."""
    pairs = np.array([(score, code in gold) for scores, gold in zip(rankings, golds, strict=True)
                      for code, score in scores.items()], dtype=np.float64)  # fmt: skip
    rows, error = [], 0.0
    for low in range(BINS):
        inside = pairs[(pairs[:, 0] >= low / BINS) & (pairs[:, 0] < (low + 1) / BINS)]
        if len(inside):
            said, true = inside.mean(axis=0)
            rows.append({"pairs": len(inside), "said": round(said, 4), "true": round(true, 4)})
            error += abs(said - true) * len(inside) / len(pairs)
    return float(error), float(((pairs[:, 0] - pairs[:, 1]) ** 2).mean()), rows


def report(
    rankings: Sequence[Scores],
    golds: Sequence[frozenset[str]],
    threshold: float,
    frequency: Counter[str],
    chosen: Sequence[AbstractSet[str]] | None = None,
) -> dict[str, object]:
    """All figures of one system on one set, with 95 % intervals. chosen: codes of each note, when not by threshold."""
    chosen = chosen_at(rankings, threshold) if chosen is None else chosen
    precisions = np.array([average_precision(scores, gold) for scores, gold in zip(rankings, golds, strict=True)])
    counts = _counts(chosen, golds)
    precision, recall, f1 = micro(counts)
    picks = np.random.default_rng(0).integers(0, len(golds), (RESAMPLES, len(golds)))
    ece, brier, reliability = calibration_error(rankings, golds)
    return {
        "notes": len(golds),
        "map": _interval(precisions.mean(), [precisions[pick].mean() for pick in picks]),
        "micro_f1": _interval(f1, [micro(counts[pick])[2] for pick in picks]),
        "micro_precision": round(float(precision), 4),
        "micro_recall": round(float(recall), 4),
        "threshold": threshold,
        "ece": round(ece, 4),
        "brier": round(brier, 4),
        "reliability": reliability,
        "by_training_frequency": _by_frequency(chosen, golds, frequency),
    }


def _interval(value: float, resampled: Sequence[float]) -> dict[str, float]:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return {"value": round(float(value), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _by_frequency(
    chosen: Sequence[AbstractSet[str]], golds: Sequence[frozenset[str]], frequency: Counter[str]
) -> dict[str, dict[str, float]]:
    bands = {"0": (0, 0), "1": (1, 1), "2-4": (2, 4), "5-19": (5, 19), "20+": (20, 10**9)}
    rows = {}
    for name, (low, high) in bands.items():
        counts = np.zeros(3, dtype=np.int64)
        for own, gold in zip(chosen, golds, strict=True):
            band = {code for code in own if low <= frequency[code] <= high}
            wanted = frozenset(code for code in gold if low <= frequency[code] <= high)
            counts += np.array(counts_of(band, wanted))
        precision, recall, f1 = micro(counts[None])
        rows[name] = {"gold": int(counts[2]), "precision": round(float(precision), 4),
                      "recall": round(float(recall), 4), "f1": round(float(f1), 4)}  # fmt: skip
    return rows
