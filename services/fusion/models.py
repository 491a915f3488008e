"""The deterioration models: what each declares in its folder of the model repository, and how Triton is asked."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray
from vigil.v1.meta_pb2 import ModelVersion

from services.common.triton import ModelUnavailable, Tensors
from services.fusion.deterioration.drift import Bins
from services.fusion.deterioration.explanation import Explanation
from services.fusion.deterioration.features import (
    FEATURES_MORTALITY,
    FEATURES_SEPSIS,
    variable_of,
    vector_mortality,
    vector_sepsis,
)
from services.fusion.deterioration.scope import MORTALITY, SEPSIS, Scope
from services.fusion.deterioration.stay import Stay
from services.fusion.deterioration.variables import BY_NAME

log = structlog.get_logger()

OUTPUTS = ("probability", "low", "high")
ABOUT = frozenset({"icu_type", "hours_in_hospital"})  # known of a place, measured by nobody
ROWS_AT_A_TIME = 256  # the models' `max_batch_size`

Floats = NDArray[np.float32]


class Triton(Protocol):
    """The part of `services.common.triton.TritonClient` that is used here."""

    async def infer(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Raises ModelUnavailable."""

    async def model_version(self, model: str) -> ModelVersion:
        """Raises ModelUnavailable."""


@dataclass(frozen=True, slots=True)
class RiskModel:
    """One model as its assets describe it.

    name: of the risk, e.g. "mortality". features: columns, in order. low, high: [features], what patients of training
    had. stranger_share: of what was measured, how much may lie outside of that. operating_point: probability from which
    the alarm is raised. bins: of features that are watched for drift. score_bins: of the probability. explanation: what
    drivers are told from. sha256: of the model that all this belongs to. measured: names of what it reads that somebody
    measures.
    """

    name: str
    scope: Scope
    vector: Callable[[Stay, float], Floats]
    features: tuple[str, ...]
    low: Floats
    high: Floats
    stranger_share: float
    operating_point: float
    bins: Mapping[str, Bins]
    score_bins: Bins
    explanation: Explanation
    sha256: str
    measured: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = dict.fromkeys(map(variable_of, self.features))
        object.__setattr__(self, "measured", tuple(name for name in names if name in BY_NAME and name not in ABOUT))

    @property
    def model(self) -> str:
        """Its name in Triton."""
        return self.scope.model


@dataclass(frozen=True, slots=True)
class Answers:
    """[rows] each. version: of the model that gave them."""

    probability: Floats
    low: Floats
    high: Floats
    version: ModelVersion


_KNOWN: Mapping[str, tuple[Scope, Callable[[Stay, float], Floats], tuple[str, ...]]] = {
    "mortality": (MORTALITY, vector_mortality, FEATURES_MORTALITY),
    "sepsis": (SEPSIS, vector_sepsis, FEATURES_SEPSIS),
}


def load_models(repository: Path) -> tuple[RiskModel, ...]:
    """The models that the repository has. Raises ValueError when the assets of one do not belong to this code."""
    there = [name for name, (scope, _, _) in _KNOWN.items() if (repository / scope.model / "assets").is_dir()]
    if len(there) < len(_KNOWN):
        log.warning("the model repository lacks models of deterioration", there=there)
    return tuple(_load(name, repository) for name in there)


def _load(name: str, repository: Path) -> RiskModel:
    scope, vector, features = _KNOWN[name]
    assets = repository / scope.model / "assets"
    declared = json.loads((assets / "features.json").read_text())
    if tuple(declared["names"]) != features:
        raise ValueError(f"{scope.model}: its features are not those that this code makes; train it again")
    with np.load(assets / "model.npz") as arrays:
        explanation = Explanation.of(dict(arrays))
    return RiskModel(
        name=name,
        scope=scope,
        vector=vector,
        features=features,
        low=np.array(declared["low"], np.float32),  # null is NaN: nobody had it measured
        high=np.array(declared["high"], np.float32),
        stranger_share=declared["stranger_share"],
        operating_point=declared["operating_points"][0]["probability"],
        bins={name: _bins(one) for name, one in declared["drift"].items()},
        score_bins=_bins(declared["drift_of_probability"]),
        explanation=explanation,
        sha256=declared["sha256"],
    )


def _bins(declared: Mapping[str, Sequence[float]]) -> Bins:
    return Bins(tuple(declared["edges"]), tuple(declared["shares"]))


async def ask(triton: Triton, model: RiskModel, rows: Floats) -> Answers:
    """Ask about rows, [rows, features]. Raises ModelUnavailable; ValueError for answers that are no probabilities."""
    version = await triton.model_version(model.model)
    if version.sha256 != model.sha256:
        raise ModelUnavailable(f"{model.model}: Triton serves another model than the assets beside it describe")
    parts = [
        await triton.infer(model.model, {"features": rows[start : start + ROWS_AT_A_TIME]}, OUTPUTS)
        for start in range(0, len(rows), ROWS_AT_A_TIME)
    ]
    joined = {name: np.concatenate([part[name].reshape(-1) for part in parts]) for name in OUTPUTS}
    if any(len(values) != len(rows) or not ((values >= 0) & (values <= 1)).all() for values in joined.values()):
        raise ValueError(f"{model.model} answered with something else than probabilities")
    return Answers(joined["probability"], joined["low"], joined["high"], version)
