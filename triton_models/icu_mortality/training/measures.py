"""How good scores are: discrimination, calibration, alarms, with intervals by patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int8]
DRAWS = 200
BINS = 10
MINUTES_100_DAYS = 100 * 1440


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows sorted once by score, so that measures of many weightings of them are cheap.

    order: rows by falling score. group: of equal scores, in that order. positive: whether each has the event.
    """

    order: NDArray[np.int64]
    group: NDArray[np.int64]
    positive: NDArray[np.bool_]

    @classmethod
    def of(cls, score: Floats, label: Labels) -> Ranked:
        order = np.argsort(-score, kind="stable")
        falling = score[order]
        group = np.cumsum(np.r_[0, falling[1:] != falling[:-1]])
        return cls(order, group, label[order] > 0)

    def _counts(self, weight: Floats | None) -> tuple[Floats, Floats]:
        """Events and others of each group of equal scores, the highest first."""
        each = np.ones(len(self.order)) if weight is None else weight[self.order]
        return np.bincount(self.group, each * self.positive), np.bincount(self.group, each * ~self.positive)

    def auroc(self, weight: Floats | None = None) -> float:
        """Chance that a row with the event has the higher score; ties count half."""
        events, others = self._counts(weight)
        pairs = events.sum() * others.sum()
        lower = others.sum() - np.cumsum(others)
        return float((events * (lower + others / 2)).sum() / pairs) if pairs else float("nan")

    def auprc(self, weight: Floats | None = None) -> float:
        """Average precision."""
        events, others = self._counts(weight)
        hits = np.cumsum(events)
        return float(np.sum(events * hits / np.maximum(hits + np.cumsum(others), 1e-12)) / hits[-1])


def auroc(score: Floats, label: Labels) -> float:
    return Ranked.of(score, label).auroc()


def auprc(score: Floats, label: Labels) -> float:
    return Ranked.of(score, label).auprc()


def score1(score: Floats, label: Labels) -> tuple[float, float]:
    """Event 1 of the 2012 challenge: the highest min(sensitivity, positive predictive value), and its threshold."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(label[order] > 0)
    worse = np.minimum(hits / hits[-1], hits / np.arange(1, len(hits) + 1))
    at = int(np.argmax(worse))
    return float(worse[at]), float(score[order][at])


def ece(chance: Floats, label: Labels, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal count."""
    order = np.argsort(chance, kind="stable")
    parts = np.array_split(order, bins)
    return float(sum(len(one) * abs(chance[one].mean() - label[one].mean()) for one in parts if len(one)) / len(order))


def ece_by_chance(chance: Floats, draws: int = 200, seed: int = 1) -> float:
    """The ECE that a perfectly calibrated model of these probabilities stays under in 95 of 100 samples."""
    rng = np.random.default_rng(seed)
    return float(
        np.quantile([ece(chance, (rng.random(len(chance)) < chance).astype(np.int8)) for _ in range(draws)], 0.95)
    )


def reliability(chance: Floats, label: Labels, bins: int = BINS) -> list[dict[str, float]]:
    """Rows, mean probability and share of events of each bin of equal count."""
    parts = np.array_split(np.argsort(chance, kind="stable"), bins)
    return [
        {"rows": len(one), "said": round(float(chance[one].mean()), 4), "true": round(float(label[one].mean()), 4)}
        for one in parts
        if len(one)
    ]


def brier(chance: Floats, label: Labels) -> float:
    return float(np.mean((chance - label) ** 2))


def interval(
    patient: NDArray[np.int64], measure: Callable[[Floats], float], draws: int = DRAWS, seed: int = 1
) -> tuple[float, float]:
    """95 % bootstrap over patients of a measure of row weights."""
    _, index = np.unique(patient, return_inverse=True)
    rng = np.random.default_rng(seed)
    count = int(index.max()) + 1
    drawn = (rng.multinomial(count, np.full(count, 1 / count)).astype(float) for _ in range(draws))
    values = [measure(times[index]) for times in drawn]
    return float(np.nanquantile(values, 0.025)), float(np.nanquantile(values, 0.975))


def discrimination(score: Floats, label: Labels, patient: NDArray[np.int64], draws: int = DRAWS) -> dict[str, Any]:
    """AUROC and AUPRC with intervals; only counts where there are fewer than 20 of a class."""
    counts = {"rows": len(label), "patients": len(np.unique(patient)), "events": int((label > 0).sum())}
    if min(counts["events"], counts["rows"] - counts["events"]) < 20:  # noqa: PLR2004 - said above
        return counts
    ranked = Ranked.of(score, label)
    return counts | {
        "auroc": round(ranked.auroc(), 4),
        "auroc_95": [round(one, 4) for one in interval(patient, ranked.auroc, draws)],
        "auprc": round(ranked.auprc(), 4),
        "auprc_95": [round(one, 4) for one in interval(patient, ranked.auprc, draws)],
    }


def calibration(chance: Floats, label: Labels) -> dict[str, Any]:
    return {
        "ece": round(ece(chance, label), 4),
        "ece_of_chance_95": round(ece_by_chance(chance), 4),
        "brier": round(brier(chance, label), 4),
        "mean_said": round(float(chance.mean()), 4),
        "mean_true": round(float(label.mean()), 4),
    }


def at_threshold(alarm: NDArray[np.bool_], label: Labels) -> dict[str, float]:
    """Sensitivity, specificity and positive predictive value of rows."""
    positive = label > 0
    hits = int((alarm & positive).sum())
    return {
        "sensitivity": round(hits / max(int(positive.sum()), 1), 4),
        "specificity": round(float((~alarm & ~positive).sum() / max(int((~positive).sum()), 1)), 4),
        "ppv": round(hits / max(int(alarm.sum()), 1), 4),
    }


def onsets(alarm: NDArray[np.bool_], patient: NDArray[np.int64]) -> int:
    """How often an alarm begins; rows are sorted by patient and time."""
    before = np.r_[False, alarm[:-1]] & np.r_[False, patient[1:] == patient[:-1]]
    return int((alarm & ~before).sum())


def net_benefit(chance: Floats, label: Labels, at: float) -> dict[str, float]:
    """Decision curve (Vickers and Elkin 2006) at one threshold probability: acting on the model, and on everybody."""
    odds, positive = at / (1 - at), label > 0
    act = chance >= at
    model = (act & positive).mean() - (act & ~positive).mean() * odds
    everybody = positive.mean() - (~positive).mean() * odds
    return {"at": at, "model": round(float(model), 5), "everybody": round(float(everybody), 5)}
