"""Train a family on four folds and rank the notes of the fifth, five times.

What a fold gave is kept in `var/compare_coders/` until all are there: a run that was ended goes on where it was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.compare_coders import predictions
from bench.compare_coders.families import Family
from bench.compare_coders.metrics import Ranking, average_precision
from bench.compare_coders.notes import FOLDS, SEED, Note, folds_of
from services.common.settings import REPOSITORY

KEPT = REPOSITORY / "var" / "compare_coders"
INNER_SHARE = 4  # a quarter of the training notes chooses between settings


def train(family: Family, notes: Sequence[Note]) -> None:
    """Write the family's rankings and times. Times are seconds of one core, not of the clock."""
    folds = folds_of(len(notes))
    parts = []
    for fold in range(FOLDS):
        rest = [note for note, own in zip(notes, folds, strict=True) if own != fold]
        held = [note for note, own in zip(notes, folds, strict=True) if own == fold]
        path = KEPT / f"{family.name}-{fold}.jsonl.gz"
        if not path.exists():
            _train_fold(family, rest, held, path)
        parts.append(path)
    rankings = {name: ranking for path in parts for name, ranking in predictions.read(path).items()}
    predictions.write(predictions.path_of(family.name), rankings)
    took = [json.loads(_times(path).read_text()) for path in parts]
    predictions.write_times(
        family.name,
        {
            # The quickest of the five: whatever else the machine did only ever adds.
            "training_s": round(min(one["training_s"] for one in took), 2),
            "notes_per_s": round(len(notes) / FOLDS / min(one["prediction_s"] for one in took), 1),
            "settings": [one["setting"] for one in took],
        },
    )
    for path in parts:
        path.unlink()
        _times(path).unlink()


def _times(path: Path) -> Path:
    return path.with_suffix("").with_suffix(".json")


def _train_fold(family: Family, rest: Sequence[Note], held: Sequence[Note], path: Path) -> None:
    setting = chosen_setting(family, rest)
    start = time.process_time()
    predict = family.fit(rest, setting)
    fitted = time.process_time()
    rankings = predict(held)
    took = {"training_s": fitted - start, "prediction_s": time.process_time() - fitted, "setting": str(setting)}
    _times(path).parent.mkdir(parents=True, exist_ok=True)
    _times(path).write_text(json.dumps(took))
    predictions.write(path, {note.name: ranking for note, ranking in zip(held, rankings, strict=True)})
    print(f"{path.name}: MAP {mean_average_precision(rankings, held):.4f}, {took}", flush=True)


def chosen_setting(family: Family, notes: Sequence[Note]) -> Any:
    """The setting of the highest MAP on a quarter of `notes`, after a fit on the others."""
    if len(family.settings) == 1:
        return family.settings[0]
    turn = np.random.default_rng(SEED).permutation(len(notes)) % INNER_SHARE
    inner = [note for note, own in zip(notes, turn, strict=True) if own]
    probe = [note for note, own in zip(notes, turn, strict=True) if not own]
    reached = {}
    for place, setting in enumerate(family.settings):
        reached[place] = mean_average_precision(family.fit(inner, setting)(probe), probe)
        print(f"  {family.name} {setting}: {reached[place]:.4f}", flush=True)
    return family.settings[max(reached, key=lambda place: reached[place])]


def mean_average_precision(rankings: Sequence[Ranking], notes: Sequence[Note]) -> float:
    """MAP over these notes."""
    pairs = zip(rankings, notes, strict=True)
    return float(np.mean([average_precision(ranking, note.gold) for ranking, note in pairs]))
