"""Train sepsis_onset: the risk of sepsis within the hours to come, hour by hour. `make train` runs it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MODEL = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(MODEL.parent / "icu_mortality" / "training"))

import blend  # noqa: E402 - both models are made by the same code, which lies with the first
import calibration  # noqa: E402
import classics  # noqa: E402
import measures  # noqa: E402
import network  # noqa: E402
import publish  # noqa: E402
import rows  # noqa: E402
import utility  # noqa: E402
from blend import Recipe, Task  # noqa: E402
from calibration import Bent  # noqa: E402
from card import fill, table, write_tables  # noqa: E402
from out_of_fold import OutOfFold, out_of_fold, whole  # noqa: E402
from row_families import CATBOOST, XGBOOST  # noqa: E402
from rows import Rows  # noqa: E402
from trees import Boosting  # noqa: E402

from services.fusion.deterioration.features import CLOCK  # noqa: E402
from services.fusion.deterioration.features import FEATURES_SEPSIS as NAMES  # noqa: E402
from services.fusion.deterioration.scope import SEPSIS  # noqa: E402

# The two families that were best alone, one by AUROC and one by utility; docs/risk-models.md has what was beside them.
RECIPE = Recipe((XGBOOST, CATBOOST))
# Shipped before, for comparison. One ensemble of trees learns the label, the other (target 2) counts the six hours
# before it in part; the networks learn the label and beside it whether an alarm is worth its cost.
LIGHTGBM = Boosting("lightgbm", 300, {
    "learning_rate": 0.05, "num_leaves": 15, "max_depth": 7, "min_data_in_leaf": 200, "feature_fraction": 0.15,
    "bagging_fraction": 0.5, "lambda_l2": 20.0, "max_bin": 63,
})  # fmt: skip
NETWORK = network.Settings(hidden=96, epochs=5, targets=(1.0, 0.3))
WITH_NETWORKS = Recipe((LIGHTGBM, replace(LIGHTGBM, target=2)), NETWORK, members=3, trees_part=0.8)
BEFORE_LABEL = 0.7  # of what an alarm is worth in an hour before the label. Not tuned
KEPT_OF_OTHERS = 0.25  # share of the hours of patients without sepsis that is learned from, each then weighing four
DRAWS = 200
HOURS = {"1 to 6": (1, 7), "7 to 24": (7, 25), "25 to 72": (25, 73), "over 72": (73, 10_000)}
AGES = {"16 to 44": (16, 45), "45 to 64": (45, 65), "65 to 79": (65, 80), "80 and over": (80, 121)}
DECISIONS = (0.01, 0.02, 0.05, 0.1)

Floats = NDArray[np.float64]
Chosen = NDArray[np.bool_]


def main() -> None:
    held = rows.sepsis()
    worth = utility.table(held.patient, held.label)
    task = task_of(held)
    if "--robustness" in sys.argv:
        strangers(held, task, worth)
        return
    found = out_of_fold("sepsis", task, RECIPE, RECIPE)
    blended = found.whole.trees
    said = calibrated(held, found, blended)
    points = operating_points(held, said, worth, found)
    metrics = {**figures(held, found, said, worth), "without_the_clock": clockless(held, worth, found.fold)}
    model = blend.fit(task, np.ones(len(held.label), bool), RECIPE)
    curve = Bent.of(blended, held.label)
    width = calibration.Width.constant(calibration_pairs(held, found))  # a patient's own is no better, see the card
    made = publish.Published("sepsis_onset", NAMES, model, curve, width, points, held.x, calibration.probability(said))
    publish.publish(MODEL, made, {**metrics, "operating_points": points})
    publish.draw_reliability(MODEL / "reliability.png", panels(held, said))
    write_tables(MODEL)


def septic(held: Rows) -> Chosen:
    """Rows of patients who become septic."""
    starts = np.flatnonzero(np.r_[True, held.patient[1:] != held.patient[:-1]])
    ever = np.maximum.reduceat(held.label, starts) > 0
    return np.repeat(ever, np.diff([*starts, len(held.patient)]))


def task_of(held: Rows, *, clock: bool = True) -> Task:
    """All hours are judged; of patients without sepsis a part is learned from. clock: whether the hour is read."""
    ever = septic(held)
    drawn = np.random.default_rng(rows.SEED).random(len(ever)) < KEPT_OF_OTHERS
    weight = np.where(ever, 1.0, 1 / KEPT_OF_OTHERS).astype(np.float32)
    x = held.x
    if not clock:
        x = x.copy()
        x[:, NAMES.index(CLOCK)] = np.nan
    label = held.label[:, None].astype(np.float32)
    return Task(x, held.patient, label, weight, ever | drawn, np.ones(len(ever), bool))


def task_with_networks(held: Rows) -> Task:
    """Of WITH_NETWORKS."""
    worth = utility.table(held.patient, held.label)
    before = np.where((held.label == 0) & septic(held), BEFORE_LABEL * np.maximum(worth[0], 0), 0)
    targets = np.stack([held.label, worth[0] > worth[1], held.label + before], axis=1).astype(np.float32)
    return replace(task_of(held), targets=targets)


def calibrated(held: Rows, found: OutOfFold, blended: Floats) -> Floats:
    """Log-odds of all rows, calibrated on other folds."""
    return calibration.cross_fitted(blended, held.label, found.fold)


def calibration_pairs(held: Rows, found: OutOfFold) -> calibration.Apart:
    """How far the models of both halves are apart."""
    known = ~np.isnan(found.first.trees)
    apart = np.abs(found.first.trees - found.second.trees)[known]
    return calibration.Apart(held.x[known], apart, found.fold[known], held.patient[known])


def coverage(held: Rows, found: OutOfFold) -> dict[str, Any]:
    known = ~np.isnan(found.first.trees)
    groups = {"all hours": np.ones(int(known.sum()), bool), "hours of patients with sepsis": septic(held)[known]}
    return calibration.coverage(calibration_pairs(held, found), groups)


def cross_threshold(score: Floats, worth: tuple[Floats, Floats], fold: NDArray[np.int64]) -> Chosen:
    """Alarms of each fold at the threshold that was best on the other folds."""
    alarm = np.zeros(len(score), bool)
    for number in np.unique(fold):
        other, mine = fold != number, fold == number
        threshold, _ = utility.best_threshold(score[other], worth[0][other], worth[1][other])
        alarm[mine] = score[mine] >= threshold
    return alarm


def utilities(score: Floats, held: Rows, worth: tuple[Floats, Floats], fold: NDArray[np.int64]) -> dict[str, Any]:
    """Normalised utility at thresholds of other folds, with its interval by patient."""
    alarm = cross_threshold(score, worth, fold)
    gained = np.where(alarm, worth[0], worth[1]) - worth[1]
    most = np.maximum(worth[0], worth[1]) - worth[1]
    low, high = measures.interval(held.patient, lambda w: float(w @ gained / (w @ most)), DRAWS)
    ranked = measures.Ranked.of(score, held.label)
    area = measures.interval(held.patient, ranked.auroc, DRAWS)
    return {
        "utility": round(utility.utility(alarm, *worth), 4),
        "utility_95": [round(low, 4), round(high, 4)],
        "auroc": round(ranked.auroc(), 4),
        "auroc_95": [round(one, 4) for one in area],
        "auprc": round(ranked.auprc(), 4),
    }


def figures(held: Rows, found: OutOfFold, said: Floats, worth: tuple[Floats, Floats]) -> dict[str, Any]:
    every = {"sepsis_onset": said, "stay's clock alone": held.minute.astype(float), **classics.scores(held.x, NAMES)}
    chance = calibration.probability(said)
    return {
        "model": "sepsis_onset",
        "data": "PhysioNet/CinC Challenge 2019, part of set B",
        "licence": "CC BY 4.0",
        "split": "five folds by patient, stratified by outcome; calibration and thresholds from other folds",
        "counts": {"hours": len(held.label), "patients": len(np.unique(held.patient)),
                   "patients_with_sepsis": len(np.unique(held.patient[held.label > 0]))},
        "beside": {name: utilities(score, held, worth, found.fold) for name, score in every.items()},
        "calibration": measures.calibration(chance, held.label),
        "reliability": measures.reliability(chance, held.label),
        "groups": groups(held, said),
        "alarms_at_equal_sensitivity": alarms(held, every, worth, found.fold),
        "decision_curve": [measures.net_benefit(chance, held.label, at) for at in DECISIONS],
        "interval": coverage(held, found),
        "abstained": round(float(silent(held).mean()), 4),
    }  # fmt: skip


def clockless(held: Rows, worth: tuple[Floats, Floats], fold: NDArray[np.int64]) -> dict[str, Any]:
    """The same made without the hour of the stay; how often things were measured so far still tells of it."""
    blind = whole("sepsis-clockless", task_of(held, clock=False), fold, RECIPE)
    return utilities(blind.trees, held, worth, fold)


def strangers(held: Rows, task: Task, worth: tuple[Floats, Floats]) -> None:
    """Kinds of unit that a model never saw, beside the cross-validated model of all kinds. Writes robustness.json."""
    fold = blend.folds(task, rows.SEED)
    all_kinds = whole("sepsis-whole", task, fold, RECIPE).trees
    named = group_rows(held)
    kinds = {name: named[name] for name in ("medical unit", "surgical unit", "unit not stated")}
    found = {}
    for name, mine in kinds.items():
        said = blend.fit(task, ~mine, RECIPE).parts(held.x[mine]).trees
        of_kind = worth[0][mine], worth[1][mine]
        found[name] = {
            "patients": len(np.unique(held.patient[mine])),
            "auroc_trained_on_the_others": round(measures.auroc(said, held.label[mine]), 4),
            "auroc_cross_validated": round(measures.auroc(all_kinds[mine], held.label[mine]), 4),
            "best_utility_trained_on_the_others": round(utility.best_threshold(said, *of_kind)[1], 4),
            "best_utility_cross_validated": round(utility.best_threshold(all_kinds[mine], *of_kind)[1], 4),
        }
    (MODEL / "robustness.json").write_text(json.dumps(found, indent=1) + "\n")
    header = ("kind of unit", *(key.replace("_", " ") for key in next(iter(found.values()))))
    lines = table(header, ((name, *one.values()) for name, one in found.items()))
    fill(MODEL / "MODEL_CARD.md", {"units": lines})


def group_rows(held: Rows) -> dict[str, Chosen]:
    age, sex, unit = (held.x[:, NAMES.index(f"{name}.last")] for name in ("age", "sex", "icu_type"))
    hour = held.minute / 60
    return {
        **{f"age {name}": (age >= low) & (age < high) for name, (low, high) in AGES.items()},
        "female": sex == 0,
        "male": sex == 1,
        "medical unit": unit == 3,  # noqa: PLR2004 - code of the set
        "surgical unit": unit == 4,  # noqa: PLR2004 - code of the set
        "unit not stated": np.isnan(unit),
        **{f"hour {name}": (hour >= low) & (hour < high) for name, (low, high) in HOURS.items()},
    }


def groups(held: Rows, said: Floats) -> dict[str, Any]:
    return {
        name: {
            **measures.discrimination(said[group], held.label[group], held.patient[group], DRAWS),
            **measures.calibration(calibration.probability(said[group]), held.label[group]),
        }
        for name, group in group_rows(held).items()
    }


def alarms(
    held: Rows, every: dict[str, Floats], worth: tuple[Floats, Floats], fold: NDArray[np.int64]
) -> dict[str, Any]:
    """Each score at the model's sensitivity: septic patients with an alarm from 12 h before onset to 3 h after."""
    wanted = worth[0] > worth[1]
    alarm = cross_threshold(every["sepsis_onset"], worth, fold)
    caught = np.unique(held.patient[wanted & alarm])
    asked = len(caught) / len(np.unique(held.patient[wanted]))
    found = classics.alarms(every, held.patient, held.minute, wanted, asked)
    onset = onsets(held)
    for name, score in every.items():
        first = classics.first_alarms(wanted & (score >= found[name]["threshold"]), held.patient, held.minute)
        ahead = (onset - first)[~np.isnan(first)] / 60
        found[name]["median_hours_before_onset"] = round(float(np.median(ahead)), 1)
    return found


