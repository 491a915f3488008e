"""Gradient-boosted trees over rows of a stay, by three libraries, and one form of them for ONNX and attribution."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

COMMON = {
    "objective": "cross_entropy",  # as "binary", and takes targets between 0 and 1
    "bagging_freq": 1,
    "max_bin": 127,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
INFINITE = np.float32(np.inf)
Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Leaf:
    """value: log-odds. cover: of the training rows that came here, as the library counts them."""

    value: float
    cover: float


@dataclass(frozen=True, slots=True)
class Branch:
    """x[feature] <= limit goes left, NaN where `missing_left`. cover: as of a `Leaf`."""

    feature: int
    limit: np.float32
    missing_left: bool
    left: Node
    right: Node
    cover: float


Node = Leaf | Branch


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Log-odds of a row are `start` and the values of the leaves that it comes to."""

    trees: Sequence[Node]
    start: float = 0.0


@dataclass(frozen=True, slots=True)
class Boosting:
    """How one ensemble is made. library: of LIBRARIES. target: which of a task's. weight: beside other ensembles."""

    library: str
    rounds: int
    settings: Mapping[str, Any] = field(hash=False)
    target: int = 0
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Fitted:
    """model: as the library has it. log_odds: of rows, as it says them. ensemble: the same trees in our form."""

    model: Any
    log_odds: Callable[[Float32], Floats]
    ensemble: Callable[[], Ensemble]


def fit(x: Float32, y: Float32, weight: NDArray[Any] | None, boosting: Boosting, seed: int) -> Fitted:
    """The same result from the same rows. y: in [0, 1]."""
    return LIBRARIES[boosting.library](x, y, weight, boosting.rounds, {**boosting.settings, "seed": seed})


def _lightgbm(x: Float32, y: Float32, weight: NDArray[Any] | None, rounds: int, settings: Mapping[str, Any]) -> Fitted:
    booster = lightgbm.train({**COMMON, **settings}, lightgbm.Dataset(x, y, weight=weight, free_raw_data=True), rounds)

    def log_odds(rows: Float32) -> Floats:
        return np.asarray(booster.predict(rows, raw_score=True, num_threads=1))

    return Fitted(booster, log_odds, lambda: of_lightgbm(booster))


def _xgboost(x: Float32, y: Float32, weight: NDArray[Any] | None, rounds: int, settings: Mapping[str, Any]) -> Fitted:
    import xgboost  # noqa: PLC0415 - icu_mortality is made without it

    held = {"objective": "binary:logistic", "nthread": 1, **settings}
    learned = xgboost.QuantileDMatrix(x, y, weight=weight, max_bin=held["max_bin"], nthread=1)
    booster = xgboost.train(held, learned, rounds)

    def log_odds(rows: Float32) -> Floats:
        return np.asarray(booster.predict(xgboost.DMatrix(rows, nthread=1), output_margin=True), np.float64)

    return Fitted(booster, log_odds, lambda: of_xgboost(json.loads(booster.save_raw("json"))))


def _catboost(x: Float32, y: Float32, weight: NDArray[Any] | None, rounds: int, settings: Mapping[str, Any]) -> Fitted:
    import catboost  # noqa: PLC0415 - icu_mortality is made without it

    held = {**settings, "random_seed": settings["seed"], "iterations": rounds}
    del held["seed"]
    model = catboost.CatBoost(
        {"loss_function": "CrossEntropy", "thread_count": 1, "allow_writing_files": False, "verbose": False, **held}
    )
    model.fit(catboost.Pool(x, y, weight=weight))

    def log_odds(rows: Float32) -> Floats:
        return np.asarray(model.predict(rows, prediction_type="RawFormulaVal", thread_count=1), np.float64)

    def ensemble() -> Ensemble:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model.json"
            model.save_model(str(path), format="json")
            return of_catboost(json.loads(path.read_text(encoding="utf-8")))

    return Fitted(model, log_odds, ensemble)


