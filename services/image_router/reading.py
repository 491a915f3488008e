"""Read one image: decode, check the scope, ask the model. The same for Kafka, gRPC and the command line."""

import asyncio
import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from PIL.Image import Image
from vigil.v1.images_pb2 import FindingPlace, ImageFinding, ImageFindings, ImageIdentity, Region, Scope
from vigil.v1.meta_pb2 import ModelVersion

from services.common.outcomes import Invalid
from services.common.triton import ModelUnavailable
from services.image_router.geometry import image_geometry
from services.image_router.metrics import DECODE_SECONDS, IMAGES_READ
from services.image_router.models import Answer, ImageModel, Triton, ask, load_model, prepared
from services.image_router.outage import Outage
from services.image_router.pixels import Picture, decoded, dicom_picture, is_dicom, opened, read_dicom
from services.image_router.places import FRONTAL, zones
from services.image_router.preprocessing import Box, Shown
from services.image_router.questions import DEFAULT, UNASKED, Choice, choice
from services.image_router.regions import Geometry, Outlined, outlined
from services.image_router.rendering import heatmap_png, mask_png, preview_png
from services.image_router.report import WORDINGS, draft
from services.image_router.scope import DECLARED, MODELS, TagScope, scope_of_tags
from services.image_router.tags import ImageTags, image_tags
from services.image_router.threads import Threads
from services.image_router.upright import AS_SENT, REMEDIES, Remedy

GREY_BYTES = np.dtype(np.float32).itemsize  # of a pixel
NEVER = 1e-9  # nearer to 0 or 1 no probability is taken


def _nothing() -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading needs.

    max_pixels: larger images are Invalid. outage: how long Triton is waited for before degrading.
    preview_side: longest side of previews, pixels. threads: that work on pictures.
    """

    triton: Triton
    max_pixels: int
    outage: Outage
    preview_side: int
    threads: Threads = field(default_factory=Threads)


@dataclass(frozen=True, slots=True)
class Looked:
    """What an image is before any model saw it. picture: None when its tags put it out of every scope.

    asked: what the caller wants to know of it, empty when that is left to the tags.
    """

    by_tags: TagScope
    tags: ImageTags
    geometry: Geometry
    picture: Picture | None
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read. picture is None when the tags alone put the image out of scope; then nothing was decoded.

    outliner: the answer that `region` comes from. zones: share of each zone in what speaks for the finding that the
    heat map is of, of a chest film that lay upright. choice: of the operating point.
    """

    scope: Scope
    picture: Picture | None = None
    answer: Answer | None = None
    degraded_reason: str = ""
    outliner: Answer | None = None
    region: Outlined | None = None
    zones: Mapping[str, float] = field(default_factory=dict)
    choice: Choice = UNASKED

    @property
    def findings(self) -> list[ImageFinding]:
        """By label; empty when no model read the image."""
        if self.answer is None or not self.scope.in_scope:
            return []
        model = self.answer.model
        thresholds, lows = model.points.get(self.choice.point, (model.thresholds, model.lows))
        points = zip(model.labels, self.answer.probabilities, thresholds, lows, strict=True)
        return [
            ImageFinding(
                label=label,
                probability=p,
                positive=p >= high,
                threshold=high,
                verdict=_verdict(p, low, high),
                places=self._places(label),
                **_interval(p, model.interval),
            )
            for label, p, high, low in points
        ]

    def _places(self, label: str) -> list[FindingPlace]:
        if self.answer is None or FRONTAL.get(self.answer.model.version.name) != label:
            return []
        return [FindingPlace(region=region, share=share) for region, share in self.zones.items()]

    @property
    def regions(self) -> list[Region]:
        """What was outlined, without its mask."""
        if self.region is None or self.outliner is None:
            return []
        x0, y0, x1, y1 = self.region.box
        return [
            Region(
                label=self.outliner.model.region,
                x0=x0,
                y0=y0,
                x1=x1,
                y1=y1,
                model=self.outliner.model.version,
                area_fraction=self.region.area_fraction,
                area_mm2=self.region.area_mm2,
                length_mm=self.region.length_mm,
                width_mm=self.region.width_mm,
                position=self.region.position,
                side=self.region.side,
            )
        ]

    @property
    def version(self) -> ModelVersion | None:
        """Of the model that was asked."""
        return self.answer.model.version if self.answer else None


def _interval(p: float, half_width: float | None) -> dict[str, float]:
    """Both ends, `half_width` from p in log-odds; nothing where none was measured."""
    if half_width is None:
        return {}
    inside = min(max(p, NEVER), 1 - NEVER)
    odds, factor = inside / (1 - inside), math.exp(half_width)
    return {"low": min(p, odds / (odds + factor)), "high": max(p, odds / (odds + 1 / factor))}


