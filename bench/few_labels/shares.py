"""Which pictures have a label: shares of the patients of each class, drawn at random, each share within the next."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHARES = (5, 10, 25, 50, 100)  # per cent of the training patients
SEEDS = (0, 1, 2)

Rows = NDArray[np.int64]


def labelled(labels: Rows, groups: NDArray[Any], pool: Rows, share: int, seed: int) -> Rows:
    """Rows of `pool` whose labels are known.

    labels, groups: [n], of all pictures; a group (patient) is of one class. share: per cent of each class's groups,
    rounded up. The same seed gives the same draw, and a smaller share is part of a larger one.
    Raises ValueError when a group of the pool has pictures of two classes.
    """
    random = np.random.default_rng(seed)
    known: set[Any] = set()
    for label in np.unique(labels[pool]):
        names = np.unique(groups[pool][labels[pool] == label])
        if known & set(names.tolist()) or np.isin(groups[pool][labels[pool] != label], names).any():
            raise ValueError("a patient has pictures of two classes")
        drawn = random.permutation(names)[: math.ceil(len(names) * share / 100)]
        known |= set(drawn.tolist())
    return np.array([row for row in pool.tolist() if groups[row] in known], np.int64)


def runs(names: list[str], folds: Rows, small: NDArray[np.float64], least: float = 0.6, gap: int = 3) -> Rows:
    """Number of the run of neighbouring slices that each belongs to, for a set that does not name its patients.

    names: "class/number", in any order. small: [n, pixels]. Two slices are of one run when they follow each other in
    their class (numbers at most `gap` apart), lie in the same patient-wise fold and correlate with at least `least`.
    """
    order = sorted(range(len(names)), key=lambda row: _place(names[row]))
    level = small - small.mean(axis=1, keepdims=True)
    level /= np.linalg.norm(level, axis=1, keepdims=True) + 1e-9
    run = np.zeros(len(names), np.int64)
    for before, row in pairwise(order):
        (kind, number), (last, number_before) = _place(names[row]), _place(names[before])
        follows = kind == last and number - number_before <= gap and folds[row] == folds[before]
        run[row] = run[before] + (0 if follows and level[row] @ level[before] >= least else 1)
    return run


def _place(name: str) -> tuple[str, int]:
    kind, number = name.split("/")
    return kind, int(number)
