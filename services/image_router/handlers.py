"""images-received to image-findings."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from vigil.v1.images_pb2 import ImageFindings, ImageReceived
from vigil.v1.meta_pb2 import Blob

from services.common.bus import Publish
from services.common.clock import Clock
from services.common.meta import derived_meta
from services.common.metrics import observe_stage
from services.common.topics import Topic
from services.image_router.reading import Reader, Reading, as_message, read_image, render
from services.image_router.store import Blobs

PNG = "image/png"


@dataclass(frozen=True, slots=True)
class ImageReading:
    """What the handler needs. on_wait: called again and again while Triton is waited for."""

    reader: Reader
    blobs: Blobs
    clock: Clock
    on_wait: Callable[[], None]


async def read_received_image(image: ImageReceived, deps: ImageReading) -> Publish:
    """Read one stored instance: findings, or why there are none.

    Raises Invalid: the blob is not what its claim check says, or cannot be decoded. Transient: the blob store is
    away. Triton being away is waited for, then answered as degraded.
    """
    content = await asyncio.to_thread(deps.blobs.get, image.blob)
    reading = await read_image(content, deps.reader, on_wait=deps.on_wait)
    pictures = await asyncio.to_thread(_stored, reading, deps)
    message = as_message(reading, image.image)
    message.meta.CopyFrom(derived_meta(image.meta, "findings", deps.clock))
    message.image_message_id = image.meta.message_id
    _attach(message, pictures)
    observe_stage("image_read", message.meta, deps.clock)
    return Publish(to=Topic.IMAGE_FINDINGS, key=image.meta.patient_key, message=message)


@dataclass(frozen=True, slots=True)
class Stored:
    """Claim checks of pictures; None where there is none. masks: one a region."""

    heatmap: Blob | None
    preview: Blob | None
    masks: list[Blob]


def _stored(reading: Reading, deps: ImageReading) -> Stored:
    pictures = render(reading, deps.reader.preview_side)

    def put(png: bytes) -> Blob | None:
        return deps.blobs.put(png, PNG) if png else None

    return Stored(put(pictures.heatmap), put(pictures.preview), [deps.blobs.put(png, PNG) for png in pictures.masks])


def _attach(message: ImageFindings, pictures: Stored) -> None:
    if pictures.heatmap is not None:
        message.heatmap.CopyFrom(pictures.heatmap)
    if pictures.preview is not None:
        message.preview.CopyFrom(pictures.preview)
    for region, mask in zip(message.regions, pictures.masks, strict=True):
        region.mask.CopyFrom(mask)