LIBRARIES = {"lightgbm": _lightgbm, "xgboost": _xgboost, "catboost": _catboost}


def of_lightgbm(booster: lightgbm.Booster) -> Ensemble:
    return Ensemble([_of_lightgbm(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]])


def _of_lightgbm(node: Mapping[str, Any]) -> Node:
    if "leaf_value" in node:
        return Leaf(float(node["leaf_value"]), float(node["leaf_count"]))
    left, right = _of_lightgbm(node["left_child"]), _of_lightgbm(node["right_child"])
    limit, cover = float32_below(node["threshold"]), float(node["internal_count"])
    return Branch(node["split_feature"], limit, _missing_goes_left(node), left, right, cover)


def _missing_goes_left(node: Mapping[str, Any]) -> bool:
    """Where LightGBM sends NaN: by the node, or as a 0 where training had none missing."""
    if node["missing_type"] == "NaN":
        return bool(node["default_left"])
    return bool(node["threshold"] >= 0)


def of_xgboost(saved: Mapping[str, Any]) -> Ensemble:
    """saved: the model as JSON. XGBoost sends x < condition left, so the limit is the number just below."""
    learner = saved["learner"]
    chance = float(learner["learner_model_param"]["base_score"].strip("[]"))
    trees = learner["gradient_booster"]["model"]["trees"]
    return Ensemble([_of_xgboost(tree, 0) for tree in trees], float(np.log(chance / (1 - chance))))


def _of_xgboost(tree: Mapping[str, Any], at: int) -> Node:
    condition, cover = np.float32(tree["split_conditions"][at]), float(tree["sum_hessian"][at])
    left, right = tree["left_children"][at], tree["right_children"][at]
    if left < 0:
        return Leaf(float(condition), cover)
    limit, missing_left = np.nextafter(condition, -INFINITE), bool(tree["default_left"][at])
    children = _of_xgboost(tree, left), _of_xgboost(tree, right)
    return Branch(tree["split_indices"][at], limit, missing_left, *children, cover)


def of_catboost(saved: Mapping[str, Any]) -> Ensemble:
    """saved: the model as JSON. All nodes of a depth ask the same, x > border; NaN is less than everything to them."""
    scale, (bias,) = saved["scale_and_bias"]
    trees = []
    for tree in saved["oblivious_trees"]:
        pairs = zip(tree["leaf_values"], tree["leaf_weights"], strict=True)
        leaves = [Leaf(float(scale * value), float(cover)) for value, cover in pairs]
        trees.append(_of_catboost(leaves, tree["splits"]))
    return Ensemble(trees, float(bias))


def _of_catboost(leaves: Sequence[Leaf], splits: Sequence[Mapping[str, Any]]) -> Node:
    """The first split is the lowest digit of a leaf's number. Where no training row came, nothing is asked."""
    if len(leaves) == 1:
        return leaves[0]
    last = splits[-1]
    half = len(leaves) // 2
    left, right = _of_catboost(leaves[:half], splits[:-1]), _of_catboost(leaves[half:], splits[:-1])
    cover = left.cover + right.cover
    if not cover:
        return Leaf(0.0, 0.0)
    return Branch(last["float_feature_index"], np.float32(last["border"]), True, left, right, cover)


def mixed(ensembles: Sequence[tuple[float, Ensemble]]) -> Ensemble:
    """The weighted mean of ensembles as one."""
    total = sum(weight for weight, _ in ensembles)
    trees = [_scaled(tree, weight / total) for weight, one in ensembles for tree in one.trees]
    return Ensemble(trees, sum(weight / total * one.start for weight, one in ensembles))


def _scaled(node: Node, factor: float) -> Node:
    if isinstance(node, Leaf):
        return replace(node, value=factor * node.value)
    return replace(node, left=_scaled(node.left, factor), right=_scaled(node.right, factor))


