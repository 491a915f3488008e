"""Composition root of image-router."""

import asyncio

import grpc
from vigil.v1 import image_router_service_pb2_grpc as service_grpc
from vigil.v1.image_router_service_pb2 import DESCRIPTOR

from services.common.blobs import BlobStore
from services.common.bus import Loop, Producer, Publish, Received, consume
from services.common.clock import Clock, utc_now
from services.common.grpc_server import serve_grpc
from services.common.health import Health
from services.common.http import serve_http
from services.common.runtime import run_until_stopped
from services.common.topics import Topic
from services.common.triton import TritonClient
from services.image_router.config import ImageRouterSettings
from services.image_router.dicom_server import serve_dicom
from services.image_router.grpc_service import ImageRouterServicer
from services.image_router.handlers import ImageReading, read_received_image
from services.image_router.intake import intake_of
from services.image_router.memory import keep_freed_memory, leave_modules_out_of_collections
from services.image_router.outage import Outage
from services.image_router.privacy import keep_values_out_of_logs
from services.image_router.reading import Reader, probe
from services.image_router.store import ImageStore, from_threads
from services.image_router.together import Together

SERVICE = "image-router"


async def main(settings: ImageRouterSettings, clock: Clock = utc_now) -> None:
    """Run until a signal."""
    keep_values_out_of_logs()
    keep_freed_memory()
    leave_modules_out_of_collections()
    health, shared = Health(), settings.shared
    blobs = BlobStore(shared.blob_url)
    async with Producer(shared, SERVICE) as producer, TritonClient(shared) as triton:
        reader = Reader(Together(triton), settings.max_pixels, Outage(settings.triton_wait_s), settings.preview_side)
        publish = from_threads(producer.publish, asyncio.get_running_loop(), settings.store_deadline_s)
        health.dependency("kafka", producer.check)

        async def on_probe() -> None:
            await probe(reader, await triton.answering())

        health.dependency("triton", on_probe)

        async def on_image(received: Received) -> list[Publish]:
            return [await read_received_image(received.message, reading)]

        def on_wait() -> None:
            health.loops["bus"].tick()  # there once `consume` has begun, which calls `on_image`

        reading = ImageReading(reader, blobs, clock, on_wait)

        def register(server: grpc.aio.Server) -> None:
            service_grpc.add_ImageRouterServiceServicer_to_server(ImageRouterServicer(reader, clock), server)

        store = ImageStore(blobs, publish, intake_of(settings, clock), settings.store_deadline_s)
        loop = Loop(SERVICE, on_image, producer, clock)
        name = DESCRIPTOR.services_by_name["ImageRouterService"].full_name
        await run_until_stopped(
            serve_http(shared.bind_host, settings.http_port, health),
            serve_grpc(shared.bind_host, settings.grpc_port, health, register, [name]),
            serve_dicom(settings, health, clock, store),
            consume(shared, loop, [Topic.IMAGES_RECEIVED], health, max_batch=settings.batch_images),
        )
