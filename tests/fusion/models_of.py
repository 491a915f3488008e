"""Deterioration models small enough to calculate by hand, and a Triton that answers for them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vigil.v1.meta_pb2 import ModelVersion

from services.common.triton import ModelUnavailable, Tensors
from services.fusion.deterioration.drift import Bins
from services.fusion.deterioration.explanation import Explanation, log_odds
from services.fusion.deterioration.features import (
    FEATURES_MORTALITY,
    FEATURES_SEPSIS,
    vector_mortality,
    vector_sepsis,
)
from services.fusion.deterioration.scope import MORTALITY, SEPSIS
from services.fusion.models import RiskModel

# Of each model: log-odds that it adds when the newest value is over a limit, and what it adds otherwise.
RULES = {"lactate.last": (2.0, 3.0, -1.0), "sbp.last": (100.0, -0.5, 1.0), "heart_rate.last": (110.0, 1.0, -0.2)}
START = -2.0


def arrays(features: Sequence[str]) -> Mapping[str, NDArray[Any]]:
    """A tree of one condition a rule; a value that was not measured goes with the lower ones. The network is silent."""
    rows = [(features.index(name), *rule) for name, rule in RULES.items()]
    column = [[at] for at, *_ in rows for _ in range(2)]
    return {
        "feature": np.array(column),
        "above": np.array([[bound] for _, limit, *_ in rows for bound in (limit, -np.inf)]),
        "up_to": np.array([[bound] for _, limit, *_ in rows for bound in (np.inf, limit)]),
        "missing": np.array([[on] for _ in rows for on in (False, True)]),
        "share": np.array([[share] for _ in rows for share in (0.25, 0.75)]),
        "value": np.array([value for _, _, over, under in rows for value in (over, under)]),
        "start": np.array(START),
        "trees_part": np.array(1.0),
        **{name: np.zeros(1) for name in ("column", "logged", "centre", "flags")},
        **{name: np.zeros((1, wide, 1)) for name, wide in (("w0", 2), ("w1", 1), ("w2", 1))},
        **{name: np.zeros((1, 1)) for name in ("b0", "b1", "b2")},
        "scale": np.ones(1),
    }


def model(name: str, **fields: Any) -> RiskModel:
    """One of both models. fields: instead of the usual."""
    scope, vector, features = {
        "mortality": (MORTALITY, vector_mortality, FEATURES_MORTALITY),
        "sepsis": (SEPSIS, vector_sepsis, FEATURES_SEPSIS),
    }[name]
    usual: dict[str, Any] = {
        "name": name,
        "scope": scope,
        "vector": vector,
        "features": features,
        "low": np.full(len(features), np.nan, np.float32),
        "high": np.full(len(features), np.nan, np.float32),
        "stranger_share": 0.1,
        "operating_point": 0.3,
        "bins": {name: Bins((1.0, 2.0), (0.25, 0.25, 0.25, 0.25)) for name in features if name.endswith(".last")},
        "score_bins": Bins((0.1, 0.5), (0.5, 0.25, 0.25, 0.0)),
        "explanation": Explanation.of(arrays(features)),
        "sha256": f"sha of {scope.model}",
    }
    return RiskModel(**(usual | fields))


MODELS = (model("mortality"), model("sepsis"))


class FakeTriton:
    """Answers with the ensembles of MODELS. away: why it does not. calls: model and rows of each call."""

    def __init__(self, away: str = "") -> None:
        self.away = away
        self.calls: list[tuple[str, int]] = []

    async def infer(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        rows = inputs["features"]
        self.calls.append((model, len(rows)))
        if self.away:
            raise ModelUnavailable(self.away)
        assert rows.dtype == np.float32
        known = next(one for one in MODELS if one.model == model)
        probability = np.array([1 / (1 + np.exp(-log_odds(known.explanation, row))) for row in rows], np.float32)
        made = {"probability": probability, "low": probability * 0.8, "high": probability + (1 - probability) * 0.2}
        return {name: made[name][:, None] for name in outputs}

    async def model_version(self, model: str) -> ModelVersion:
        if self.away:
            raise ModelUnavailable(self.away)
        return ModelVersion(name=model, version="1", sha256=f"sha of {model}")