def _verdict(p: float, low: float, high: float) -> str:
    if p >= high:
        return "positive"
    return "negative" if p < low else "cannot_tell"


async def read_image(
    content: bytes, reader: Reader, model: str = "", question: str = "", on_wait: Callable[[], None] = _nothing
) -> Reading:
    """Read a DICOM, PNG or JPEG file.

    model: forces a model for what the tags would not decide; its check of the pixels still holds.
    question: what the image is for, as `questions.choice` takes it; empty leaves it to the tags.
    on_wait: called again and again while Triton is waited for.
    Returns a reading that is out of scope with the reason, or degraded when Triton stays away.
    Raises Invalid: unreadable content, or no such model.
    """
    if model and model not in MODELS:
        raise Invalid(f"no such image model; there are {', '.join(MODELS)}")
    looked = replace(await _looked(content, reader, model), asked=question)
    if looked.picture is None:
        reading = Reading(_scope(looked.by_tags.reason))
    else:
        reading = await _read_picture(looked, looked.picture, reader, on_wait)
    reading.scope.population = looked.tags.population
    IMAGES_READ.labels(_outcome(reading)).inc()
    return reading


async def _looked(content: bytes, reader: Reader, model: str) -> Looked:
    """What a PNG or JPEG file unpacks to is known from its header; of a DICOM file only its own size is."""
    if is_dicom(content):
        work = partial(_look_at_dicom, content, reader.max_pixels, model)
        return await reader.threads.with_file(len(content), work)
    image = opened(content, reader.max_pixels)
    return await reader.threads.with_picture(image.width * image.height * GREY_BYTES, partial(_look_at, image, model))


def _look_at_dicom(content: bytes, max_pixels: int, model: str) -> Looked:
    """Scope by tags, population, geometry, and the picture when a model may be asked."""
    with DECODE_SECONDS.time():
        dataset = read_dicom(content)
        tags = image_tags(dataset)
        by_tags = TagScope((model,), "the model was chosen by hand") if model else scope_of_tags(tags)
        picture = dicom_picture(dataset, max_pixels) if by_tags.models else None
        return Looked(by_tags, tags, image_geometry(dataset), picture)


def _look_at(image: Image, model: str) -> Looked:
    """A picture without tags, for which any model may be asked."""
    with DECODE_SECONDS.time():
        names = (model,) if model else tuple(DECLARED)
        return Looked(TagScope(names, ""), ImageTags(), Geometry(), decoded(image))


async def _read_picture(looked: Looked, picture: Picture, reader: Reader, on_wait: Callable[[], None]) -> Reading:
    by_tags = looked.by_tags
    if picture.coloured:
        return Reading(_scope("no model reads colour pictures"), picture)
    try:
        return await reader.outage.waited_for(partial(_asked, looked, picture, reader), on_wait)
    except ModelUnavailable as error:
        scope = Scope(in_scope=True, reason=by_tags.reason)
        return Reading(scope, picture, degraded_reason=f"no model read it: {error.reason}")


async def _asked(looked: Looked, picture: Picture, reader: Reader) -> Reading:
    """The answer of the model that the picture is most like, as sent or else put right, unless it is like none."""
    answer, remedy = await _nearest(looked.by_tags.models, picture, reader)
    name = answer.model.version.name
    if answer.relative_distance > 1:
        return Reading(_scope(f"the pixels are unlike what {name} was trained on"), picture, answer)
    notes = "; ".join(note for note in (looked.by_tags.reason, picture.note, remedy.note) if note)
    chosen = choice(looked.asked, looked.tags, name, frozenset(answer.model.points))
    reading = Reading(Scope(in_scope=True, reason=notes), picture, answer, choice=chosen)
    outlined_by = DECLARED[name].outlined_by if name in DECLARED and answer.outline is None else ""
    outliner = (await _ask(outlined_by, picture, reader, [remedy]))[0] if outlined_by else answer
    if outliner.outline is not None:
        work = partial(region_of, reading, outliner, looked.geometry)
        region = await reader.threads.with_picture(picture.grey.nbytes, work)
        reading = replace(reading, outliner=outliner, region=region)
    if name not in FRONTAL or answer.heatmap is None or remedy.turns:
        return reading
    return replace(reading, zones=zones(answer.heatmap, looked.geometry.leftwards))


async def _nearest(names: Sequence[str], picture: Picture, reader: Reader) -> tuple[Answer, Remedy]:
    tried: list[tuple[Answer, Remedy]] = []
    for remedies in ([AS_SENT], list(REMEDIES)):
        asked = [_ask(name, picture, reader, remedies) for name in names]
        answers = await asyncio.gather(*asked) if len(asked) > 1 else [await asked[0]]
        tried += [pair for of_one in answers for pair in zip(of_one, remedies, strict=True)]
        nearest = min(tried, key=lambda pair: pair[0].relative_distance)
        if nearest[0].relative_distance <= 1:
            return nearest
    return tried[0] if len(names) == 1 else min(tried[: len(names)], key=lambda pair: pair[0].relative_distance)


