"""Image models on Triton: what each declares about itself, and how it is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from vigil.v1.meta_pb2 import ModelVersion

from services.common.triton import Tensors
from services.image_router.preprocessing import model_input


class Triton(Protocol):
    """The part of `services.common.triton.TritonClient` that reading images needs."""

    async def infer(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Raises ModelUnavailable."""

    async def model_version(self, model: str) -> ModelVersion:
        """Raises ModelUnavailable."""

    async def model_parameters(self, model: str) -> Mapping[str, str]:
        """Raises ModelUnavailable."""


@dataclass(frozen=True, slots=True)
class ImageModel:
    """What the configuration in the Triton repository says, so that model and operating points change together.

    side: pixels of its square input. labels and thresholds: in the order of its output `probability`.
    scope_limit: the largest output `scope_distance` that is in scope.
    """

    version: ModelVersion
    side: int
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    scope_limit: float


@dataclass(frozen=True, slots=True)
class Answer:
    """One picture's answer. probabilities: by label. heatmap: (h, w), logit that each place adds.

    relative_distance: scope distance over its limit; above 1 the picture is unlike what the model was trained on.
    """

    model: ImageModel
    probabilities: tuple[float, ...]
    heatmap: NDArray[np.float32]
    relative_distance: float


async def load_model(triton: Triton, name: str) -> ImageModel:
    """The declaration of a served model. Raises ModelUnavailable; ValueError when it is incomplete."""
    parameters = await triton.model_parameters(name)
    try:
        model = ImageModel(
            version=await triton.model_version(name),
            side=int(parameters["side"]),
            labels=tuple(parameters["labels"].split(",")),
            thresholds=tuple(float(value) for value in parameters["thresholds"].split(",")),
            scope_limit=float(parameters["scope_limit"]),
        )
    except KeyError as error:
        raise ValueError(f"{name}: its configuration lacks the parameter {error}") from error
    if len(model.labels) != len(model.thresholds):
        raise ValueError(f"{name}: one threshold a label is needed")
    return model


async def ask(triton: Triton, model: ImageModel, tensor: NDArray[np.float32]) -> Answer:
    """Ask about one picture. tensor: from `prepared`. Raises ModelUnavailable."""
    wanted = ["probability", "heatmap", "scope_distance"]
    outputs = await triton.infer(model.version.name, {"image": tensor[np.newaxis]}, wanted)
    return Answer(
        model=model,
        probabilities=tuple(float(p) for p in outputs["probability"][0]),
        heatmap=outputs["heatmap"][0],
        relative_distance=float(outputs["scope_distance"].ravel()[0]) / model.scope_limit,
    )


def prepared(model: ImageModel, grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """The model's input of one picture; see `preprocessing.model_input`. Blocks: call it from a thread."""
    return model_input(grey, model.side)
