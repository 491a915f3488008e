"""Trees and networks over the same rows, their log-odds blended: training, cross-validation by patient, and export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import network
import numpy as np
import trees
from numpy.typing import NDArray
from trees import Boosting, Fitted

Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]
Chosen = NDArray[np.bool_]
FOLDS = 5
HALVED = 2
CHUNK = 40_000
PARTS = ("trees", "networks")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is made.

    boosters: ensembles of trees, their log-odds averaged by weight. members: networks, each of the share `bag` of the
    patients; there may be none. trees_part: weight of the trees' log-odds.
    """

    boosters: tuple[Boosting, ...]
    network: network.Settings = field(default_factory=network.Settings)
    members: int = 0
    trees_part: float = 1.0
    bag: float = 0.8
    seed: int = 20261128


@dataclass(frozen=True, slots=True)
class Task:
    """What is learned. x: [rows, features]. targets: [rows, targets], the first the asked one, NaN unknown.

    weight, patient: of each row. learn: rows that training may use. judge: rows that are predicted in cross-validation.
    """

    x: Float32
    patient: NDArray[np.int64]
    targets: Float32
    weight: Float32
    learn: Chosen
    judge: Chosen

    @property
    def label(self) -> NDArray[np.int8]:
        return self.targets[:, 0].astype(np.int8)


@dataclass(frozen=True, slots=True)
class Parts:
    """Log-odds of rows, of each part."""

    trees: Floats
    networks: Floats

    def blended(self, trees_part: float) -> Floats:
        return trees_part * self.trees + (1 - trees_part) * self.networks


@dataclass(frozen=True, slots=True)
class Model:
    boosters: list[Fitted]
    inputs: network.Inputs
    members: list[network.Layers]
    recipe: Recipe = field(repr=False)

    def parts(self, x: Float32) -> Parts:
        """Of rows, a chunk at a time."""
        chunks = [self._parts(x[at : at + CHUNK]) for at in range(0, len(x), CHUNK)]
        return Parts(*(np.concatenate([getattr(one, name) for one in chunks]) for name in PARTS))

    def _parts(self, x: Float32) -> Parts:
        by_trees = np.average([one.log_odds(x) for one in self.boosters], axis=0, weights=self._weights())
        if not self.members:
            return Parts(by_trees, np.zeros(len(x)))
        read = self.inputs.of_rows(x)
        said = np.stack([network.log_odds(one, read) for one in self.members]).astype(np.float64)
        return Parts(by_trees, said.mean(axis=0))

    def ensemble(self) -> trees.Ensemble:
        """All trees as one."""
        return trees.mixed(list(zip(self._weights(), (one.ensemble() for one in self.boosters), strict=True)))

    def _weights(self) -> list[float]:
        return [one.weight for one in self.recipe.boosters]


def fit(task: Task, chosen: Chosen, recipe: Recipe) -> Model:
    """On the chosen rows among those that may be learned from. The same model from the same rows."""
    rows = np.flatnonzero(chosen & task.learn)
    x, weight = task.x[rows], task.weight[rows]
    boosters = [
        trees.fit(x, task.targets[rows, one.target], weight, one, recipe.seed + one.target) for one in recipe.boosters
    ]
    inputs = network.Inputs.of(x)
    read = inputs.of_rows(x) if recipe.members else x
    members = [_member(task, rows, read, recipe, recipe.seed + number) for number in range(recipe.members)]
    return Model(boosters, inputs, members, recipe)


def _member(task: Task, rows: NDArray[np.int64], read: Float32, recipe: Recipe, seed: int) -> network.Layers:
    patients = np.unique(task.patient[rows])
    kept = np.random.default_rng(seed).random(len(patients)) < recipe.bag
    mine = np.flatnonzero(kept[np.searchsorted(patients, task.patient[rows])])
    weight = task.weight[rows[mine]]
    targets = task.targets[rows[mine], : len(recipe.network.targets)]
    return network.fit(read[mine], targets, weight / weight.mean(), seed, recipe.network)


def folds(task: Task, seed: int, count: int = FOLDS) -> NDArray[np.int64]:
    """Fold of each row: by patient, each fold with its share of patients with the event."""
    patients, index = np.unique(task.patient, return_inverse=True)
    events = np.zeros(len(patients), bool)
    np.logical_or.at(events, index, task.label > 0)
    rng, fold = np.random.default_rng(seed), np.zeros(len(patients), np.int64)
    for group in (np.flatnonzero(events), np.flatnonzero(~events)):
        fold[rng.permutation(group)] = np.arange(len(group)) % count
    return fold[index]


def cross_validated(task: Task, fold: NDArray[np.int64], recipe: Recipe, say: Callable[[str], None] = print) -> Parts:
    """Log-odds of every row to judge, from a model that saw none of the patient's rows; NaN elsewhere."""
    found = Parts(*(np.full(len(fold), np.nan) for _ in PARTS))
    for number in range(int(fold.max()) + 1):
        model = fit(task, fold != number, recipe)
        _fill(found, model, task, (fold == number) & task.judge)
        say(f"fold {number} of {int(fold.max()) + 1}")
    return found


def _fill(found: Parts, model: Model, task: Task, chosen: Chosen) -> None:
    rows = np.flatnonzero(chosen)
    said = model.parts(task.x[rows])
    for name in PARTS:
        getattr(found, name)[rows] = getattr(said, name)


def halves(task: Task, fold: NDArray[np.int64], recipe: Recipe) -> tuple[Parts, Parts]:
    """As `cross_validated` for the first HALVED folds, twice: each time from one half of the other patients.

    No patient is in both halves, so that the two predictions know nothing of each other.
    """
    both = tuple(Parts(*(np.full(len(fold), np.nan) for _ in PARTS)) for _ in range(2))
    for number in range(HALVED):
        half = folds(task, recipe.seed + number, 2)
        for which, found in enumerate(both):
            model = fit(task, (fold != number) & (half == which), recipe)
            _fill(found, model, task, (fold == number) & task.judge)
    return both[0], both[1]


def arrays(model: Model) -> dict[str, NDArray[Any]]:
    """What `assets/model.npz` holds."""
    part = np.float64(model.recipe.trees_part)
    networks = network.arrays(model.members, model.inputs) if model.members else {}
    return {**trees.leaves(model.ensemble()), **networks, "trees_part": part}