@dataclass(frozen=True, slots=True)
class Condition:
    """above < x <= up_to, or x missing where `missing`; `share` of the training rows that came here met it."""

    above: np.float32 = -INFINITE
    up_to: np.float32 = INFINITE
    missing: bool = True
    share: float = 1.0

    def and_then(self, node: Branch, *, left: bool) -> Condition:
        """This and one more decision about the same feature."""
        child = node.left if left else node.right
        return Condition(
            above=self.above if left else max(self.above, node.limit),
            up_to=min(self.up_to, node.limit) if left else self.up_to,
            missing=self.missing and node.missing_left == left,
            share=self.share * child.cover / node.cover,
        )


def leaves(ensemble: Ensemble) -> dict[str, NDArray[Any]]:
    """Arrays that `attribution.Leaves.of` takes: the conditions on the path to every leaf, one a feature.

    A leaf of value 0 adds nothing to anything, and a tree of one leaf the same to all.
    """
    every = [leaf for tree in ensemble.trees for leaf in _leaves(tree, {})]
    found = [(path, value) for path, value in every if path and value]
    width = max(len(path) for path, _ in found)
    rows = [[*path.items(), *[(0, Condition())] * (width - len(path))] for path, _ in found]
    return {
        "feature": np.array([[feature for feature, _ in row] for row in rows], np.int16),
        "above": np.array([[one.above for _, one in row] for row in rows], np.float32),
        "up_to": np.array([[one.up_to for _, one in row] for row in rows], np.float32),
        "missing": np.array([[one.missing for _, one in row] for row in rows], np.bool_),
        "share": np.array([[one.share for _, one in row] for row in rows], np.float64),
        "value": np.array([value for _, value in found], np.float64),
        "start": np.float64(ensemble.start + sum(value for path, value in every if not path)),
    }


def _leaves(node: Node, path: dict[int, Condition]) -> Iterator[tuple[dict[int, Condition], float]]:
    if isinstance(node, Leaf):
        yield path, node.value
        return
    known = path.get(node.feature, Condition())
    for left, child in ((True, node.left), (False, node.right)):
        if child.cover:
            yield from _leaves(child, {**path, node.feature: known.and_then(node, left=left)})


def attributes(ensemble: Ensemble) -> dict[str, Any]:
    """Of an ONNX `TreeEnsembleRegressor` that says the same."""
    nodes: list[tuple[Any, ...]] = []
    weights: list[tuple[Any, ...]] = []
    for number, tree in enumerate(ensemble.trees):
        listed = list(_walk(tree))
        ids = {id(node): at for at, node in enumerate(listed)}
        for at, node in enumerate(listed):
            if isinstance(node, Leaf):
                nodes.append((number, at, 0, 0.0, "LEAF", 0, 0, 0))
                weights.append((number, at, 0, node.value))
                continue
            children = ids[id(node.left)], ids[id(node.right)]
            nodes.append((number, at, node.feature, float(node.limit), "BRANCH_LEQ", *children, int(node.missing_left)))
    node_names = ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
    named = dict(zip((*node_names, "missing_value_tracks_true"), map(list, zip(*nodes, strict=True)), strict=True))
    target = dict(zip(("treeids", "nodeids", "ids", "weights"), map(list, zip(*weights, strict=True)), strict=True))
    return {
        **{f"nodes_{name}": values for name, values in named.items()},
        **{f"target_{name}": values for name, values in target.items()},
        **({"base_values": [ensemble.start]} if ensemble.start else {}),
        "n_targets": 1,
        "aggregate_function": "SUM",
        "post_transform": "NONE",
    }


def _walk(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, Branch):
        yield from _walk(node.left)
        yield from _walk(node.right)


def float32_below(threshold: float) -> np.float32:
    """The largest float32 that is not above: for float32 values it parts them as the double does."""
    with np.errstate(over="ignore"):  # a split of missing from not missing has no limit
        value = np.float32(threshold)
    return value if float(value) <= threshold else np.nextafter(value, -INFINITE)
