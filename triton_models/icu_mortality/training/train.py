"""Train icu_mortality: the risk of dying in hospital, at any minute of the first 48 hours. `make train` runs it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import blend
import calibration
import classics
import measures
import network
import numpy as np
import pandas as pd
import publish
import robustness
import rows
from blend import Recipe, Task
from calibration import Platt
from card import write_tables
from numpy.typing import NDArray
from out_of_fold import OutOfFold, out_of_fold
from rows import HOURS_REPORTED, Rows
from trees import Boosting

from services.fusion.deterioration.features import FEATURES_MORTALITY as NAMES
from services.fusion.deterioration.scope import MORTALITY

MODEL = Path(__file__).resolve().parents[1]
# Chosen by cross-validation among what docs/risk-models.md lists.
TREES = {
    "learning_rate": 0.04,
    "num_leaves": 15,
    "max_depth": 7,
    "min_data_in_leaf": 150,
    "feature_fraction": 0.15,
    "bagging_fraction": 0.6,
    "lambda_l2": 20.0,
}
# The network learns three things at once: death in hospital, within 60 days, within a year. Only the first is used.
NETWORK = network.Settings(hidden=96, epochs=8, targets=(1.0, 0.3, 0.3))
# One ensemble of trees learns death in hospital, the other (target 3) counts deaths soon after it in part.
LIGHTGBM = Boosting("lightgbm", 350, TREES)
RECIPE = Recipe((LIGHTGBM, replace(LIGHTGBM, target=3)), NETWORK, members=4, trees_part=0.7)
HALVES = replace(RECIPE, members=2)
# Days from discharge to death, and how much of a death in hospital such a one is to the second ensemble. Not tuned.
SOON_AFTER = ((30, 0.35), (180, 0.2), (700, 0.1))
DECISIONS = (0.05, 0.1, 0.2, 0.3, 0.5)
AGES = {"16 to 44": (16, 45), "45 to 64": (45, 65), "65 to 79": (65, 80), "80 and over": (80, 121)}
SEXES = {"female": 0, "male": 1}
UNITS = {"coronary": 1, "cardiac surgery": 2, "medical": 3, "surgical": 4}
LOOKED_AT = (6, 24, 48)

Floats = NDArray[np.float64]
Chosen = NDArray[np.bool_]


def main() -> None:
    held = rows.mortality()
    task = task_of(held)
    if "--robustness" in sys.argv:
        robustness.write(robustness.measure(replace(HALVES, members=1), task, blend.folds(task, rows.SEED)), MODEL)
        return
    found = out_of_fold("mortality", task, RECIPE, HALVES)
    blended = found.whole.blended(RECIPE.trees_part)
    said = calibrated(held, found, blended)
    metrics = figures(held, found, said)
    model = blend.fit(task, np.ones(len(held.label), bool), RECIPE)
    platt = Platt.of(blended[held.drawn], *calibration_rows(held))
    points = operating_points(held, said)
    drawn = held.drawn
    width = calibration.Width.of(calibration_pairs(held, found))
    made = publish.Published(
        "icu_mortality", NAMES, model, platt, width, points, held.x[drawn], calibration.probability(said[drawn])
    )
    publish.publish(MODEL, made, {**metrics, "operating_points": points})
    publish.draw_reliability(MODEL / "reliability.png", panels(held, said))
    write_tables(MODEL)


def task_of(held: Rows) -> Task:
    """Drawn minutes are learned from, all rows are judged. A stay weighs the same whatever its minutes."""
    outcomes = rows.outcomes().loc[held.patient]
    survival, died = outcomes["Survival"].to_numpy(), held.label > 0
    within = [died | ((survival >= 0) & (survival <= days)) for days in (60, 365)]
    targets = np.stack([died, *within, _softened(died, survival, outcomes)], axis=1).astype(np.float32)
    every = np.ones(len(died), bool)
    return Task(held.x, held.patient, targets, np.ones(len(died), np.float32), held.drawn, every)


def _softened(died: Chosen, survival: NDArray[np.int64], outcomes: pd.DataFrame) -> Floats:
    """1 for death in hospital, less for death after it, 0 where none is known."""
    after = survival - outcomes["Length_of_stay"].to_numpy()
    known = ~died & (survival > 0)
    limits = [known & (after <= days) for days, _ in SOON_AFTER]
    return np.select([died, *limits], [1.0, *(share for _, share in SOON_AFTER)], 0.0)


def calibration_rows(held: Rows) -> tuple[Floats, NDArray[np.int8], Floats]:
    drawn = held.drawn
    return held.minute[drawn] / 60, held.label[drawn], np.ones(int(drawn.sum()))


def calibrated(held: Rows, found: OutOfFold, blended: Floats) -> Floats:
    """Log-odds of all rows, calibrated on drawn minutes of other folds."""
    said = np.full(len(blended), np.nan)
    for number in np.unique(found.fold):
        other, mine = (found.fold != number) & held.drawn, found.fold == number
        platt = Platt.of(blended[other], held.minute[other] / 60, held.label[other], np.ones(int(other.sum())))
        said[mine] = platt.log_odds(blended[mine], held.minute[mine] / 60)
    return said


def calibration_pairs(held: Rows, found: OutOfFold) -> calibration.Apart:
    """How far the models of both halves are apart."""
    known = ~np.isnan(found.first.trees)
    one, two = (part.blended(RECIPE.trees_part)[known] for part in (found.first, found.second))
    return calibration.Apart(held.x[known], np.abs(one - two), found.fold[known], held.patient[known])


def coverage(held: Rows, found: OutOfFold) -> dict[str, Any]:
    known = ~np.isnan(found.first.trees)
    fixed = {f"{hour} h": at_hour(held, hour)[known] for hour in LOOKED_AT}
    return calibration.coverage(calibration_pairs(held, found), {"drawn minutes": held.drawn[known], **fixed})


def at_hour(held: Rows, hour: int) -> Chosen:
    return ~held.drawn & (held.minute == 60 * hour)


def figures(held: Rows, found: OutOfFold, said: Floats) -> dict[str, Any]:
    return {
        "model": "icu_mortality",
        "data": "PhysioNet/CinC Challenge 2012, sets a and b",
        "licence": "ODC-BY 1.0",
        "split": "five folds by patient, stratified by outcome; calibration from other folds",
        "by_hour": {str(hour): of_hour(held, said, hour) for hour in HOURS_REPORTED},
        "parts_at_48_h": parts_at(held, found, 48),
        "groups_at_48_h": groups(held, said, 48),
        "groups_at_24_h": groups(held, said, 24),
        "classics": {str(hour): beside(held, said, hour) for hour in LOOKED_AT},
        "alarms_at_equal_sensitivity": alarms(held, said),
        "decision_curve_at_48_h": decisions(held, said, 48),
        "interval": coverage(held, found),
        "abstained": abstained(held),
    }


def of_hour(held: Rows, said: Floats, hour: int) -> dict[str, Any]:
    rows_, label = said[at_hour(held, hour)], held.label[at_hour(held, hour)]
    chance = calibration.probability(rows_)
    best, _ = measures.score1(rows_, label)
    return {
        **measures.discrimination(rows_, label, held.patient[at_hour(held, hour)]),
        **measures.calibration(chance, label),
        "score1": round(best, 4),
        "reliability": measures.reliability(chance, label),
    }


def parts_at(held: Rows, found: OutOfFold, hour: int) -> dict[str, Any]:
    """Trees alone, networks alone, and blends, at one hour: what the weight was chosen from."""
    chosen, whole = at_hour(held, hour), found.whole
    label = held.label[chosen]
    blends = {f"{part:.1f} trees": whole.blended(part)[chosen] for part in (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)}
    return {
        name: {"auroc": round(measures.auroc(score, label), 4), "score1": round(measures.score1(score, label)[0], 4)}
        for name, score in blends.items()
    }


def groups(held: Rows, said: Floats, hour: int) -> dict[str, Any]:
    """By age band, sex and kind of unit."""
    chosen = at_hour(held, hour)
    return {
        name: {
            **measures.discrimination(said[chosen & group], held.label[chosen & group], held.patient[chosen & group]),
            **measures.calibration(calibration.probability(said[chosen & group]), held.label[chosen & group]),
        }
        for name, group in group_rows(held).items()
    }


def group_rows(held: Rows) -> dict[str, Chosen]:
    age, sex, unit = (held.x[:, NAMES.index(f"{name}.last")] for name in ("age", "sex", "icu_type"))
    bands = {f"age {name}": (age >= low) & (age < high) for name, (low, high) in AGES.items()}
    return (
        bands | {name: sex == code for name, code in SEXES.items()} | {f"{k} unit": unit == v for k, v in UNITS.items()}
    )


def beside(held: Rows, said: Floats, hour: int) -> dict[str, Any]:
    chosen = at_hour(held, hour)
    every = {"icu_mortality": said[chosen], **classics.scores(held.x[chosen], NAMES)}
    found = classics.compared(every, held.label[chosen], held.patient[chosen])
    if hour == LOOKED_AT[-1]:
        given = rows.outcomes().loc[held.patient[chosen]]
        for name in ("SAPS-I", "SOFA"):
            score = given[name].to_numpy(float)
            known = score >= 0
            found[f"{name} as given with the set"] = measures.discrimination(
                score[known], held.label[chosen][known], held.patient[chosen][known]
            )
    return found


def alarms(held: Rows, said: Floats) -> dict[str, Any]:
    """Each score at the sensitivity that the model has at its operating point, over the reported hours."""
    fixed = ~held.drawn
    order = np.lexsort((held.minute[fixed], held.patient[fixed]))
    patient, minute, label = (array[fixed][order] for array in (held.patient, held.minute, held.label))
    score = said[fixed][order]
    threshold = operating_points(held, said)[0]["log_odds"]
    starts = np.flatnonzero(np.r_[True, patient[1:] != patient[:-1]])
    asked = float(np.maximum.reduceat(score >= threshold, starts)[label[starts] > 0].mean())
    every = {"icu_mortality": score, **classics.scores(held.x[fixed][order], NAMES)}
    found = classics.alarms(every, patient, minute, label > 0, asked)
    for name, values in every.items():
        first = classics.first_alarms(values >= found[name]["threshold"], patient, minute)[label[starts] > 0]
        found[name]["median_hour_of_first_alarm_of_those_who_died"] = round(float(np.nanmedian(first)) / 60, 1)
    return found


def operating_points(held: Rows, said: Floats) -> list[dict[str, Any]]:
    """The threshold where sensitivity and predictive value at 48 hours are equal: the challenge's Score 1."""
    chosen = at_hour(held, 48)
    _, threshold = measures.score1(said[chosen], held.label[chosen])
    hours = {f"at_{hour}_h": at_hour(held, hour) for hour in LOOKED_AT}
    figures_ = {name: measures.at_threshold(said[at] >= threshold, held.label[at]) for name, at in hours.items()}
    reason = "sensitivity and positive predictive value are about equal at 48 hours (Score 1 of the 2012 challenge)"
    chance = float(calibration.probability(np.array(threshold)))
    return [{"name": "alarm", "probability": round(chance, 4), "log_odds": threshold, "reason": reason, **figures_}]


