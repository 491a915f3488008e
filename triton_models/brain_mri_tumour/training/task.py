"""From pictures to a served model: cross-validate, measure, calibrate, train on everything, export.

The brain and the breast models differ only in their `Task`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from asking import ask
from fitting import SEED, Pictures, Recipe, Trained, trained
from foreign import crops, foreign_pictures, shares_in_scope, wrong_way
from measures import (
    band,
    classification,
    dice,
    hausdorff95,
    pointing,
    reliability,
    softmax,
    temperature_of,
    with_interval,
)
from points import Aim, Point, fifths, point_figures
from samples import Sample, squares
from scope import ScopeCheck, fit_scope
from torch.nn import functional

from services.image_router.preprocessing import model_input

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORK = Path(os.environ.get("VIGIL_DATA_DIR", "var")) / "training"  # checkpoints; an interrupted run goes on from them
WRONG = 200  # pictures that are turned and inverted to learn from
FOREIGN = 40  # pictures a kind
OUTLINE_THRESHOLDS = (0.3, 0.4, 0.5, 0.6)


@dataclass(frozen=True, slots=True)
class Task:
    """What the models differ in.

    name: of the model. normal: index of the class without lesion. foreign: which kind of `foreign.SETS` is its own.
    sensitivity, specificity: of the default operating points of each label. aim: of the other points.
    near: share of pictures learned from that are near enough for the scope check.
    groups: names in `Sample.about` to report by.
    """

    name: str
    classes: tuple[str, ...]
    normal: int
    side: int
    preparation: str
    region: str
    foreign: str
    recipe: Recipe
    sensitivity: float
    specificity: float
    aim: Aim
    near: float
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """Samples as arrays."""

    samples: list[Sample]
    inputs: NDArray[np.float32]
    masks: NDArray[np.uint8]
    labels: NDArray[np.int64]
    folds: NDArray[np.int64]
    drawn: NDArray[np.bool_]
    groups: NDArray[np.str_]

    def part(self, rows: NDArray[np.int64]) -> Material:
        """These samples."""
        return Material(
            [self.samples[row] for row in rows],
            self.inputs[rows],
            self.masks[rows],
            self.labels[rows],
            self.folds[rows],
            self.drawn[rows],
            self.groups[rows],
        )


def material(task: Task, samples: list[Sample]) -> Material:
    """Prepare."""
    print(f"preparing {len(samples)} pictures", flush=True)
    inputs, masks = squares(samples, task.side, task.preparation)
    return Material(
        samples,
        inputs,
        masks,
        np.array([sample.label for sample in samples]),
        np.array([sample.fold for sample in samples]),
        np.array([sample.mask is not None for sample in samples]),
        np.array([sample.group for sample in samples]),
    )


def run(task: Task, m: Material, label: str, train: NDArray[np.int64], test: NDArray[np.int64]) -> Trained:
    """One training run, kept under `label`."""
    pictures = Pictures(*(torch.from_numpy(part) for part in (m.inputs, m.masks, m.drawn, m.labels)))
    return trained(pictures, train, test, len(task.classes), task.recipe, WORK / task.name / label)


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Answers of networks that never saw the picture's group.

    logits: (n, classes); evidence: (n, classes, h, w);
    outline, mirrored_outline: (n, h, w), logits; runs: by fold.
    """

    logits: NDArray[np.float64]
    mirrored: NDArray[np.float64]
    evidence: NDArray[np.float32]
    outline: NDArray[np.float32]
    mirrored_outline: NDArray[np.float32]
    runs: dict[int, Trained]


def out_of_fold(task: Task, m: Material, folds: list[int]) -> OutOfFold:
    """Each of these folds by a network trained on all the others."""
    runs = {}
    for fold in folds:
        train, test = (np.flatnonzero(rows) for rows in (m.folds != fold, m.folds == fold))
        runs[fold] = run(task, m, f"fold_{fold}", train, test)
    order = np.argsort(np.concatenate([r.test for r in runs.values()]))

    def joined(name: str, side: str = "plain") -> NDArray[Any]:
        return np.concatenate([getattr(r, side)[name] for r in runs.values()])[order]

    return OutOfFold(
        joined("logits").astype(np.float64),
        joined("logits", "mirrored").astype(np.float64),
        joined("evidence"),
        joined("outline")[:, 0],
        joined("outline", "mirrored")[:, 0],
        runs,
    )


def calibrated(logits: NDArray[np.float64], m: Material) -> NDArray[np.float64]:
    """Probabilities, each fold's by the temperature of the others; by its own where it is the only one."""
    p = np.zeros_like(logits)
    for fold in set(m.folds.tolist()):
        test = m.folds == fold
        known = m.folds != fold if (m.folds != fold).any() else test
        p[test] = softmax(logits[test], temperature_of(logits[known], m.labels[known]))
    return p