async def _ask(name: str, picture: Picture, reader: Reader, remedies: Sequence[Remedy]) -> list[Answer]:
    """One answer a remedy; maps lie as the picture was sent."""
    model = await load_model(reader.triton, name)

    def inputs() -> list[Shown]:
        return [_input(model, picture, remedy) for remedy in remedies]

    answers = await ask(reader.triton, model, await reader.threads.with_picture(picture.grey.nbytes, inputs))
    return [
        replace(
            answer,
            heatmap=None if answer.heatmap is None else remedy.undo(answer.heatmap),
            outline=None if answer.outline is None else remedy.undo(answer.outline),
            part=remedy.undo_part(answer.part, picture.grey.shape),
        )
        for answer, remedy in zip(answers, remedies, strict=True)
    ]


def _input(model: ImageModel, picture: Picture, remedy: Remedy) -> Shown:
    """Made once a picture: models of one kind of image, one that names and one that outlines, take the same."""
    key = model.side, model.preparation, remedy.note
    if key not in picture.inputs:
        picture.inputs[key] = prepared(model, remedy.apply(picture.grey))
    return picture.inputs[key]


def region_of(reading: Reading, outliner: Answer, geometry: Geometry) -> Outlined | None:
    """On the picture that was read. None when the model outlines nothing, or when the image is taken for normal."""
    model, picture = outliner.model, reading.picture
    if outliner.outline is None or picture is None or _is_normal(reading.answer):
        return None
    rows, columns = picture.grey.shape
    return outlined(outliner.outline, model.outline_threshold, outliner.part, (rows, columns), geometry)


def _is_normal(answer: Answer | None) -> bool:
    if answer is None or not answer.model.labels:
        return False
    likeliest = answer.model.labels[int(np.argmax(answer.probabilities))]
    return likeliest in WORDINGS[answer.model.version.name].normal


def _scope(reason: str) -> Scope:
    return Scope(in_scope=False, reason=reason)


def _outcome(reading: Reading) -> str:
    if reading.degraded_reason:
        return "degraded"
    return "read" if reading.scope.in_scope else "abstained"


def as_message(reading: Reading, image: ImageIdentity) -> ImageFindings:
    """The reading as published, without meta and pictures."""
    findings, regions = reading.findings, reading.regions
    version = reading.version
    judged = bool(findings)
    notes = [reading.scope.reason, "" if reading.choice.point == DEFAULT else _at_point(reading.choice)]
    note = "; ".join(filter(None, notes))
    drafted = draft(version, findings, regions, note) if version and reading.scope.in_scope else []
    return ImageFindings(
        image=image,
        scope=reading.scope,
        findings=findings,
        regions=regions,
        model=version,
        degraded_reason=reading.degraded_reason,
        report=drafted,
        question=reading.choice.question,
        operating_point=reading.choice.point if judged else "",
        operating_point_reason=reading.choice.reason if judged else "",
    )


def _at_point(chosen: Choice) -> str:
    return f"judged for {chosen.point.replace('_', ' ')}: {chosen.reason}"


@dataclass(frozen=True, slots=True)
class Renderings:
    """PNG files; empty bytes where there is nothing to show. masks: one a region."""

    heatmap: bytes
    preview: bytes
    masks: list[bytes] = field(default_factory=list)


def render(reading: Reading, preview_side: int) -> Renderings:
    """Heat map and masks (only in scope), and preview unless its side is 0. Blocks: call it from a thread."""
    if reading.picture is None:
        return Renderings(b"", b"")
    preview = preview_png(reading.picture.grey, preview_side) if preview_side else b""
    if reading.answer is None or not reading.scope.in_scope:
        return Renderings(b"", preview)
    masks = [mask_png(reading.region.mask)] if reading.region else []
    if reading.answer.heatmap is None:
        return Renderings(b"", preview, masks)
    rows, columns = reading.picture.grey.shape
    return Renderings(heatmap_png(reading.answer.heatmap, rows, columns, reading.answer.part), preview, masks)


async def probe(reader: Reader, answering: Container[str] = ()) -> None:
    """Readiness: every model answers a real inference, but for those of which that is known.

    Raises ModelUnavailable, ValueError.
    """
    for name in (name for name in MODELS if name not in answering):
        model = await load_model(reader.triton, name)
        square = np.full((1, model.side, model.side), 0.5, np.float32)
        await ask(reader.triton, model, [Shown(square, Box(0, model.side, 0, model.side))])
