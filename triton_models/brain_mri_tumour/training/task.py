"""From pictures to a served model: cross-validate, measure, calibrate, train on everything, export.

The brain and the breast models differ only in their `Task`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from fitting import SEED, Kept, Recipe, Trained, keep, low_maps, trained
from foreign import foreign_pictures, wrong_way
from graph import scope_features
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
from network import Lesions
from samples import Sample, squares
from scope import ScopeCheck, fit_scope
from torch.nn import functional

from services.image_router.preprocessing import model_input
from services.image_router.upright import AS_SENT, REMEDIES

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
    sensitivity, specificity: of the operating points of each label. groups: names in `Sample.about` to report by.
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
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """Samples as arrays. kept: of all of them, also in a part."""

    samples: list[Sample]
    inputs: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    kept: Kept
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
            self.kept,
            self.labels[rows],
            self.folds[rows],
            self.drawn[rows],
            self.groups[rows],
        )


def material(task: Task, samples: list[Sample], labels_of_runs: list[str]) -> Material:
    """Prepare, augment and run the frozen layers; nothing is augmented when these runs all left checkpoints."""
    made = all((WORK / task.name / f"{label}.pt").exists() for label in labels_of_runs)
    recipe = replace(task.recipe, augmented=0) if made else task.recipe
    print(f"preparing {len(samples)} pictures", flush=True)
    inputs, masks = squares(samples, task.side, task.preparation)
    labels = np.array([sample.label for sample in samples])
    drawn = np.array([sample.mask is not None for sample in samples])
    network = Lesions(len(task.classes)).to(memory_format=torch.channels_last)
    kept = keep(network, inputs, masks, labels, drawn, recipe, SEED)
    folds = np.array([sample.fold for sample in samples])
    groups = np.array([sample.group for sample in samples])
    return Material(samples, inputs, masks, kept, labels, folds, drawn, groups)


def run(task: Task, m: Material, label: str, train: NDArray[np.int64], test: NDArray[np.int64]) -> Trained:
    """One training run, kept under `label`."""
    return trained(m.kept, train, test, len(task.classes), task.recipe, WORK / task.name / label)


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Answers of networks that never saw the picture's group.

    logits: (n, classes); evidence: (n, classes, h, w);
    outline: (n, h, w), logits; runs: by fold.
    """

    logits: NDArray[np.float64]
    mirrored: NDArray[np.float64]
    evidence: NDArray[np.float32]
    outline: NDArray[np.float32]
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
    distance = hausdorff95(p >= threshold, drawn)
    area = drawn.mean((1, 2))
    sizes = np.quantile(area, [1 / 3, 2 / 3])
    third = np.searchsorted(sizes, area)

    def mean(q: NDArray[np.bool_]) -> float:
        return round(float(score[q].mean()), 4)

    return {
        "threshold": threshold,
        "tried": {str(t): round(v, 4) for t, v in tried.items()},
        "pictures": len(rows),
        "dice": with_interval(lambda q: score[q].mean(), m.groups[rows]),
        "dice_median": round(float(np.median(score)), 4),
        "dice_below_half": round(float((score < 0.5).mean()), 4),  # noqa: PLR2004 - as named
        "hausdorff95_percent_of_side": round(float(np.nanmean(distance)) / task.side * 100, 2),
        "nothing_found": round(float(np.isnan(distance).mean()), 4),
        "by_class": {n: mean(q) for i, n in enumerate(task.classes) if (q := m.labels[rows] == i).any()},
        "by_fold": {str(f): mean(m.folds[rows] == f) for f in sorted(oof.runs)},
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


def features_of(task: Task, network: Lesions, greys: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Scope features of pictures, any grey scale."""
    parts = []
    for at in range(0, len(greys), 32):
        inputs = np.stack(
            [model_input(np.ascontiguousarray(g), task.side, task.preparation) for g in greys[at : at + 32]]
        )
        with torch.no_grad():
            x4, x8 = network.trunk.low(torch.from_numpy(inputs).contiguous(memory_format=torch.channels_last))
            parts.append(scope_features(x8, network.from_low(x4, x8).pooled).numpy())
    return np.concatenate(parts).astype(np.float64)


def known_features(m: Material, rows: NDArray[np.int64], pooled: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scope features of kept pictures. pooled: of the network in question."""
    _, x8 = low_maps(m.kept, 0, torch.from_numpy(rows))
    return scope_features(x8, torch.from_numpy(pooled)).numpy().astype(np.float64)


def scope_groups(m: Material, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """A class of a set has a centre of its own."""
    names = [f"{m.samples[r].label} {m.samples[r].about.get('set', '')}" for r in rows]
    return np.unique(names, return_inverse=True)[1]


def fitted_scope(
    task: Task, m: Material, network: Lesions, rows: NDArray[np.int64], features: NDArray[np.float64]
) -> ScopeCheck:
    """From these rows. features: theirs."""
    of = np.random.default_rng(SEED).permutation(len(rows))[:WRONG]
    kinds = wrong_way([m.samples[rows[i]].grey for i in of])
    wrong = np.concatenate([features_of(task, network, kind) for kind in kinds])
    return fit_scope(features, scope_groups(m, rows), wrong, np.tile(of, len(kinds)))


def scope_of(task: Task, m: Material, fold: int, one: Trained) -> ScopeCheck:
    """The check for a fold's network, fitted on what it was trained on."""
    train = np.flatnonzero(m.folds != fold)
    return fitted_scope(task, m, one.network, train, known_features(m, train, one.known))


def scope_figures(task: Task, m: Material, fold: int, one: Trained, check: ScopeCheck) -> dict[str, Any]:
    """Shares in scope: of the fold's pictures, of the same turned and inverted, and of foreign ones.

    read: as sent, or after one of the remedies that the service tries.
    """
    own = check(known_features(m, one.test, one.plain["pooled"])) <= 1
    greys = [m.samples[r].grey for r in one.test]
    some = [greys[i] for i in np.random.default_rng(SEED).permutation(len(greys))[:FOREIGN]]
    kinds = dict(zip(("inverted", "turned_right", "turned_left", "upside_down"), wrong_way(some), strict=True))
    kinds |= foreign_pictures(task.foreign, greys, FOREIGN, SEED)
    shares = {}
    for kind, found in kinds.items():
        tried = [[remedy.apply(grey) for grey in found] for remedy in (AS_SENT, *REMEDIES)]
        passed = np.array([check(features_of(task, one.network, shown)) <= 1 for shown in tried])
        shares[kind] = {"as_sent": round(float(passed[0].mean()), 4), "read": round(float(passed.any(0).mean()), 4)}
    return {
        "fold": fold,
        "in_scope": round(float(own.mean()), 4),
        "in_scope_by_class": {
            n: round(float(own[m.labels[one.test] == i].mean()), 4) for i, n in enumerate(task.classes)
        },
        "kinds": shares,
    }
