"""Measure how far a probability may be trusted. Run like `train.py`; writes intervals.json.

An interval is meant to hold what a model of the same making says that learned from other patients. Two models learn
from disjoint halves of the patients; on films of patients that neither saw, an interval around the first must hold the
second. Its width is set on four fifths of those patients and judged on the fifth. One width in log-odds is measured;
with --augmented, widths by how far the answer moves when the film is moved, mirrored, zoomed or softened a little, too.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from card import write_tables
from kept import kept
from numpy.typing import NDArray
from scipy.stats import spearmanr
from shortcuts import Fitted, chosen_strength, extractor, fitted, known_table, said_of
from train import SEED, Floats, Table, calibrator, fit, folds
from trust import COVERED, by_fifths, half_widths
from variants import MOVED

MODEL = Path(__file__).resolve().parents[1]
Rows = NDArray[np.int64]


def apart(table: Table, strength: float, share: float) -> Floats:
    """Difference of the calibrated logits of two models, from disjoint parts of the other patients, each this share."""
    random = np.random.default_rng(SEED)
    difference = np.zeros(len(table.films))
    for train, test in folds(table):
        patients = random.permutation(np.unique(table.patients[train]))
        many = round(len(patients) * share)
        first, second = (train[np.isin(table.patients[train], part)] for part in (patients[:many], patients[-many:]))
        said = [
            _calibrated(table, learned, others, test, strength)
            for learned, others in ((first, second), (second, first))
        ]
        difference[test] = said[0] - said[1]
    return difference


def _calibrated(table: Table, learned: Rows, others: Rows, test: Rows, strength: float) -> Floats:
    """Platt's calibrator is fitted to patients that the model did not see."""
    linear = fit(table, learned, strength)
    slope, intercept = calibrator(linear(table.features), table, others)
    return slope * linear(table.features[test]) + intercept


def judged(difference: Floats, spread: Floats, patients: NDArray[np.str_]) -> dict[str, Any]:
    """Coverage and mean width of intervals whose half-width is a factor times `spread`, overall and by fifths of it."""
    half = half_widths(difference, spread, patients)
    held = np.abs(difference) <= half
    return {"covered": _short(held.mean()), "mean_width": _short(2 * half.mean()), "held": held}


def _short(value: float) -> float:
    return round(float(value), 3)


def main() -> None:
    """All of it."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    strength, table = chosen_strength(), known_table()
    models = fitted(table, strength)
    halves, quarters = apart(table, strength, 0.5), apart(table, strength, 0.25)
    logits = said_of(table.features, models)
    result: dict[str, Any] = {"meant_to_cover": COVERED}
    for name, chosen in (("adult", table.adult), ("child", ~table.adult)):
        one = judged(halves[chosen], np.ones(chosen.sum()), table.patients[chosen])
        result[name] = {
            "films": int(chosen.sum()),
            "half_width_logit": _short(np.quantile(np.abs(halves[chosen]), COVERED)),
            "half_width_logit_of_quarters": _short(np.quantile(np.abs(quarters[chosen]), COVERED)),
            "one_width": {
                "covered": one["covered"],
                "mean_width": one["mean_width"],
                "covered_by_fifths_of_logit": [_short(share) for share in by_fifths(one["held"], logits[chosen])],
            },
        }
    if "--augmented" in sys.argv[1:]:
        result["adult"]["augmented"] = augmented(table, halves, logits, models)
    (MODEL / "intervals.json").write_text(json.dumps(result, indent=1) + "\n")
    write_tables(MODEL)
    print(json.dumps(result, indent=1))


def augmented(table: Table, halves: Floats, logits: Floats, models: Fitted) -> dict[str, Any]:
    """Adults: whether moving the film a little says how far models are apart."""
    adults = [film for film in table.films if film.population == "adult"]
    own = logits[: len(adults)]
    moved = [said_of(table.twins, models)]
    for name, move in MOVED.items():
        if name != "mirrored":
            changed = kept(
                f"adult_{name}", lambda move=move: extractor().features([move(film.grey) for film in adults])
            )
            moved.append(said_of(changed, models))
    spread = np.sqrt(np.mean((np.array(moved) - own) ** 2, axis=0))
    difference, patients = halves[: len(adults)], table.patients[: len(adults)]
    error = np.abs(table.truth[: len(adults)] - 1 / (1 + np.exp(-own)))
    made: dict[str, Any] = {
        "rank_correlation_with_distance_of_models": _short(spearmanr(spread, np.abs(difference)).statistic),
        "rank_correlation_with_error": _short(spearmanr(spread, error).statistic),
    }
    for name, width in (("one_width", np.ones(len(adults))), ("spread", spread), ("root_of_spread", np.sqrt(spread))):
        found = judged(difference, width, patients)
        made[name] = {
            "covered": found["covered"],
            "mean_width": found["mean_width"],
            "covered_by_fifths_of_spread": [_short(share) for share in by_fifths(found["held"], spread)],
        }
    return made


if __name__ == "__main__":
    main()
