"""Predictions of cross-validation, kept so that figures can be made again without training again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import blend
import numpy as np
from blend import PARTS, Parts, Recipe, Task
from numpy.typing import NDArray
from rows import CACHE, SEED


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """fold: of each row. whole: from four fifths of the patients; first, second: from two halves of these."""

    fold: NDArray[np.int64]
    whole: Parts
    first: Parts
    second: Parts


def out_of_fold(name: str, task: Task, recipe: Recipe, for_halves: Recipe) -> OutOfFold:
    """From the cache where nothing has changed."""
    fold = blend.folds(task, SEED)
    of_all = whole(f"{name}-whole", task, fold, recipe)
    first, second = _kept(f"{name}-halves", task, for_halves, lambda: blend.halves(task, fold, for_halves))
    return OutOfFold(fold, of_all, first, second)


def whole(name: str, task: Task, fold: NDArray[np.int64], recipe: Recipe) -> Parts:
    """Cross-validated log-odds alone, from the cache where nothing has changed."""
    return _kept(name, task, recipe, lambda: [blend.cross_validated(task, fold, recipe, print)])[0]


def _kept(name: str, task: Task, recipe: Recipe, make: Callable[[], Sequence[Parts]]) -> list[Parts]:
    held = hashlib.sha256(repr((recipe.boosters, recipe.network, recipe.members, recipe.bag)).encode())
    for array in (task.x[::97], task.targets, task.weight, task.learn, task.judge):
        held.update(np.ascontiguousarray(array).tobytes())
    path = CACHE / f"{name}-{held.hexdigest()[:12]}.npz"
    if not path.exists():
        made = make()
        CACHE.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{f"{at}{part}": getattr(one, part) for at, one in enumerate(made) for part in PARTS})
    with np.load(path) as kept:
        return [
            Parts(*(kept[f"{at}{part}"] for part in PARTS))
            for at in range(sum(name.endswith(PARTS[0]) for name in kept.files))
        ]