def outlines(outline: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Probabilities at the input's size, as the served graph gives them. outline: (n, h, w), logits."""
    large = functional.interpolate(torch.from_numpy(outline)[:, None], size=(side, side), mode="bilinear")
    found: NDArray[np.float32] = torch.sigmoid(large)[:, 0].numpy()
    return found


def judged(task: Task, m: Material, oof: OutOfFold) -> dict[str, Any]:
    """Every figure of the cross-validation."""
    p = calibrated(oof.logits, m)
    points = {
        name: band(p[:, i], m.labels == i, task.sensitivity, task.specificity) for i, name in enumerate(task.classes)
    }
    default: Point = tuple(high for _, high in points.values()), tuple(low for low, _ in points.values())
    parts = m.folds if len(oof.runs) > 1 else fifths(m.groups)
    report: dict[str, Any] = {
        "all": classification(p, m.labels, task.classes, m.groups),
        "by_fold": {
            str(f): classification(p[q], m.labels[q], task.classes, m.groups[q])
            for f in sorted(oof.runs)
            if (q := m.folds == f).any()
        },
        "by_group": by_group(task, m, p),
        "mirrored_too": {
            "accuracy": round(float(((softmax(oof.logits) + softmax(oof.mirrored)).argmax(1) == m.labels).mean()), 4)
        },
        "operating_points": {
            name: operating(p[:, i], m.labels == i, points[name]) for i, name in enumerate(task.classes)
        },
        "questions": point_figures(p, m.labels, task.aim, default, task.classes, parts),
        "reliability": {name: reliability(p[:, i], m.labels == i) for i, name in enumerate(task.classes)},
    }
    return report | {"outlines": outline_figures(task, m, oof), "heat": heat_figures(task, m, oof)}


def by_group(task: Task, m: Material, p: NDArray[np.float64]) -> dict[str, Any]:
    """Classification in each subgroup that the data name."""
    figures = {}
    for name in task.groups:
        values = np.array([sample.about.get(name, "") for sample in m.samples])
        for value in sorted(set(values.tolist()) - {""}):
            q = values == value
            figures[f"{name} {value}"] = classification(p[q], m.labels[q], task.classes, m.groups[q])
    return figures


def operating(p: NDArray[np.float64], y: NDArray[np.bool_], points: tuple[float, float]) -> dict[str, float]:
    """At the low and the high point."""
    low, high = points
    return {
        "low": low,
        "high": high,
        "sensitivity_at_low": round(float((p[y] >= low).mean()), 4),
        "sensitivity_at_high": round(float((p[y] >= high).mean()), 4),
        "specificity_at_low": round(float((p[~y] < low).mean()), 4),
        "specificity_at_high": round(float((p[~y] < high).mean()), 4),
        "ppv_at_high": round(float(y[p >= high].mean()), 4) if (p >= high).any() else 0.0,
        "cannot_tell": round(float(((p >= low) & (p < high)).mean()), 4),
    }


def outline_figures(task: Task, m: Material, oof: OutOfFold) -> dict[str, Any]:
    """Dice and Hausdorff 95 over pictures with a drawn lesion, in the network's frame, by class and fold."""
    rows = np.flatnonzero(m.drawn & (m.labels != task.normal))
    p, drawn = outlines(oof.outline[rows], task.side), m.masks[rows] > 127  # noqa: PLR2004 - 0 to 255
    tried = {t: float(dice(p >= t, drawn).mean()) for t in OUTLINE_THRESHOLDS}
    threshold = max(tried, key=lambda t: tried[t])
    score = dice(p >= threshold, drawn)
    distance = hausdorff95(p >= threshold, drawn) / task.side * 100
    both = (p + outlines(oof.mirrored_outline[rows], task.side)) / 2
    area = drawn.mean((1, 2))
    sizes = np.quantile(area, [1 / 3, 2 / 3])
    third = np.searchsorted(sizes, area)

    def mean(q: NDArray[np.bool_]) -> float:
        return round(float(score[q].mean()), 4)

    def far(q: NDArray[np.bool_]) -> float:
        return round(float(np.nanmean(distance[q])), 2)

    of_class = {n: m.labels[rows] == i for i, n in enumerate(task.classes) if (m.labels[rows] == i).any()}
    of_fold = {str(f): m.folds[rows] == f for f in sorted(oof.runs)}

    return {
        "threshold": threshold,
        "tried": {str(t): round(v, 4) for t, v in tried.items()},
        "pictures": len(rows),
        "dice": with_interval(lambda q: score[q].mean(), m.groups[rows]),
        "dice_median": round(float(np.median(score)), 4),
        "dice_below_half": round(float((score < 0.5).mean()), 4),  # noqa: PLR2004 - as named
        "mirrored_too": round(float(dice(both >= threshold, drawn).mean()), 4),
        "hausdorff95_percent_of_side": far(np.ones(len(rows), bool)),
        "hausdorff95_by_class": {n: far(q) for n, q in of_class.items()},
        "hausdorff95_by_fold": {n: far(q) for n, q in of_fold.items()},
        "nothing_found": round(float(np.isnan(distance).mean()), 4),
        "by_class": {n: mean(q) for n, q in of_class.items()},
        "by_fold": {n: mean(q) for n, q in of_fold.items()},
        "by_size_third": {n: mean(third == i) for i, n in enumerate(("small", "middle", "large"))},
        "by_group": {
            f"{n} {v}": mean(q)
            for n in task.groups
            for v in sorted({s.about.get(n, "") for s in m.samples} - {""})
            if (q := np.array([m.samples[r].about.get(n, "") == v for r in rows])).any()
        },
        "found_where_there_is_none": found_in_normal(task, m, oof, threshold),
    }


def found_in_normal(task: Task, m: Material, oof: OutOfFold, threshold: float) -> float:
    """Share of pictures without lesion in which something is outlined."""
    rows = np.flatnonzero(m.labels == task.normal)
    return round(float((outlines(oof.outline[rows], task.side) >= threshold).any((1, 2)).mean()), 4)


def heat_figures(task: Task, m: Material, oof: OutOfFold) -> dict[str, float]:
    """Where the heat of the likeliest lesion class lies."""
    rows = np.flatnonzero(m.drawn & (m.labels != task.normal))
    lesions = [c for c in range(len(task.classes)) if c != task.normal]
    likeliest = np.array(lesions)[oof.logits[rows][:, lesions].argmax(1)]
    centred = oof.evidence[rows] - oof.evidence[rows].mean(1, keepdims=True)
    heat = centred[np.arange(len(rows)), likeliest].astype(np.float64)
    return pointing(heat, m.masks[rows] > 127)  # noqa: PLR2004 - 0 to 255


def features_of(task: Task, one: Trained, greys: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Scope features of pictures, any grey scale."""
    inputs = np.stack([model_input(np.ascontiguousarray(g), task.side, task.preparation)[0] for g in greys])
    return _features(one, inputs)


def _features(one: Trained, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    return ask(one.session, inputs, ("features",))["features"].astype(np.float64)


def scope_groups(m: Material, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """A class of a set has a centre of its own."""
    names = [f"{m.samples[r].label} {m.samples[r].about.get('set', '')}" for r in rows]
    return np.unique(names, return_inverse=True)[1]


def scope_of(task: Task, m: Material, fold: int, one: Trained) -> ScopeCheck:
    """The check for a fold's network, fitted on what it was trained on; cropped ones count as the wrong way, too."""
    rows = np.flatnonzero(m.folds != fold)
    of = np.random.default_rng(SEED).permutation(len(rows))[:WRONG]
    greys = [m.samples[rows[i]].grey for i in of]
    kinds = [*wrong_way(greys), crops(greys, SEED)]
    wrong = np.concatenate([features_of(task, one, kind) for kind in kinds])
    return fit_scope(_features(one, m.inputs[rows]), scope_groups(m, rows), wrong, np.tile(of, len(kinds)), task.near)


def scope_figures(task: Task, m: Material, fold: int, one: Trained, check: ScopeCheck) -> dict[str, Any]:
    """Shares in scope: of the fold's pictures, of the same turned and inverted, and of foreign ones.

    read: as sent, or after one of the remedies that the service tries.
    """
    own = check(one.plain["features"].astype(np.float64)) <= 1
    greys = [m.samples[r].grey for r in one.test]
    shares = shares_in_scope(
        task.foreign, greys, lambda shown: check(features_of(task, one, shown)) <= 1, FOREIGN, SEED
    )
    return {
        "fold": fold,
        "in_scope": round(float(own.mean()), 4),
        "in_scope_by_class": {
            n: round(float(own[m.labels[one.test] == i].mean()), 4) for i, n in enumerate(task.classes)
        },
        "kinds": shares,
    }


def refused_inputs(task: Task, m: Material, one: Trained, check: ScopeCheck) -> list[NDArray[np.float32]]:
    """Inputs that the check refuses: up to three of the test rows, then one foreign picture of each kind."""
    own = m.inputs[one.test][check(one.plain["features"].astype(np.float64)) > 1][:3]
    foreign = foreign_pictures(task.foreign, [m.samples[r].grey for r in one.test], 1, SEED)
    made = [model_input(found[0], task.side, task.preparation)[0] for found in foreign.values()]
    inputs = np.stack(made)
    return [*own, *inputs[check(_features(one, inputs)) > 1]]
