"""Gradient-boosted trees over the feature rows, and their form in ONNX."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

# Chosen by cross-validation; more trees (300, 500) or leaves (15, 31) gave no more, monotone constraints less.
SETTINGS = {
    "objective": "binary",
    "num_leaves": 12,
    "learning_rate": 0.1,
    "min_data_in_leaf": 40,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "feature_fraction": 0.5,
    "lambda_l2": 5.0,
    "seed": 20261123,
    "deterministic": True,
    "force_row_wise": True,
    "use_missing": False,
    "num_threads": 1,
    "verbosity": -1,
}
ROUNDS = 120


@dataclass(frozen=True, slots=True)
class Trees:
    """A trained ensemble over float32 rows of `features` columns; its sum goes through a sigmoid."""

    booster: lightgbm.Booster
    features: int

    def probability(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """[rows] in (0, 1)."""
        return np.asarray(self.booster.predict(rows.astype(np.float64), num_threads=1))

    def attributes(self) -> dict[str, Any]:
        """Of an ONNX `TreeEnsembleRegressor` with the same raw sum."""
        nodes: dict[str, list[Any]] = {name: [] for name in _NODE}
        leaves: dict[str, list[Any]] = {name: [] for name in _LEAF}
        for number, tree in enumerate(self.booster.dump_model()["tree_info"]):
            ids: dict[int, int] = {}
            for node in _walk(tree["tree_structure"]):
                ids[id(node)] = len(ids)
            for node in _walk(tree["tree_structure"]):
                own = ids[id(node)]
                is_leaf = "leaf_value" in node
                row = (
                    number,
                    own,
                    0 if is_leaf else node["split_feature"],
                    0.0 if is_leaf else _float32_below(node["threshold"]),
                    "LEAF" if is_leaf else "BRANCH_LEQ",
                    0 if is_leaf else ids[id(node["left_child"])],
                    0 if is_leaf else ids[id(node["right_child"])],
                )
                for name, value in zip(_NODE, row, strict=True):
                    nodes[name].append(value)
                if is_leaf:
                    for name, value in zip(_LEAF, (number, own, 0, float(node["leaf_value"])), strict=True):
                        leaves[name].append(value)
        return {**nodes, **leaves, "n_targets": 1, "aggregate_function": "SUM", "post_transform": "NONE"}


_NODE = (
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_values",
    "nodes_modes",
    "nodes_truenodeids",
    "nodes_falsenodeids",
)
_LEAF = ("target_treeids", "target_nodeids", "target_ids", "target_weights")


def fit(rows: NDArray[np.float32], truth: NDArray[np.bool_]) -> Trees:
    """Train on all `rows`; the same result from the same rows."""
    data = lightgbm.Dataset(rows.astype(np.float64), truth.astype(np.float64), free_raw_data=True)
    return Trees(lightgbm.train(SETTINGS, data, ROUNDS), rows.shape[1])


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    if "leaf_value" not in node:
        yield from _walk(node["left_child"])
        yield from _walk(node["right_child"])


def _float32_below(threshold: float) -> float:
    """The largest float32 that is not above: for float32 values it parts them as the double does."""
    value = np.float32(threshold)
    return float(value if float(value) <= threshold else np.nextafter(value, np.float32(-np.inf)))
