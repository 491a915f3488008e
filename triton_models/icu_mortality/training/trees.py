"""Gradient-boosted trees over rows of a stay: training, and their forms for ONNX and for exact attribution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

COMMON = {
    "objective": "cross_entropy",  # as "binary", and takes targets between 0 and 1
    "bagging_freq": 1,
    "max_bin": 127,
    "seed": 20261128,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
INFINITE = np.float32(np.inf)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Condition:
    """above < x <= up_to, or x missing where `missing`; `share` of the training rows that came here met it."""

    above: np.float32 = -INFINITE
    up_to: np.float32 = INFINITE
    missing: bool = True
    share: float = 1.0

    def and_then(self, node: Mapping[str, Any], *, left: bool) -> Condition:
        """This and one more decision about the same feature."""
        limit = float32_below(node["threshold"])
        child = node["left_child"] if left else node["right_child"]
        return Condition(
            above=self.above if left else max(self.above, limit),
            up_to=min(self.up_to, limit) if left else self.up_to,
            missing=self.missing and missing_goes_left(node) == left,
            share=self.share * count(child) / count(node),
        )


def fit(
    x: NDArray[np.float32],
    y: NDArray[np.floating[Any]],
    weight: Floats | None,
    rounds: int,
    settings: Mapping[str, Any],
) -> lightgbm.Booster:
    """The same result from the same rows."""
    return lightgbm.train({**COMMON, **settings}, lightgbm.Dataset(x, y, weight=weight, free_raw_data=True), rounds)


def raw(boosters: Sequence[lightgbm.Booster], x: NDArray[np.float32]) -> Floats:
    """[rows] mean log-odds."""
    return np.mean([np.asarray(one.predict(x, raw_score=True, num_threads=1)) for one in boosters], axis=0)


def leaves(boosters: Sequence[lightgbm.Booster]) -> dict[str, NDArray[Any]]:
    """Arrays that `attribution.Leaves.of` takes: the conditions on the path to every leaf, one a feature."""
    found = [leaf for tree in _trees(boosters) for leaf in _leaves(tree, {})]
    width = max(len(path) for path, _ in found)
    rows = [[*path.items(), *[(0, Condition())] * (width - len(path))] for path, _ in found]
    return {
        "feature": np.array([[feature for feature, _ in row] for row in rows], np.int16),
        "above": np.array([[one.above for _, one in row] for row in rows], np.float32),
        "up_to": np.array([[one.up_to for _, one in row] for row in rows], np.float32),
        "missing": np.array([[one.missing for _, one in row] for row in rows], np.bool_),
        "share": np.array([[one.share for _, one in row] for row in rows], np.float64),
        "value": np.array([value for _, value in found], np.float64) / len(boosters),
        "start": np.float64(0.0),
    }


def attributes(boosters: Sequence[lightgbm.Booster]) -> dict[str, Any]:
    """Of an ONNX `TreeEnsembleRegressor` with the same mean."""
    nodes: list[tuple[Any, ...]] = []
    weights: list[tuple[Any, ...]] = []
    for number, tree in enumerate(_trees(boosters)):
        listed = list(_walk(tree))
        ids = {id(node): at for at, node in enumerate(listed)}
        for at, node in enumerate(listed):
            if "leaf_value" in node:
                nodes.append((number, at, 0, 0.0, "LEAF", 0, 0, 0))
                weights.append((number, at, 0, float(node["leaf_value"]) / len(boosters)))
                continue
            children = ids[id(node["left_child"])], ids[id(node["right_child"])]
            limit = float(float32_below(node["threshold"]))
            missing = int(missing_goes_left(node))
            nodes.append((number, at, node["split_feature"], limit, "BRANCH_LEQ", *children, missing))
    node_names = ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
    named = dict(zip((*node_names, "missing_value_tracks_true"), map(list, zip(*nodes, strict=True)), strict=True))
    target = dict(zip(("treeids", "nodeids", "ids", "weights"), map(list, zip(*weights, strict=True)), strict=True))
    return {
        **{f"nodes_{name}": values for name, values in named.items()},
        **{f"target_{name}": values for name, values in target.items()},
        "n_targets": 1,
        "aggregate_function": "SUM",
        "post_transform": "NONE",
    }


def missing_goes_left(node: Mapping[str, Any]) -> bool:
    """Where LightGBM sends NaN: by the node, or as a 0 where training had none missing."""
    if node["missing_type"] == "NaN":
        return bool(node["default_left"])
    return bool(node["threshold"] >= 0)


def count(node: Mapping[str, Any]) -> float:
    """Training rows that came to the node."""
    return float(node["leaf_count"] if "leaf_value" in node else node["internal_count"])


def float32_below(threshold: float) -> np.float32:
    """The largest float32 that is not above: for float32 values it parts them as the double does."""
    with np.errstate(over="ignore"):  # a split of missing from not missing has no limit
        value = np.float32(threshold)
    return value if float(value) <= threshold else np.nextafter(value, -INFINITE)


def _trees(boosters: Sequence[lightgbm.Booster]) -> Iterator[dict[str, Any]]:
    for booster in boosters:
        yield from (tree["tree_structure"] for tree in booster.dump_model()["tree_info"])


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    if "leaf_value" not in node:
        yield from _walk(node["left_child"])
        yield from _walk(node["right_child"])


def _leaves(node: dict[str, Any], path: dict[int, Condition]) -> Iterator[tuple[dict[int, Condition], float]]:
    if "leaf_value" in node:
        yield path, float(node["leaf_value"])
        return
    feature = node["split_feature"]
    for left, name in ((True, "left_child"), (False, "right_child")):
        known = path.get(feature, Condition())
        yield from _leaves(node[name], {**path, feature: known.and_then(node, left=left)})
