"""Families of models for icu_mortality beside each other, on the same folds of the same patients.

Each is trained and kept on its own: `families.py NAME...` trains those. Families that are not trained again keep their
figures, and the stack is made again only when the predictions of all are at hand. Writes families.json;
docs/risk-models.md shows it.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import blend
import card
import measures
import numpy as np
import row_families
import rows
import sequences
import train
import trees
from numpy.typing import NDArray
from out_of_fold import whole
from rows import CACHE, Rows

HOURS = (6, 24, 48)
PAGE = rows.REPOSITORY / "docs" / "risk-models.md"
TABLE = train.MODEL / "families.json"
STACK = "stack of all"
EARLIEST_STACKED = 360  # minutes
EPOCHS = {"GRU-D": 8, "temporal convolution": 8, "transformer": 3}
TRIALS, TUNED_ROUNDS, INNER_SHARE = 6, 200, 0.25
Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]


def main() -> None:
    held = rows.mortality()
    task = train.task_of(held)
    fold = blend.folds(task, rows.SEED)
    for name in sys.argv[1:]:
        _keep(name, held, fold)
    parts = whole("mortality-whole", task, fold, train.RECIPE)
    every = {"LightGBM, both ensembles": parts.trees, "feed-forward networks on the rows": parts.networks}
    for path in sorted(CACHE.glob("family-*.npz")):
        with np.load(path) as kept:
            every[str(kept["name"])] = kept["said"]
    every["trees and networks, as shipped"] = parts.blended(train.RECIPE.trees_part)
    known = json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}
    if set(known) <= {*every, STACK}:
        every[STACK] = stacked(every, held, fold)
    table = known | {name: {str(hour): figures(said, held, hour) for hour in HOURS} for name, said in every.items()}
    TABLE.write_text(json.dumps(table, indent=1) + "\n")
    card.fill(PAGE, {"families": lines(table)})


def lines(table: dict[str, Any]) -> list[str]:
    header = ("", *(f"AUROC, {hour} h" for hour in HOURS), "AUPRC, 48 h", "Score 1, 48 h")
    return card.table(
        header,
        (
            (name, *(card.with_interval(one[str(hour)], "auroc") for hour in HOURS),
             card.with_interval(one["48"], "auprc"), f"{one['48']['score1']:.3f}")
            for name, one in table.items()
        ),
    )  # fmt: skip


def figures(said: Floats, held: Rows, hour: int) -> dict[str, Any]:
    chosen = train.at_hour(held, hour)
    found = measures.discrimination(said[chosen], held.label[chosen], held.patient[chosen], 200)
    return found | {"score1": round(measures.score1(said[chosen], held.label[chosen])[0], 4)}


def stacked(every: dict[str, Floats], held: Rows, fold: NDArray[np.int64]) -> Floats:
    """Logistic regression over the log-odds of all, fitted on the other folds."""
    terms = np.stack([*(one for one in every.values()), np.ones(len(fold))], axis=1)
    said = np.full(len(fold), np.nan)
    fixed = ~held.drawn & (held.minute >= EARLIEST_STACKED)
    for number in np.unique(fold):
        other, mine = fixed & (fold != number), ~held.drawn & (fold == number)
        said[mine] = terms[mine] @ row_families.logistic(terms[other], held.label[other].astype(np.float32), 1e-3)
    return said


def _keep(name: str, held: Rows, fold: NDArray[np.int64]) -> None:
    started = time.process_time()
    said = _sequence(name, held, fold) if name in sequences.KINDS else _rows(FAMILIES[name], held, fold)
    seconds = time.process_time() - started
    np.savez(CACHE / f"family-{name.replace(' ', '-')}.npz", name=name, said=said, seconds=seconds)
    print(name, f"{seconds:.0f} s", {hour: figures(said, held, hour)["auroc"] for hour in HOURS}, flush=True)


def _rows(fit: row_families.Fit, held: Rows, fold: NDArray[np.int64]) -> Floats:
    """Of the reported hours, trained on the drawn minutes of other folds."""
    said = np.full(len(fold), np.nan)
    for number in np.unique(fold):
        learn, judge = held.drawn & (fold != number), ~held.drawn & (fold == number)
        label = held.label[learn].astype(np.float32)
        said[judge] = fit(held.x[learn], label, np.ones(len(label), np.float32))(held.x[judge])
    return said


def _sequence(name: str, held: Rows, fold: NDArray[np.int64]) -> Floats:
    grid = sequences.grid_2012()
    first = {int(patient): at for at, patient in enumerate(held.patient)}
    of_stay = fold[[first[int(patient)] for patient in grid.patient]]
    hourly = sequences.out_of_fold(name, grid, of_stay, sequences.Training(epochs=EPOCHS[name]), range(blend.FOLDS))
    place = {int(patient): at for at, patient in enumerate(grid.patient)}
    said, fixed = np.full(len(fold), np.nan), np.flatnonzero(~held.drawn)
    stays = np.array([place[int(patient)] for patient in held.patient[fixed]])
    said[fixed] = hourly[stays, held.minute[fixed] // 60 - 1]
    return said


def _tuned(x: Float32, y: Float32, weight: Float32) -> row_families.Fitted:  # noqa: ARG001 - all weigh the same
    """LightGBM with settings that Optuna found inside the fold, on a quarter of its patients (six rows each)."""
    import optuna  # noqa: PLC0415 - only this family needs it

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    inner = np.random.default_rng(rows.SEED).random(len(y) // rows.RANDOM_CUTS + 1) < INNER_SHARE
    judged = inner[np.arange(len(y)) // rows.RANDOM_CUTS]

    def settings(trial: Any) -> dict[str, Any]:
        return train.TREES | {
            "num_leaves": trial.suggest_int("num_leaves", 6, 31),
            "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 40, 400, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.05, 0.4, log=True),
            "lambda_l2": trial.suggest_float("lambda_l2", 1, 60, log=True),
        }

    def objective(trial: Any) -> float:
        tried = trees.Boosting("lightgbm", TUNED_ROUNDS, settings(trial))
        fitted = trees.fit(x[~judged], y[~judged], None, tried, rows.SEED)
        return measures.auroc(fitted.log_odds(x[judged]), y[judged].astype(np.int8))

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=1))
    study.enqueue_trial({"num_leaves": 15, "min_data_in_leaf": 150, "feature_fraction": 0.15, "lambda_l2": 20})
    study.optimize(objective, n_trials=TRIALS)
    print(study.best_params, flush=True)
    best = trees.Boosting("lightgbm", train.LIGHTGBM.rounds, settings(study.best_trial))
    return trees.fit(x, y, None, best, rows.SEED).log_odds


FAMILIES = row_families.FAMILIES | {"LightGBM tuned by Optuna inside each fold": _tuned}


if __name__ == "__main__":
    main()
