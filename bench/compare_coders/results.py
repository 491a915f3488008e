"""Figures with intervals of every family whose rankings are there, and how far ours is from the best other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.compare_coders import metrics, predictions
from bench.compare_coders.intervals import Estimate, estimate, resamples
from bench.compare_coders.metrics import Judged
from bench.compare_coders.notes import Note, folds_of

OURS = "ours"
# Our own rankings chosen from by a threshold, as the other families are, with no guideline applied.
BY_SCORE = "by_score"
FAMILIES = ("rules", "logistic", "tfidf", "xgboost", "transformer", BY_SCORE, OURS)
# Notes of the training folds that have the code: least and most.
BANDS = {"20 and more": (20, 10**9), "5 to 19": (5, 19), "2 to 4": (2, 4), "once": (1, 1), "never": (0, 0)}

Samples = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Row:
    """One family. bands: precision, recall and F1 by frequency in training.

    thresholds: of the five folds; none for ours, whose file says what the service selects.
    """

    family: str
    figures: Mapping[str, Estimate]
    bands: Mapping[str, Mapping[str, Estimate]]
    thresholds: Sequence[float]


@dataclass(frozen=True, slots=True)
class Difference:
    """Ours less the best other family at this figure; positive is better."""

    other: str
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Results:
    """All that the page shows. silence: mean accuracy a code of a coder that proposes nothing."""

    notes: int
    codes: int
    gold_by_band: Mapping[str, int]
    silence: float
    rows: Sequence[Row]
    differences: Mapping[str, Difference]


def compared(notes: Sequence[Note]) -> Results:
    """Read the kept rankings and judge them. Raises FileNotFoundError when one is missing."""
    names, golds, folds = [note.name for note in notes], [note.gold for note in notes], folds_of(len(notes))
    weights = resamples(len(notes))
    rows, samples = [], {}
    judged = None
    for family in FAMILIES:
        rankings = predictions.in_order(predictions.read(predictions.path_of(family)), names)
        thresholds = {} if family == OURS else metrics.held_out_thresholds(rankings, golds, folds)
        picked = predictions.selected(names) if family == OURS else metrics.picked(rankings, folds, thresholds)
        judged = metrics.judge(rankings, golds, folds, picked)
        samples[family] = sampled(judged, weights)
        figures = {name: estimate(values) for name, values in samples[family].items()}
        rows.append(Row(family, figures, _by_band(judged, weights), list(thresholds.values())))
    assert judged is not None
    gold = judged.gold[:, judged.gold.any(axis=0)]
    in_band = {name: int((judged.gold & _inside(judged, name)).sum()) for name in BANDS}
    return Results(len(notes), gold.shape[1], in_band, float(1 - gold.mean()), rows, _differences(samples))


def sampled(judged: Judged, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Every figure of a system, [resamples]."""
    micro = metrics.micro_figures(judged.gold, judged.chosen, weights)
    macro = metrics.macro_figures(judged.gold, judged.chosen, weights)
    return (
        metrics.ranking_figures(judged, weights)
        | {f"micro_{name}": values for name, values in micro.items()}
        | {f"macro_{name}": values for name, values in macro.items()}
    )


def _inside(judged: Judged, band: str) -> NDArray[np.bool_]:
    least, most = BANDS[band]
    return (judged.seen >= least) & (judged.seen <= most)


def _by_band(judged: Judged, weights: NDArray[np.float64]) -> dict[str, dict[str, Estimate]]:
    found = {}
    for name in BANDS:
        inside = _inside(judged, name)
        figures = metrics.micro_figures(judged.gold & inside, judged.chosen & inside, weights)
        found[name] = {figure: estimate(values) for figure, values in figures.items()}
    return found


def _differences(samples: Mapping[str, Samples]) -> dict[str, Difference]:
    ours, others = samples[OURS], [family for family in samples if family not in (OURS, BY_SCORE)]
    found = {}
    for name, values in ours.items():
        best = max(others, key=lambda family: samples[family][name][0])
        found[name] = Difference(best, estimate(values - samples[best][name]))
    return found
