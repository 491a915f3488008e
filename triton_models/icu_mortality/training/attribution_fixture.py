"""Make what tests/fusion/deterioration holds trees to: a few small ones of each library, and what it says of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import catboost
import graph
import numpy as np
import trees
import xgboost
from numpy.typing import NDArray
from onnx import TensorProto, helper
from rows import REPOSITORY, SEED

FOLDER = REPOSITORY / "tests" / "fusion" / "deterioration"
FEATURES = 6
GAPS = 0.25
ROUNDS = 25
SETTINGS = {
    "lightgbm": {"num_leaves": 9, "min_data_in_leaf": 10, "learning_rate": 0.2, "bagging_fraction": 0.8},
    "xgboost": {"eta": 0.2, "max_depth": 4, "max_bin": 64, "subsample": 0.6, "colsample_bynode": 0.5},
    "catboost": {"learning_rate": 0.2, "depth": 5, "rsm": 0.5, "border_count": 32},
}
WEIGHTS = {"lightgbm": 0.5, "xgboost": 0.25, "catboost": 0.25}
# Of each feature, and last the mean prediction, by the library itself.
CONTRIBUTIONS: dict[str, Callable[[Any, NDArray[np.float32]], NDArray[Any]]] = {
    "lightgbm": lambda model, x: np.asarray(model.predict(x, pred_contrib=True, num_threads=1)),
    "xgboost": lambda model, x: model.predict(xgboost.DMatrix(x, nthread=1), pred_contribs=True),
    "catboost": lambda model, x: model.get_feature_importance(catboost.Pool(x), type="ShapValues", thread_count=1),
}


def main() -> None:
    rng = np.random.default_rng(SEED)
    x = _made_up(rng, 600)
    x[:, 5] = rng.integers(0, 4, len(x))  # never missing in training
    risk = np.nan_to_num(x[:, 0] * x[:, 1]) + (x[:, 2] > 0) - np.isnan(x[:, 3]) + 0.3 * x[:, 5]
    y = (risk + rng.normal(size=len(x)) > 0.5).astype(np.float32)  # noqa: PLR2004 - any limit
    y[rng.random(len(y)) < GAPS] *= 0.5
    weight = rng.choice([1, 4], len(y)).astype(np.float32)
    rows = _made_up(rng, 40)
    every, held = [], {"rows": rows}
    for library, settings in SETTINGS.items():
        fitted = trees.fit(x, y, weight, trees.Boosting(library, ROUNDS, settings), SEED)
        every.append((WEIGHTS[library], fitted.ensemble()))
        held |= {f"{library}_{name}": array for name, array in trees.leaves(fitted.ensemble()).items()}
        held[f"{library}_log_odds"] = fitted.log_odds(rows)
        held[f"{library}_contributions"] = CONTRIBUTIONS[library](fitted.model, rows)
    held["mixed_log_odds"] = sum(WEIGHTS[library] * held[f"{library}_log_odds"] for library in SETTINGS)
    np.savez_compressed(FOLDER / "attributed.npz", **held)
    (FOLDER / "attributed.onnx").write_bytes(_graph(trees.mixed(every)).SerializeToString(deterministic=True))


def _made_up(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    x = rng.normal(size=(count, FEATURES)).astype(np.float32)
    x[rng.random(x.shape) < GAPS] = np.nan
    return x


def _graph(ensemble: trees.Ensemble) -> Any:
    node = helper.make_node(
        "TreeEnsembleRegressor", ["rows"], ["log_odds"], domain="ai.onnx.ml", **trees.attributes(ensemble)
    )
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", wide])
        for name, wide in (("rows", FEATURES), ("log_odds", 1))
    ]
    return helper.make_model(
        helper.make_graph([node], "trees", ends[:1], ends[1:]),
        opset_imports=[helper.make_opsetid("", graph.OPSET), helper.make_opsetid("ai.onnx.ml", graph.ML_OPSET)],
        ir_version=graph.IR_VERSION,
    )


if __name__ == "__main__":
    main()