def decisions(held: Rows, said: Floats, hour: int) -> list[dict[str, float]]:
    chosen = at_hour(held, hour)
    chance, sofa = calibration.probability(said[chosen]), held.x[chosen, NAMES.index("sofa.worst24")].astype(float)
    label = held.label[chosen]
    steps = np.unique(sofa)
    rate = {step: label[sofa == step].mean() for step in steps}
    by_sofa = np.array([rate[one] for one in sofa])
    return [
        {**measures.net_benefit(chance, label, at), "sofa": measures.net_benefit(by_sofa, label, at)["model"]}
        for at in DECISIONS
    ]


def abstained(held: Rows) -> dict[str, float]:
    """Share of stays, by hour, in which too little was measured for an answer. The figures above count them all."""
    silent = held.x[:, NAMES.index("measured.names24")] < MORTALITY.names
    return {str(hour): round(float(silent[at_hour(held, hour)].mean()), 4) for hour in HOURS_REPORTED}


def panels(held: Rows, said: Floats) -> dict[str, Any]:
    def line(chosen: Chosen) -> list[dict[str, float]]:
        return measures.reliability(calibration.probability(said[chosen]), held.label[chosen])

    by_hour = {f"{hour} h": line(at_hour(held, hour)) for hour in (1, 6, 24, 48)}
    named = group_rows(held)
    last = at_hour(held, 48)
    kinds = {"age": "age ", "unit": " unit"}
    by_kind = {
        f"at 48 h, by {kind}": {name: line(last & group) for name, group in named.items() if mark in name}
        for kind, mark in kinds.items()
    }
    return {"by hour": by_hour, **by_kind}


if __name__ == "__main__":
    main()
