"""gRPC of a service, with health and reflection."""

import asyncio
from collections.abc import Callable, Sequence

import grpc
import structlog
from grpc_health.v1 import health as grpc_health
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from services.common.health import Health
from services.common.startup import taking_port

log = structlog.get_logger()

MAX_MESSAGE_BYTES = 256 * 1024 * 1024  # a DICOM file in one message
HEALTH_EVERY_S = 2.0
SHUTDOWN_GRACE_S = 2.0
CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # a second process on the port must fail, not share it
)

BIND_WITHIN_S = 60.0
BIND_AGAIN_S = 0.5

Register = Callable[[grpc.aio.Server], None]


async def serve_grpc(
    host: str,
    port: int,
    health: Health,
    register: Register,
    service_names: Sequence[str],
    *,
    max_receive_bytes: int = MAX_MESSAGE_BYTES,
) -> None:
    """Serve until cancelled.

    register: adds the servicers, e.g. `lambda server: add_FusionServiceServicer_to_server(servicer, server)`.
    service_names: full names, e.g. `DESCRIPTOR.services_by_name["FusionService"].full_name`.
    max_receive_bytes: of one message; a larger one ends its call with RESOURCE_EXHAUSTED.
    Raises CannotStart when the port stays taken for `BIND_WITHIN_S` seconds.
    """
    server = grpc.aio.server(options=[*CHANNEL_OPTIONS, ("grpc.max_receive_message_length", max_receive_bytes)])
    states = grpc_health.aio.HealthServicer()  # type: ignore[attr-defined]
    register(server)
    health_pb2_grpc.add_HealthServicer_to_server(states, server)
    reflection.enable_server_reflection(
        [*service_names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME],
        server,
    )
    with taking_port("grpc_port", host, port):
        await _bind(server, f"{host}:{port}")
    await server.start()
    try:
        while True:
            serving = not await health.unready()
            status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
            for name in ("", *service_names):
                await states.set(name, status)
            await asyncio.sleep(HEALTH_EVERY_S)
    finally:
        await server.stop(SHUTDOWN_GRACE_S)


async def _bind(server: grpc.aio.Server, address: str) -> None:
    """Take the port, and wait for it: 50051 and up are among those that systems lend to outgoing connections."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(RuntimeError),
        wait=wait_fixed(BIND_AGAIN_S),
        stop=stop_after_delay(BIND_WITHIN_S),
        before_sleep=lambda _: log.warning("waiting for the gRPC port, which another connection holds"),
        reraise=True,
    ):
        with attempt:
            server.add_insecure_port(address)
