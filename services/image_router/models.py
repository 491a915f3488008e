"""Image models on Triton: what each declares about itself, and how it is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from vigil.v1.meta_pb2 import ModelVersion

from services.common.triton import Tensors
from services.image_router.preprocessing import PREPARATIONS, Box, Shown, shown


class Triton(Protocol):
    """The part of `services.common.triton.TritonClient` that reading images needs."""

    async def infer(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Raises ModelUnavailable."""

    async def model_version(self, model: str) -> ModelVersion:
        """Raises ModelUnavailable."""

    async def model_parameters(self, model: str) -> Mapping[str, str]:
        """Raises ModelUnavailable."""


Point = tuple[tuple[float, ...], tuple[float, ...]]  # thresholds and lows
POINTS = ("high_sensitivity", "high_specificity")


@dataclass(frozen=True, slots=True)
class ImageModel:
    """What the configuration in the Triton repository says, so that model and operating points change together.

    side: pixels of its square input. preparation: key of `preprocessing.PREPARATIONS`. labels, thresholds, lows: in
    the order of its output `probability`; from its threshold on a label is positive, below its low it is negative.
    A model that only outlines has none. points: other operating points, by name. interval: half-width of the interval
    of each probability in log-odds, None where none was measured. scope_limit: the largest output `scope_distance`
    that is in scope. region: what it outlines, empty when nothing; outline_threshold: of the output `outline`, from
    which a place is in.
    """

    version: ModelVersion
    side: int
    preparation: str
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    lows: tuple[float, ...]
    points: Mapping[str, Point]
    interval: float | None
    scope_limit: float
    region: str
    outline_threshold: float

    @property
    def outputs(self) -> list[str]:
        """What to ask it for."""
        named = ["probability", "heatmap"] if self.labels else []
        return [*named, *(["outline"] if self.region else []), "scope_distance"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One picture's answer. probabilities: by label. heatmap: (h, w), logit that each place adds, None without labels.

    outline: (h, w), probability that a place is inside, None when the model outlines nothing. part: of the picture,
    where both maps lie. relative_distance: scope distance over its limit; above 1 the picture is unlike what the model
    was trained on.
    """

    model: ImageModel
    probabilities: tuple[float, ...]
    heatmap: NDArray[np.float32] | None
    outline: NDArray[np.float32] | None
    part: Box
    relative_distance: float


async def load_model(triton: Triton, name: str) -> ImageModel:
    """The declaration of a served model. Raises ModelUnavailable; ValueError when it is incomplete."""
    parameters = await triton.model_parameters(name)
    try:
        model = _declared(await triton.model_version(name), parameters)
    except KeyError as error:
        raise ValueError(f"{name}: its configuration lacks the parameter {error}") from error
    declared = ((model.thresholds, model.lows), *model.points.values())
    if any(len(numbers) != len(model.labels) for point in declared for numbers in point):
        raise ValueError(f"{name}: two operating points a label are needed")
    if model.preparation not in PREPARATIONS:
        raise ValueError(f"{name}: no such preparation as {model.preparation}")
    return model


def _declared(version: ModelVersion, parameters: Mapping[str, str]) -> ImageModel:
    region = parameters.get("region", "")
    labels = parameters.get("labels", "") if region else parameters["labels"]
    named = bool(labels)
    return ImageModel(
        version=version,
        side=int(parameters["side"]),
        preparation=parameters["preparation"],
        labels=tuple(labels.split(",")) if named else (),
        thresholds=_numbers(parameters["thresholds"]) if named else (),
        lows=_numbers(parameters["lows"]) if named else (),
        points={name: _point(parameters, name) for name in POINTS if f"thresholds_{name}" in parameters},
        interval=float(parameters["interval_logit"]) if "interval_logit" in parameters else None,
        scope_limit=float(parameters["scope_limit"]),
        region=region,
        outline_threshold=float(parameters["outline_threshold"]) if region else 1.0,
    )


def _point(parameters: Mapping[str, str], name: str) -> Point:
    return _numbers(parameters[f"thresholds_{name}"]), _numbers(parameters[f"lows_{name}"])


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(value) for value in text.split(","))


async def ask(triton: Triton, model: ImageModel, pictures: Sequence[Shown]) -> list[Answer]:
    """Ask about pictures, each as `prepared` makes it. Raises ModelUnavailable."""
    first, *more = (picture.tensor for picture in pictures)
    tensors = np.stack([first, *more]) if more else first[np.newaxis]  # a view: a film alone is not copied
    return answers(model, await triton.infer(model.version.name, {"image": tensors}, model.outputs), pictures)


def answers(model: ImageModel, outputs: Mapping[str, NDArray[Any]], pictures: Sequence[Shown]) -> list[Answer]:
    """One a picture. outputs: by name, a row a picture."""
    distances = outputs["scope_distance"].ravel()
    return [
        Answer(
            model=model,
            probabilities=tuple(float(p) for p in outputs["probability"][row]) if model.labels else (),
            heatmap=outputs["heatmap"][row] if model.labels else None,
            outline=outputs["outline"][row] if model.region else None,
            part=picture.part,
            relative_distance=float(distances[row]) / model.scope_limit,
        )
        for row, picture in enumerate(pictures)
    ]


def prepared(model: ImageModel, grey: NDArray[np.float32]) -> Shown:
    """What the model is shown of one picture; see `preprocessing.shown`. Blocks: call it from a thread."""
    return shown(grey, model.side, model.preparation)
