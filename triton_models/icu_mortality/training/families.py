"""Families of models for icu_mortality beside each other, on the same folds of the same patients.

Each is trained and kept on its own: `families.py NAME...` trains those; the table is of all that were. Writes
families.json; docs/risk-models.md shows it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import blend
import card
import measures
import numpy as np
import rows
import sequences
import torch
import train
import trees
from numpy.typing import NDArray
from out_of_fold import whole
from rows import CACHE, Rows

HOURS = (6, 24, 48)
PAGE = rows.REPOSITORY / "docs" / "risk-models.md"
EARLIEST_STACKED = 360  # minutes
TRIALS, TUNED_ROUNDS, INNER_SHARE = 6, 200, 0.25
Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]
Fitted = Callable[[Float32], Floats]


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
    every["stack of all"] = stacked(every, held, fold)
    table = {name: {str(hour): figures(said, held, hour) for hour in HOURS} for name, said in every.items()}
    (train.MODEL / "families.json").write_text(json.dumps(table, indent=1) + "\n")
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
        said[mine] = terms[mine] @ _logistic(terms[other], held.label[other].astype(np.float32), 1e-3)
    return said


def _keep(name: str, held: Rows, fold: NDArray[np.int64]) -> None:
    started = time.process_time()
    said = _sequence(name, held, fold) if name in sequences.KINDS else _rows(ROWS[name], held, fold)
    seconds = time.process_time() - started
    np.savez(CACHE / f"family-{name.replace(' ', '-')}.npz", name=name, said=said, seconds=seconds)
    print(name, f"{seconds:.0f} s", {hour: figures(said, held, hour)["auroc"] for hour in HOURS}, flush=True)


def _rows(fit: Callable[[Float32, Float32], Fitted], held: Rows, fold: NDArray[np.int64]) -> Floats:
    """Of the reported hours, trained on the drawn minutes of other folds."""
    said = np.full(len(fold), np.nan)
    for number in np.unique(fold):
        learn, judge = held.drawn & (fold != number), ~held.drawn & (fold == number)
        said[judge] = fit(held.x[learn], held.label[learn].astype(np.float32))(held.x[judge])
    return said


def _sequence(name: str, held: Rows, fold: NDArray[np.int64]) -> Floats:
    grid = sequences.grid()
    first = {int(patient): at for at, patient in enumerate(held.patient)}
    of_stay = fold[[first[int(patient)] for patient in grid.patient]]
    hourly = sequences.out_of_fold(name, grid, of_stay, epochs=8)
    place = {int(patient): at for at, patient in enumerate(grid.patient)}
    said, fixed = np.full(len(fold), np.nan), np.flatnonzero(~held.drawn)
    stays = np.array([place[int(patient)] for patient in held.patient[fixed]])
    said[fixed] = hourly[stays, held.minute[fixed] // 60 - 1]
    return said


def _tuned(x: Float32, y: Float32) -> Fitted:
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
        booster = trees.fit(x[~judged], y[~judged], None, TUNED_ROUNDS, settings(trial))
        return measures.auroc(trees.raw([booster], x[judged]), y[judged].astype(np.int8))

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=1))
    study.enqueue_trial({"num_leaves": 15, "min_data_in_leaf": 150, "feature_fraction": 0.15, "lambda_l2": 20})
    study.optimize(objective, n_trials=TRIALS)
    print(study.best_params, flush=True)
    booster = trees.fit(x, y, None, train.RECIPE.rounds, settings(study.best_trial))
    return lambda other: trees.raw([booster], other)


def _xgboost(x: Float32, y: Float32) -> Fitted:
    import xgboost  # noqa: PLC0415 - only this family needs it

    settings = {"objective": "binary:logistic", "eta": 0.05, "max_depth": 4, "min_child_weight": 20, "subsample": 0.6,
                "colsample_bynode": 0.15, "lambda": 20, "max_bin": 128, "nthread": 1, "seed": rows.SEED}  # fmt: skip
    booster = xgboost.train(settings, xgboost.QuantileDMatrix(x, y, max_bin=128, nthread=1), 300)
    return lambda other: np.asarray(booster.predict(xgboost.DMatrix(other), output_margin=True), np.float64)


def _catboost(x: Float32, y: Float32) -> Fitted:
    import catboost  # noqa: PLC0415 - only this family needs it

    model = catboost.CatBoostClassifier(
        iterations=400, learning_rate=0.06, depth=5, l2_leaf_reg=20, rsm=0.15, border_count=64, thread_count=1,
        random_seed=rows.SEED % 2**31, verbose=False, allow_writing_files=False,
    )  # fmt: skip
    model.fit(x, y)
    return lambda other: np.asarray(model.predict(other, prediction_type="RawFormulaVal"), np.float64)


def _splines(x: Float32, y: Float32) -> Fitted:
    """Logistic regression over linear splines with knots at quantiles, and whether each feature is missing."""
    keep = np.flatnonzero((~np.isnan(x)).mean(axis=0) > 0.01)  # noqa: PLR2004 - a share of rows
    knots = np.nanquantile(x[::3, keep], [0.01, 0.1, 0.35, 0.65, 0.9, 0.99], axis=0)

    def basis(some: Float32) -> Float32:
        taken = some[:, keep]
        filled = np.clip(np.where(np.isnan(taken), np.nanmedian(x[::3, keep], axis=0), taken), knots[0], knots[-1])
        hinges = [np.maximum(filled - knot, 0) for knot in knots[1:-1]]
        return np.concatenate([filled, *hinges, np.isnan(taken)], axis=1).astype(np.float32)

    terms = basis(x)
    centre, scale = terms.mean(axis=0), np.maximum(terms.std(axis=0), 1e-6)
    weights = _logistic(np.c_[(terms - centre) / scale, np.ones(len(y))].astype(np.float32), y, 3e-2)
    return lambda other: np.c_[(basis(other) - centre) / scale, np.ones(len(other))] @ weights


def _logistic(terms: NDArray[Any], y: Float32, penalty: float) -> Floats:
    torch.set_num_threads(1)
    x, wanted = torch.from_numpy(terms.astype(np.float32)), torch.from_numpy(y)
    weights = torch.zeros(x.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=50, history_size=8, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = nn_loss(x @ weights, wanted) + penalty * (weights[:-1] ** 2).sum()
        value.backward()
        return value

    optimiser.step(loss)
    return weights.detach().numpy().astype(np.float64)


nn_loss = torch.nn.functional.binary_cross_entropy_with_logits
ROWS: dict[str, Callable[[Float32, Float32], Fitted]] = {
    "LightGBM tuned by Optuna inside each fold": _tuned,
    "XGBoost": _xgboost,
    "CatBoost": _catboost,
    "logistic regression with splines": _splines,
}


if __name__ == "__main__":
    main()
