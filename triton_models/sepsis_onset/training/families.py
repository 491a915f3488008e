"""Families of models for sepsis_onset beside each other, on the patients of the same two folds of five.

Each is trained and kept on its own: `families.py NAME...` trains those; the table is of all that were. Writes
families.json; the model's card and docs/risk-models.md show it. What the mean of boosted trees is on all folds says
means.py.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import train  # first: it knows where the code of both models lies
from numpy.typing import NDArray
from train import blend, rows, utility, whole

import card  # isort: skip
import row_families  # isort: skip
import sequences  # isort: skip

PAGE = rows.REPOSITORY / "docs" / "risk-models.md"
PREFIX = "sepsis-family-"
SEQUENCES = sequences.Training(epochs=3)
BOTH = "LightGBM, both ensembles"
BLEND, BOOSTED = "LightGBM and networks, as shipped before", "mean of the boosted trees"
JUDGED = range(2)  # of five folds; each is judged by models of the other four
Floats = NDArray[np.float64]
Folds = NDArray[np.int64]


def main() -> None:
    held = rows.sepsis()
    worth = utility.table(held.patient, held.label)
    task = train.task_of(held)
    fold = blend.folds(task, rows.SEED)
    for name in sys.argv[1:]:
        _keep(name, task, fold)
    parts = whole("sepsis-with-networks", train.task_with_networks(held), fold, train.WITH_NETWORKS)
    every = {BOTH: parts.trees, "feed-forward networks on the rows": parts.networks}
    for path in sorted(rows.CACHE.glob(f"{PREFIX}*.npz")):
        with np.load(path) as kept:
            every[str(kept["name"])] = kept["said"]
    every[BLEND] = parts.blended(train.WITH_NETWORKS.trees_part)
    boosted = [every[BOTH], *(every[name] for name in ("XGBoost", "CatBoost") if name in every)]
    every[BOOSTED] = np.mean(boosted, axis=0)
    every["stack of all"] = stacked(every, task, fold)
    mine = np.isin(fold, JUDGED)
    of_mine = worth[0][mine], worth[1][mine]
    table = {name: train.utilities(said[mine], held.where(mine), of_mine, fold[mine]) for name, said in every.items()}
    (train.MODEL / "families.json").write_text(json.dumps(table, indent=1) + "\n")
    made = lines(table)
    card.fill(PAGE, {"families of sepsis": made})
    card.fill(train.MODEL / "MODEL_CARD.md", {"families": made})


def lines(table: dict[str, Any]) -> list[str]:
    header = ("", "AUROC (95 %)", "AUPRC", "utility (95 %)")
    return card.table(
        header,
        (
            (name, card.with_interval(one, "auroc"), f"{one['auprc']:.3f}", card.with_interval(one, "utility"))
            for name, one in table.items()
        ),
    )


def stacked(every: dict[str, Floats], task: blend.Task, fold: Folds) -> Floats:
    """Logistic regression over the log-odds of all, fitted on the learned rows of the other judged fold."""
    terms = np.stack([*every.values(), np.ones(len(fold))], axis=1)
    said = np.full(len(fold), np.nan)
    for number in JUDGED:
        other, mine = np.isin(fold, JUDGED) & (fold != number) & task.learn, fold == number
        label = task.label[other].astype(np.float32)
        said[mine] = terms[mine] @ row_families.logistic(terms[other], label, 1e-4, task.weight[other])
    return said


def _keep(name: str, task: blend.Task, fold: Folds) -> None:
    started = time.process_time()
    said = _sequence(name, task, fold) if name in sequences.KINDS else _rows(name, task, fold)
    seconds = time.process_time() - started
    np.savez(rows.CACHE / f"{PREFIX}{name.replace(' ', '-')}.npz", name=name, said=said, seconds=seconds)
    print(name, f"{seconds:.0f} s", flush=True)


def _rows(name: str, task: blend.Task, fold: Folds) -> Floats:
    """Of every hour, learned from the rows that the shipped model learns from, of other folds."""
    said = np.full(len(fold), np.nan)
    for number in JUDGED:
        learn, judge = task.learn & (fold != number), fold == number
        label = task.label[learn].astype(np.float32)
        said[judge] = row_families.FAMILIES[name](task.x[learn], label, task.weight[learn])(task.x[judge])
    return said


def _sequence(name: str, task: blend.Task, fold: Folds) -> Floats:
    """Of every hour, learned from every hour of other folds."""
    held = sequences.grid_2019()
    of_patient = dict(zip(task.patient.tolist(), fold.tolist(), strict=True))
    of_window = np.array([of_patient[patient] for patient in held.patient.tolist()])
    return sequences.hourly(held, sequences.out_of_fold(name, held, of_window, SEQUENCES, JUDGED))


if __name__ == "__main__":
    main()
