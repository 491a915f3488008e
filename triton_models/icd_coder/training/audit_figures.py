"""Figures of the audit from counts a note: recall, precision and alarms by kind of error, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
ALARMS = ("unsupported", "contradicted", "less_specific")
# What is counted in a note. gold_X: gold codes with verdict X. planted_X: errors planted. found_X: of those, judged X;
# noticed_X: of those, given any verdict that a coder would look at.
COLUMNS = ("gold", *(f"{part}_{kind}" for part in ("gold", "planted", "found", "noticed") for kind in ALARMS),
           "suggested_right", "planted_missing", "found_missing", "listed_missing", "listed_unplanted")  # fmt: skip
PLACE: Mapping[str, int] = {name: index for index, name in enumerate(COLUMNS)}
# Recall and precision of missing codes that the audit is to reach.
MISSING_GOALS = (0.4, 0.2)
Counts = NDArray[np.float64]


def _of(total: Counts, name: str) -> float:
    return float(total[PLACE[name]])


def _share(total: Counts, part: str, whole: str) -> float:
    return _of(total, part) / max(_of(total, whole), 1.0)


def _recall(total: Counts, kind: str) -> float:
    return _share(total, f"found_{kind}", f"planted_{kind}")


def _precision(total: Counts, kind: str) -> float:
    """Of the verdicts on a note's gold codes and on one planted error, how many were on the planted one."""
    return _of(total, f"found_{kind}") / max(_of(total, f"found_{kind}") + _of(total, f"gold_{kind}"), 1.0)


def f_score(total: Counts, kind: str, beta: float) -> float:
    """F-beta of the verdict `kind`: recall counts `beta` times as much as precision."""
    precision, recall = _precision(total, kind), _recall(total, kind)
    return (1 + beta**2) * precision * recall / max(beta**2 * precision + recall, 1e-9)


def youden(total: Counts) -> float:
    """Sensitivity + specificity - 1 of "unsupported"."""
    return _recall(total, "unsupported") - _share(total, "gold_unsupported", "gold")


def margin(total: Counts) -> float:
    """How far the worse of recall and precision of missing codes is beyond its goal; 1 when it just reaches it."""
    recall, precision = _recall(total, "missing"), _share(total, "found_missing", "listed_missing")
    return min(recall / MISSING_GOALS[0], precision / MISSING_GOALS[1])


FIGURES: Mapping[str, Callable[[Counts], float]] = {
    "unsupported.sensitivity": lambda total: _recall(total, "unsupported"),
    "unsupported.specificity": lambda total: 1.0 - _share(total, "gold_unsupported", "gold"),
    "unsupported.sensitivity_plus_specificity_minus_1": youden,
    "unsupported.precision": lambda total: _precision(total, "unsupported"),
    "unsupported.any_alarm": lambda total: _share(total, "noticed_unsupported", "planted_unsupported"),
    "contradicted.recall": lambda total: _recall(total, "contradicted"),
    "contradicted.precision": lambda total: _precision(total, "contradicted"),
    "contradicted.any_alarm": lambda total: _share(total, "noticed_contradicted", "planted_contradicted"),
    "less_specific.recall": lambda total: _recall(total, "less_specific"),
    "less_specific.precision": lambda total: _precision(total, "less_specific"),
    "less_specific.suggested_the_gold_code": lambda total: _share(total, "suggested_right", "planted_less_specific"),
    "missing.recall": lambda total: _recall(total, "missing"),
    "missing.precision": lambda total: _share(total, "found_missing", "listed_missing"),
}


def figures_of(counts: Counts) -> dict[str, object]:
    """Every figure with its 95 % interval over notes, and the alarms on notes where nothing was planted.

    counts: [notes, COLUMNS].
    """
    picks = np.random.default_rng(0).integers(0, len(counts), (RESAMPLES, len(counts)))
    totals, whole, mean = counts[picks].sum(axis=1), counts.sum(axis=0), counts.mean(axis=0)
    figures: dict[str, object] = {"notes": len(counts), "assigned_codes": int(_of(whole, "gold"))}
    figures["planted"] = {kind: int(_of(whole, f"planted_{kind}")) for kind in (*ALARMS, "missing")}
    for name, value_of in FIGURES.items():
        low, high = np.percentile([value_of(total) for total in totals], [2.5, 97.5])
        values = {"value": value_of(whole), "low": float(low), "high": float(high)}
        figures[name] = {part: round(value, 3) for part, value in values.items()}
    alarms = {kind: round(_of(mean, f"gold_{kind}"), 2) for kind in ALARMS}
    figures["alarms_a_note_without_planted_errors"] = alarms | {"missing": round(_of(mean, "listed_unplanted"), 2)}
    return figures
