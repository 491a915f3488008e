"""HTTP of a service: its own routes beside /healthz, /readyz and /metrics."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.common.health import Health
from services.common.startup import taking_port

SHUTDOWN_GRACE_S = 2


@contextlib.contextmanager
def _leave_signals_alone() -> Iterator[None]:
    """Signals belong to `runtime`, which stops every part of the service in order."""
    yield


def create_http_app(health: Health, routes: Sequence[BaseRoute] = ()) -> Starlette:
    """The ASGI application. `/healthz` 503: restart me; `/readyz` 503: send me nothing yet; both say why."""

    async def healthz(_: Request) -> Response:
        reasons = health.stalled()
        return JSONResponse({"alive": not reasons, "reasons": reasons}, status_code=503 if reasons else 200)

    async def readyz(_: Request) -> Response:
        reasons = await health.unready()
        return JSONResponse({"ready": not reasons, "reasons": reasons}, status_code=503 if reasons else 200)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            *routes,
        ]
    )


async def serve_http(host: str, port: int, health: Health, routes: Sequence[BaseRoute] = ()) -> None:
    """Serve until cancelled. Raises CannotStart when the port is taken.

    There is no access log: addresses can carry keys, and metrics count requests.
    """
    config = uvicorn.Config(
        create_http_app(health, routes),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
    )
    server = uvicorn.Server(config)
    server.capture_signals = _leave_signals_alone  # type: ignore[method-assign]
    with taking_port("http_port", host, port):  # uvicorn itself would exit
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    serving = asyncio.ensure_future(server.serve([listening]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
    raise RuntimeError("the HTTP server stopped listening")