def onsets(held: Rows) -> Floats:
    """Minute of onset of each patient, six hours after the first positive label; NaN without sepsis."""
    return classics.first_alarms(held.label > 0, held.patient, held.minute) + 360


def operating_points(held: Rows, said: Floats, worth: tuple[Floats, Floats], found: OutOfFold) -> list[dict[str, Any]]:
    """The threshold of the highest utility."""
    threshold, best = utility.best_threshold(said, *worth)
    reason = "highest utility of the 2019 challenge in cross-validation"
    return [{
        "name": "alarm",
        "probability": round(float(calibration.probability(np.array(threshold))), 5),
        "log_odds": threshold,
        "reason": reason,
        "utility_on_the_rows_it_was_chosen_on": round(best, 4),
        "hours": measures.at_threshold(cross_threshold(said, worth, found.fold), held.label),
    }]  # fmt: skip


def silent(held: Rows) -> Chosen:
    """Hours in which too little was measured for an answer; the figures above count them all."""
    return held.x[:, NAMES.index("measured.names24")] < SEPSIS.names


def panels(held: Rows, said: Floats) -> dict[str, Any]:
    def line(chosen: Chosen) -> list[dict[str, float]]:
        return measures.reliability(calibration.probability(said[chosen]), held.label[chosen])

    named = group_rows(held)
    marks = {"by hour of stay": "hour", "by age": "age", "by unit": "unit"}
    return {title: {k: line(v) for k, v in named.items() if mark in k} for title, mark in marks.items()}


if __name__ == "__main__":
    main()
