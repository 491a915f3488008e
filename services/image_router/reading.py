"""Read one image: decode, check the scope, ask the model. The same for Kafka, gRPC and the command line."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from vigil.v1.images_pb2 import ImageFinding, ImageFindings, ImageIdentity, Scope
from vigil.v1.meta_pb2 import ModelVersion

from services.common.outcomes import Invalid
from services.common.triton import ModelUnavailable
from services.image_router.metrics import DECODE_SECONDS, IMAGES_READ
from services.image_router.models import Answer, ImageModel, Triton, ask, load_model, prepared
from services.image_router.outage import Outage
from services.image_router.pixels import Picture, dicom_picture, file_picture, is_dicom, read_dicom
from services.image_router.rendering import heatmap_png, preview_png
from services.image_router.scope import DECLARED, TagScope, scope_of_tags
from services.image_router.tags import image_tags


def _nothing() -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading needs.

    max_pixels: larger images are Invalid. outage: how long Triton is waited for before degrading.
    preview_side: longest side of previews, pixels.
    """

    triton: Triton
    max_pixels: int
    outage: Outage
    preview_side: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read. picture is None when the tags alone put the image out of scope; then nothing was decoded."""

    scope: Scope
    picture: Picture | None = None
    answer: Answer | None = None
    degraded_reason: str = ""

    @property
    def findings(self) -> list[ImageFinding]:
        """By label; empty when no model read the image."""
        if self.answer is None or not self.scope.in_scope:
            return []
        model = self.answer.model
        return [
            ImageFinding(label=label, probability=p, positive=p >= threshold, threshold=threshold)
            for label, p, threshold in zip(model.labels, self.answer.probabilities, model.thresholds, strict=True)
        ]

    @property
    def version(self) -> ModelVersion | None:
        """Of the model that was asked."""
        return self.answer.model.version if self.answer else None


async def read_image(
    content: bytes, reader: Reader, model: str = "", on_wait: Callable[[], None] = _nothing
) -> Reading:
    """Read a DICOM, PNG or JPEG file.

    model: forces a model for what the tags would not decide; its check of the pixels still holds.
    on_wait: called again and again while Triton is waited for.
    Returns a reading that is out of scope with the reason, or degraded when Triton stays away.
    Raises Invalid: unreadable content, or no such model.
    """
    if model and model not in DECLARED:
        raise Invalid(f"no such image model; there are {', '.join(sorted(DECLARED))}")
    by_tags, population, picture = await asyncio.to_thread(_look, content, reader.max_pixels, model)
    if picture is None:
        reading = Reading(_scope(by_tags.reason))
    else:
        reading = await _read_picture(by_tags, picture, reader, on_wait)
    reading.scope.population = population
    IMAGES_READ.labels(_outcome(reading)).inc()
    return reading


def _look(content: bytes, max_pixels: int, model: str) -> tuple[TagScope, str, Picture | None]:
    """Scope by tags, population, and the picture when a model may be asked."""
    with DECODE_SECONDS.time():
        if not is_dicom(content):
            names = (model,) if model else tuple(DECLARED)
            return TagScope(names, ""), "unknown", file_picture(content, max_pixels)
        dataset = read_dicom(content)
        tags = image_tags(dataset)
        by_tags = TagScope((model,), "the model was chosen by hand") if model else scope_of_tags(tags)
        picture = dicom_picture(dataset, max_pixels) if by_tags.models else None
        return by_tags, tags.population, picture


async def _read_picture(by_tags: TagScope, picture: Picture, reader: Reader, on_wait: Callable[[], None]) -> Reading:
    if picture.coloured:
        return Reading(_scope("a colour picture is no radiograph"), picture)
    try:
        answers = await reader.outage.waited_for(partial(_ask_all, by_tags.models, picture, reader), on_wait)
    except ModelUnavailable as error:
        scope = Scope(in_scope=True, reason=by_tags.reason)
        return Reading(scope, picture, degraded_reason=f"no model read it: {error.reason}")
    return _judged(by_tags, picture, answers)


async def _ask_all(names: Sequence[str], picture: Picture, reader: Reader) -> list[Answer]:
    return [await _ask(name, picture, reader) for name in names]


async def _ask(name: str, picture: Picture, reader: Reader) -> Answer:
    model: ImageModel = await load_model(reader.triton, name)
    tensor = await asyncio.to_thread(prepared, model, picture.grey)
    return await ask(reader.triton, model, tensor)


def _judged(by_tags: TagScope, picture: Picture, answers: Sequence[Answer]) -> Reading:
    """The answer of the model that the picture is most like, unless it is like none."""
    nearest = min(answers, key=lambda answer: answer.relative_distance)
    if nearest.relative_distance > 1:
        reason = f"the pixels are unlike what {nearest.model.version.name} was trained on"
        return Reading(_scope(reason), picture, nearest)
    notes = "; ".join(note for note in (by_tags.reason, picture.note) if note)
    return Reading(Scope(in_scope=True, reason=notes), picture, nearest)


def _scope(reason: str) -> Scope:
    return Scope(in_scope=False, reason=reason)


def _outcome(reading: Reading) -> str:
    if reading.degraded_reason:
        return "degraded"
    return "read" if reading.scope.in_scope else "abstained"


def as_message(reading: Reading, image: ImageIdentity) -> ImageFindings:
    """The reading as published, without meta and pictures."""
    return ImageFindings(
        image=image,
        scope=reading.scope,
        findings=reading.findings,
        model=reading.version,
        degraded_reason=reading.degraded_reason,
    )


@dataclass(frozen=True, slots=True)
class Renderings:
    """PNG files; empty bytes where there is nothing to show."""

    heatmap: bytes
    preview: bytes


def render(reading: Reading, preview_side: int) -> Renderings:
    """Heat map (only in scope) and preview. Blocks: call it from a thread."""
    if reading.picture is None:
        return Renderings(b"", b"")
    preview = preview_png(reading.picture.grey, preview_side)
    if reading.answer is None or not reading.scope.in_scope:
        return Renderings(b"", preview)
    rows, columns = reading.picture.grey.shape
    return Renderings(heatmap_png(reading.answer.heatmap, rows, columns), preview)


async def probe(reader: Reader) -> None:
    """Readiness: every model answers a real inference. Raises ModelUnavailable, ValueError."""
    for name in DECLARED:
        model = await load_model(reader.triton, name)
        await ask(reader.triton, model, np.full((1, model.side, model.side), 0.5, np.float32))
