"""Settings of the trees and the weight of the blend, sought by Optuna inside each fold, beside the shipped ones.

Nested: a search sees the other folds alone. It trains on three of them and judges on the fourth, with a part of the
patients; then the trees are trained on all four with what it found, and judged on the fold that it never saw. The
networks are as shipped. `nested.py icu_mortality|sepsis_onset`; writes nested.json beside the model.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import blend
import card
import measures
import network
import numpy as np
import optuna
import rows
import trees
from blend import Recipe, Task
from numpy.typing import NDArray
from out_of_fold import whole
from trees import Boosting

TRIALS, ROUNDS, PATIENTS = 6, 120, 0.3
MODELS = rows.REPOSITORY / "triton_models"
Floats = NDArray[np.float64]
Folds = NDArray[np.int64]
# What is told of each model: in words, and where among its figures it is.
SHOWN: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "icu_mortality": {f"AUROC at {hour} h": (hour, "auroc") for hour in ("6", "24", "48")}
    | {"Score 1": ("48", "score1")},
    "sepsis_onset": {"AUROC": ("", "auroc"), "utility": ("", "utility")},
}
optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True, slots=True)
class Subject:
    """One model. kept: name of its cross-validation in the cache. folds: how many have a search."""

    kept: str
    task: Task
    recipe: Recipe
    folds: int
    figures: Callable[[Floats, NDArray[np.bool_]], dict[str, Any]]


def main() -> None:
    name = sys.argv[1]
    subject = SUBJECTS[name]()
    fold = blend.folds(subject.task, rows.SEED)
    parts = whole(subject.kept, subject.task, fold, subject.recipe)
    judged = subject.task.judge & (fold < subject.folds)
    said, chosen = np.full(len(fold), np.nan), []
    for number in range(subject.folds):
        best = sought(subject, fold, number)
        chosen.append(best)
        mine = judged & (fold == number)
        learn = np.flatnonzero((fold != number) & subject.task.learn)
        by_trees = np.mean([_said(subject.task, learn, one, mine) for one in _tuned(subject.recipe, best)], axis=0)
        said[mine] = best["trees_part"] * by_trees + (1 - best["trees_part"]) * parts.networks[mine]
        print(number, best, flush=True)
    shipped = parts.blended(subject.recipe.trees_part)
    found = {
        "trials": TRIALS,
        "folds": subject.folds,
        "found": chosen,
        "shipped": subject.figures(shipped, judged),
        "sought": subject.figures(said, judged),
    }
    (MODELS / name / "nested.json").write_text(json.dumps(found, indent=1) + "\n")
    card.fill(rows.REPOSITORY / "docs" / "risk-models.md", {"nested": lines()})


def lines() -> list[str]:
    """Of what was found for both models so far."""
    header = ("", "shipped settings", "settings sought inside each fold", "weight of the trees, by fold")
    made = []
    for name, shown in SHOWN.items():
        path = MODELS / name / "nested.json"
        if not path.exists():
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
        parts = ", ".join(f"{one['trees_part']:.2f}" for one in found["found"])
        for title, (group, key) in shown.items():
            both = (found[kind][group] if group else found[kind] for kind in ("shipped", "sought"))
            cells = [card.with_interval(one, key) if f"{key}_95" in one else f"{one[key]:.3f}" for one in both]
            made.append((f"{name}, {title}, {found['folds']} folds", *cells, parts))
    return card.table(header, made)


def _tuned(recipe: Recipe, found: Mapping[str, float]) -> list[Boosting]:
    """The recipe's trees with other settings. A trial's rows are a fraction of all, but its settings are used as is."""
    settings = {key: value for key, value in found.items() if key != "trees_part"}
    return [replace(one, settings={**one.settings, **settings}) for one in recipe.boosters]


def _said(task: Task, learn: NDArray[np.int64], boosting: Boosting, judge: NDArray[Any]) -> Floats:
    target = task.targets[learn, boosting.target]
    fitted = trees.fit(task.x[learn], target, task.weight[learn], boosting, rows.SEED + boosting.target)
    return fitted.log_odds(task.x[judge])


def sought(subject: Subject, fold: Folds, number: int) -> dict[str, float]:
    """The best of TRIALS, the shipped settings first among them."""
    task, recipe = subject.task, subject.recipe
    _, patient = np.unique(task.patient, return_inverse=True)
    drawn = (np.random.default_rng(rows.SEED + number).random(int(patient.max()) + 1) < PATIENTS)[patient]
    inner = (number + 1) % (int(fold.max()) + 1)
    learn = np.flatnonzero(drawn & task.learn & (fold != number) & (fold != inner))
    judge = np.flatnonzero(task.learn & (fold == inner))
    inputs = network.Inputs.of(task.x[learn])
    targets = task.targets[learn, : len(recipe.network.targets)]
    weight = task.weight[learn] / task.weight[learn].mean()
    layers = network.fit(inputs.of_rows(task.x[learn]), targets, weight, recipe.seed, recipe.network)
    by_network = network.log_odds(layers, inputs.of_rows(task.x[judge])).astype(np.float64)
    label = task.label[judge]

    def objective(trial: optuna.Trial) -> float:
        values = {
            "num_leaves": trial.suggest_int("num_leaves", 6, 31),
            "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 40, 400, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.05, 0.4, log=True),
            "lambda_l2": trial.suggest_float("lambda_l2", 1, 60, log=True),
            "trees_part": trial.suggest_float("trees_part", 0.3, 1.0),
        }
        by_trees = _said(task, learn, replace(_tuned(recipe, values)[0], rounds=ROUNDS), judge)
        part = values["trees_part"]
        return measures.Ranked.of(part * by_trees + (1 - part) * by_network, label).auroc(
            task.weight[judge].astype(np.float64)
        )

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=1 + number))
    names = ("num_leaves", "min_data_in_leaf", "feature_fraction", "lambda_l2")
    known = {key: recipe.boosters[0].settings[key] for key in names}
    study.enqueue_trial({**known, "trees_part": recipe.trees_part})
    study.optimize(objective, n_trials=TRIALS)
    return dict(study.best_params)


def _mortality() -> Subject:
    train = _training("icu_mortality")
    held = rows.mortality()

    def figures(said: Floats, judged: NDArray[np.bool_]) -> dict[str, Any]:
        found = {}
        for hour in train.LOOKED_AT:
            chosen = train.at_hour(held, hour) & judged
            found[str(hour)] = measures.discrimination(said[chosen], held.label[chosen], held.patient[chosen])
            found[str(hour)]["score1"] = round(measures.score1(said[chosen], held.label[chosen])[0], 4)
        return found

    return Subject("mortality-whole", train.task_of(held), train.RECIPE, blend.HALVED, figures)


def _sepsis() -> Subject:
    train = _training("sepsis_onset")
    held = rows.sepsis()
    worth = train.utility.table(held.patient, held.label)
    task = train.task_with_networks(held)
    fold = blend.folds(task, rows.SEED)

    def figures(said: Floats, judged: NDArray[np.bool_]) -> dict[str, Any]:
        of_judged = worth[0][judged], worth[1][judged]
        return dict(train.utilities(said[judged], held.where(judged), of_judged, fold[judged]))

    return Subject("sepsis-with-networks", task, train.WITH_NETWORKS, blend.HALVED, figures)


def _training(model: str) -> Any:
    """The module that trains it; both are called train."""
    spec = spec_from_file_location(f"train_{model}", MODELS / model / "training" / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SUBJECTS: Mapping[str, Callable[[], Subject]] = {"icu_mortality": _mortality, "sepsis_onset": _sepsis}


if __name__ == "__main__":
    main()
