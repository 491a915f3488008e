"""ImageRouterService: the same reading, on request."""

import hashlib
from functools import partial

import grpc
from vigil.v1 import image_router_service_pb2_grpc as service_grpc
from vigil.v1.image_router_service_pb2 import ReadImageRequest, ReadImageResponse
from vigil.v1.images_pb2 import ImageIdentity
from vigil.v1.meta_pb2 import Meta

from services.common.clock import Clock, to_timestamp
from services.common.identity import message_id
from services.common.meta import SCHEMA_VERSION
from services.common.outcomes import Invalid, Transient
from services.image_router.intake import read_header
from services.image_router.pixels import is_dicom
from services.image_router.reading import Reader, Reading, as_message, read_image, render
from services.image_router.tags import image_identity, text

Context = grpc.aio.ServicerContext[ReadImageRequest, ReadImageResponse]


class ImageRouterServicer(service_grpc.ImageRouterServiceServicer):
    """Reads what it is given and keeps nothing."""

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    async def ReadImage(self, request: ReadImageRequest, context: Context) -> ReadImageResponse:  # noqa: N802 - gRPC
        """INVALID_ARGUMENT: the content or the model is not known; UNAVAILABLE: try again."""
        try:
            reading = await read_image(request.content, self._reader, request.model, request.question)
            size = reading.picture.grey.nbytes if reading.picture else 0
            return await self._reader.threads.with_picture(size, partial(self._response, request.content, reading))
        except Invalid as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.reason)
        except Transient as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, error.reason)

    def _response(self, content: bytes, reading: Reading) -> ReadImageResponse:
        findings = as_message(reading, _identity(content))
        digest = hashlib.sha256(content).hexdigest()
        made = to_timestamp(self._clock())
        findings.meta.CopyFrom(
            Meta(
                message_id=message_id("findings", digest),
                source="grpc",
                schema_version=SCHEMA_VERSION,
                produced_time=made,
            )
        )
        rows, columns = reading.picture.grey.shape if reading.picture else (0, 0)
        pictures = render(reading, preview_side=0)  # who sends an image has it
        return ReadImageResponse(
            findings=findings, heatmap_png=pictures.heatmap, width=columns, height=rows, mask_pngs=pictures.masks
        )


def _identity(content: bytes) -> ImageIdentity:
    if not is_dicom(content):
        return ImageIdentity()
    header = read_header(content)
    syntax = text(header.file_meta, "TransferSyntaxUID")
    return image_identity(header, text(header, "SOPClassUID"), syntax, accession_key="")
