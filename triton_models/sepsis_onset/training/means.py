"""Boosted trees of three libraries on all five folds, alone and in means, beside the blend that was shipped before.

What is shipped was chosen on the first two folds (families.py), so the other three are told apart. Writes means.json
and the tables of the card and of docs/risk-models.md.
"""

from __future__ import annotations

import json
from typing import Any

import families  # first: it knows where the code of both models lies, and there is another families with the other
import numpy as np
import train
from numpy.typing import NDArray
from train import CATBOOST, RECIPE, XGBOOST, Recipe, blend, measures, rows, utility, whole

import card  # isort: skip

SHIPPED = "mean of XGBoost and CatBoost, as shipped"
ALL = "mean of LightGBM, XGBoost and CatBoost"
Floats = NDArray[np.float64]
Folds = NDArray[np.int64]
FOLDS = {"first two folds, chosen on": (0, 1), "other three folds": (2, 3, 4), "all five folds": (0, 1, 2, 3, 4)}


def main() -> None:
    held = rows.sepsis()
    worth = utility.table(held.patient, held.label)
    task = train.task_of(held)
    fold = blend.folds(task, rows.SEED)
    before = whole("sepsis-with-networks", train.task_with_networks(held), fold, train.WITH_NETWORKS)
    every = {families.BLEND: before.blended(train.WITH_NETWORKS.trees_part), families.BOTH: before.trees}
    for name, boosting in (("XGBoost", XGBOOST), ("CatBoost", CATBOOST)):
        every[name] = whole(f"sepsis-{name.lower()}", task, fold, Recipe((boosting,))).trees
    every[ALL] = np.mean([every[name] for name in (families.BOTH, "XGBoost", "CatBoost")], axis=0)
    every[SHIPPED] = whole("sepsis-whole", task, fold, RECIPE).trees
    found: dict[str, Any] = {}
    for title, numbers in FOLDS.items():
        mine = np.isin(fold, numbers)
        of_mine, in_mine = (worth[0][mine], worth[1][mine]), held.where(mine)
        found[title] = {
            name: train.utilities(said[mine], in_mine, of_mine, fold[mine])
            | gained(every[families.BLEND][mine], said[mine], in_mine, of_mine, fold[mine])
            for name, said in every.items()
        }
    (train.MODEL / "means.json").write_text(json.dumps(found, indent=1) + "\n")
    made = lines(found)
    card.fill(families.PAGE, {"means": made})
    card.fill(train.MODEL / "MODEL_CARD.md", {"means": made})


def gained(before: Floats, said: Floats, held: rows.Rows, worth: tuple[Floats, Floats], fold: Folds) -> dict[str, Any]:
    """What it is above the one before, with its interval over patients."""
    ranked = [measures.Ranked.of(one, held.label) for one in (before, said)]
    alarms = [train.cross_threshold(one, worth, fold) for one in (before, said)]
    more = np.diff([np.where(alarm, *worth) for alarm in alarms], axis=0)[0]
    most = np.maximum(*worth) - worth[1]

    def utility_of(weight: Floats) -> float:
        return float(weight @ more / (weight @ most))

    def area_of(weight: Floats) -> float:
        return ranked[1].auroc(weight) - ranked[0].auroc(weight)

    named = {"more_utility": utility_of, "more_auroc": area_of}
    intervals = {
        f"{name}_95": [round(one, 4) for one in measures.interval(held.patient, of)] for name, of in named.items()
    }
    every = np.ones(len(held.label))
    return {name: round(of(every), 4) for name, of in named.items()} | intervals


def lines(found: dict[str, Any]) -> list[str]:
    header = ("", "AUROC (95 %)", "AUPRC", "utility (95 %)", "AUROC, more than before", "utility, more than before")
    made = []
    for title, table in found.items():
        made.append((f"**{title}**", *[""] * (len(header) - 1)))
        made += [
            (name, card.with_interval(one, "auroc"), f"{one['auprc']:.3f}", card.with_interval(one, "utility"),
             *(_more(one, f"more_{key}") if name != families.BLEND else "" for key in ("auroc", "utility")))
            for name, one in table.items()
        ]  # fmt: skip
    return card.table(header, made)


def _more(one: dict[str, Any], key: str) -> str:
    low, high = one[f"{key}_95"]
    return f"{one[key]:+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
