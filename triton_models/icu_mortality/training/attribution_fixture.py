"""Make tests/fusion/deterioration/attributed.npz: a few small trees, rows with gaps, and what LightGBM says of them."""

from __future__ import annotations

import numpy as np
import trees
from rows import REPOSITORY, SEED

FIXTURE = REPOSITORY / "tests" / "fusion" / "deterioration" / "attributed.npz"
GAPS = 0.25


def main() -> None:
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(600, 6)).astype(np.float32)
    x[rng.random(x.shape) < GAPS] = np.nan
    x[:, 5] = rng.integers(0, 4, 600)  # never missing in training
    risk = np.nan_to_num(x[:, 0] * x[:, 1]) + (x[:, 2] > 0) - np.isnan(x[:, 3]) + 0.3 * x[:, 5]
    y = (risk + rng.normal(size=600) > 0.5).astype(np.float32)  # noqa: PLR2004 - any limit
    settings = {"num_leaves": 9, "min_data_in_leaf": 10, "learning_rate": 0.2, "bagging_fraction": 0.8}
    booster = trees.fit(x, y, None, 25, settings)
    rows = rng.normal(size=(40, 6)).astype(np.float32)
    rows[rng.random(rows.shape) < GAPS] = np.nan
    said = booster.predict(rows, pred_contrib=True, num_threads=1)
    raw = booster.predict(rows, raw_score=True, num_threads=1)
    np.savez_compressed(FIXTURE, **trees.leaves([booster]), rows=rows, contributions=said, log_odds=raw)


if __name__ == "__main__":
    main()
