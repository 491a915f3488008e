import io
from collections.abc import AsyncIterator

import grpc
import pytest
from PIL import Image
from vigil.v1 import image_router_service_pb2_grpc as service_grpc
from vigil.v1.image_router_service_pb2 import ReadImageRequest

from services.common.clock import utc_now
from services.image_router.grpc_service import ImageRouterServicer
from services.image_router.outage import Outage
from services.image_router.reading import Reader
from tests.image_router.fakes import LocalModels
from tests.image_router.samples import INSTANCE_UID, as_file, as_picture, radiograph, ward_film

FILM = ward_film("chest_clear_b.jpg")


@pytest.fixture
async def stub() -> AsyncIterator["service_grpc.ImageRouterServiceAsyncStub"]:
    server = grpc.aio.server()
    reader = Reader(LocalModels(), max_pixels=10**8, outage=Outage(1.0), preview_side=256)
    service_grpc.add_ImageRouterServiceServicer_to_server(ImageRouterServicer(reader, utc_now), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield service_grpc.ImageRouterServiceStub(channel)
    await server.stop(None)


async def test_a_dicom_file_is_read_and_named(stub: "service_grpc.ImageRouterServiceAsyncStub") -> None:
    answer = await stub.ReadImage(ReadImageRequest(content=as_file(radiograph(FILM))))
    assert (answer.height, answer.width) == FILM.shape
    assert answer.findings.image.sop_instance_uid == INSTANCE_UID
    assert answer.findings.scope.in_scope
    with Image.open(io.BytesIO(answer.heatmap_png)) as heatmap:
        assert heatmap.size == FILM.shape[::-1]


async def test_the_same_file_has_the_same_id(stub: "service_grpc.ImageRouterServiceAsyncStub") -> None:
    request = ReadImageRequest(content=as_picture(FILM, "PNG"))
    first, second = await stub.ReadImage(request), await stub.ReadImage(request)
    assert first.findings.meta.message_id == second.findings.meta.message_id


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (ReadImageRequest(content=b"no picture"), "neither a DICOM, PNG nor JPEG file"),
        (ReadImageRequest(content=as_picture(FILM, "PNG"), model="crystal_ball"), "no such image model"),
    ],
)
async def test_what_cannot_be_read_is_an_invalid_argument(
    stub: "service_grpc.ImageRouterServiceAsyncStub", request_: ReadImageRequest, reason: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match=reason) as raised:
        await stub.ReadImage(request_)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
