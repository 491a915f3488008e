"""Calls of models on NVIDIA Triton: deadline, bounded concurrency, retry of UNAVAILABLE only, circuit breaker."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import aio as triton
from tritonclient.utils import InferenceServerException, np_to_triton_dtype
from vigil.v1.meta_pb2 import ModelVersion

from services.common.metrics import INFERENCE_SECONDS, INFERENCES
from services.common.outcomes import Transient
from services.common.settings import SharedSettings
from services.common.triton_memory import Regions, shared_bytes

Tensors = Mapping[str, NDArray[Any]]

# gRPC's own retries: they cost nothing where all is well.
RETRIES = {
    "maxAttempts": 3,
    "initialBackoff": "0.05s",
    "maxBackoff": "0.5s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
RETRIED_BYTES = 64 * 1024 * 1024  # of one call, kept until it is answered; larger ones are sent once
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
# What Triton says of memory that it does not know, because it began anew; then inputs go by gRPC.
LOST = frozenset({"StatusCode.INVALID_ARGUMENT", "StatusCode.NOT_FOUND"})
FAILURES_TO_OPEN = 5
OPEN_S = 1.0
# How long an inference shows that a model answers: another one only to see that would cost more than asking Triton.
ANSWERED_S = 10.0


class ModelUnavailable(Transient):
    """Triton did not answer in time, is away, or is being left alone after repeated failures."""


@dataclass(slots=True)
class CircuitBreaker:
    """Open after `FAILURES_TO_OPEN` failures in a row: for `OPEN_S` seconds nobody calls, then one may try."""

    now: Callable[[], float] = time.monotonic
    failures: int = 0
    opened_at: float = 0.0

    def check(self, model: str) -> None:
        """Raises ModelUnavailable while open."""
        if self.failures >= FAILURES_TO_OPEN and self.now() - self.opened_at < OPEN_S:
            raise ModelUnavailable(f"{model}: Triton failed {self.failures} times in a row")

    def succeeded(self) -> None:
        self.failures = 0

    def failed(self) -> None:
        self.failures += 1
        self.opened_at = self.now()


class TritonClient:
    """One connection to Triton, shared by all calls of a service. Use as an async context manager."""

    def __init__(self, settings: SharedSettings) -> None:
        self._url = settings.triton_url
        self._is_near = self._url.rpartition(":")[0] in LOOPBACK
        self._deadline_s = settings.triton_deadline_s
        self._places = asyncio.Semaphore(settings.triton_concurrency)
        self._breaker = CircuitBreaker()
        self._versions: dict[str, ModelVersion] = {}
        self._parameters: dict[str, Mapping[str, str]] = {}
        self._answered: dict[str, float] = {}

    async def __aenter__(self) -> Self:
        # gRPC's own reconnect backoff grows to two minutes; a restarted Triton is back in three seconds.
        options = [
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1000),
            # As tritonclient has it without options of ours; gRPC's own limit is 4 MB.
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": RETRIES}]})),
            ("grpc.per_rpc_retry_buffer_size", RETRIED_BYTES),
        ]
        self._client = triton.InferenceServerClient(self._url, channel_args=options)
        self._regions = Regions(self._client)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._regions.close()
        await self._client.close()

    async def infer(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Run one (batched) inference; first dimension of every tensor is the batch.

        Raises ModelUnavailable when Triton does not answer within the deadline, is away or refuses; ValueError
        when it answers with an empty tensor for a batch that was not empty.
        """
        self._breaker.check(model)
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._deadline_s), self._places:
                result = await self._call(model, inputs, outputs)
        except (InferenceServerException, TimeoutError) as error:
            self._breaker.failed()
            # What comes back after a failure may be another Triton with another model.
            self._versions.clear()
            self._parameters.clear()
            self._answered.clear()
            INFERENCES.labels(model, "failed").inc()
            reason = error.status() if isinstance(error, InferenceServerException) else "deadline exceeded"
            raise ModelUnavailable(f"{model}: {reason}") from error
        self._breaker.succeeded()
        self._answered[model] = time.monotonic()
        INFERENCES.labels(model, "answered").inc()
        INFERENCE_SECONDS.labels(model).observe(time.perf_counter() - started)
        answers = {name: result.as_numpy(name) for name in outputs}
        if any(answer is None or answer.size == 0 for answer in answers.values()):
            raise ValueError(f"{model} answered with an empty tensor")
        return answers

    async def _call(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> Any:
        wanted = [triton.InferRequestedOutput(name) for name in outputs]
        size = shared_bytes(inputs) if self._is_near else 0
        region = await self._regions.taken(size) if size else None
        result = None
        if region:
            try:
                result = await self._infer(model, region.filled(inputs), wanted)
            except InferenceServerException as error:
                if error.status() not in LOST:
                    raise
            finally:
                self._regions.given_back(region, answered=result is not None)
        return result or await self._infer(model, [_as_input(name, value) for name, value in inputs.items()], wanted)

    async def _infer(self, model: str, tensors: list[Any], wanted: list[Any]) -> Any:
        return await self._client.infer(model, tensors, outputs=wanted, client_timeout=self._deadline_s)

    async def answering(self) -> frozenset[str]:
        """Models that answered an inference in the last `ANSWERED_S` seconds, and that Triton still calls ready."""
        lately = time.monotonic() - ANSWERED_S
        names = [name for name, at in self._answered.items() if at > lately]
        try:
            ready = [await self._client.is_model_ready(name, client_timeout=self._deadline_s) for name in names]
        except InferenceServerException:
            return frozenset()
        return frozenset(name for name, one in zip(names, ready, strict=True) if one)

    async def model_version(self, model: str) -> ModelVersion:
        """Name, version and SHA-256 (parameter `sha256` of the model's configuration) of what serves `model`.

        Raises ModelUnavailable.
        """
        if model not in self._versions:
            parameters = await self.model_parameters(model)
            try:
                metadata = await self._client.get_model_metadata(model, client_timeout=self._deadline_s)
            except InferenceServerException as error:
                raise ModelUnavailable(f"{model}: {error.status()}") from error
            self._versions[model] = ModelVersion(
                name=model, version=max(metadata.versions, key=int, default=""), sha256=parameters.get("sha256", "")
            )
        return self._versions[model]

    async def model_parameters(self, model: str) -> Mapping[str, str]:
        """The `parameters` of the model's configuration, e.g. its operating points. Raises ModelUnavailable."""
        if model not in self._parameters:
            try:
                answer = await self._client.get_model_config(model, client_timeout=self._deadline_s)
            except InferenceServerException as error:
                raise ModelUnavailable(f"{model}: {error.status()}") from error
            self._parameters[model] = {name: one.string_value for name, one in answer.config.parameters.items()}
        return self._parameters[model]


def _as_input(name: str, value: NDArray[Any]) -> Any:
    tensor = triton.InferInput(name, list(value.shape), np_to_triton_dtype(value.dtype))
    tensor.set_data_from_numpy(np.ascontiguousarray(value))
    return tensor
