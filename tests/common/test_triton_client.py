from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc.service_pb2 import ModelInferRequest, ModelInferResponse
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceServicer, add_GRPCInferenceServiceServicer_to_server

from services.common import triton
from services.common.settings import SharedSettings
from services.common.triton import CircuitBreaker, ModelUnavailable, TritonClient

ANSWER = np.array([[0.5]], np.float32)
FILM = np.zeros((1, 1, 320, 320), np.float32)  # more than gRPC keeps for another try unless told


class FailingTriton(GRPCInferenceServiceServicer):  # type: ignore[misc]  # generated without types
    """Answers with a status first, each of them once."""

    def __init__(self, *statuses: grpc.StatusCode) -> None:
        self.statuses = list(statuses)
        self.calls = 0

    async def ModelInfer(  # noqa: N802 - gRPC
        self, request: ModelInferRequest, context: grpc.aio.ServicerContext[ModelInferRequest, ModelInferResponse]
    ) -> ModelInferResponse:
        self.calls += 1
        if self.statuses:
            await context.abort(self.statuses.pop(0), "not now")
        answer = ModelInferResponse(model_name=request.model_name, raw_output_contents=[ANSWER.tobytes()])
        answer.outputs.add(name="probability", datatype="FP32", shape=ANSWER.shape)
        return answer


@asynccontextmanager
async def served(service: FailingTriton) -> AsyncIterator[int]:
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
    add_GRPCInferenceServiceServicer_to_server(service, server)
    bound = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(None)


async def asked(port: int) -> Any:
    async with TritonClient(SharedSettings(_env_file=None, triton_grpc_port=port, triton_deadline_s=10)) as client:
        return (await client.infer("m", {"image": FILM}, ["probability"]))["probability"]


async def test_unavailable_is_tried_again() -> None:
    service = FailingTriton(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE)
    async with served(service) as port:
        np.testing.assert_array_equal(await asked(port), ANSWER)
    assert service.calls == 3


async def test_unavailable_is_not_tried_for_ever() -> None:
    service = FailingTriton(*[grpc.StatusCode.UNAVAILABLE] * 5)
    async with served(service) as port:
        with pytest.raises(ModelUnavailable, match="UNAVAILABLE"):
            await asked(port)
    assert service.calls == triton.RETRIES["maxAttempts"]


async def test_nothing_else_is_tried_again() -> None:
    service = FailingTriton(grpc.StatusCode.INVALID_ARGUMENT)
    async with served(service) as port:
        with pytest.raises(ModelUnavailable, match="INVALID_ARGUMENT"):
            await asked(port)
    assert service.calls == 1


def test_repeated_failures_open_the_circuit_and_time_lets_one_call_try() -> None:
    now = [1000.0]
    breaker = CircuitBreaker(lambda: now[0])
    for _ in range(triton.FAILURES_TO_OPEN):
        breaker.check("m")
        breaker.failed()
    with pytest.raises(ModelUnavailable, match="in a row"):
        breaker.check("m")
    now[0] += triton.OPEN_S + 0.1
    breaker.check("m")


def test_a_success_closes_the_circuit() -> None:
    breaker = CircuitBreaker()
    for _ in range(triton.FAILURES_TO_OPEN - 1):
        breaker.failed()
    breaker.succeeded()
    breaker.failed()
    breaker.check("m")
