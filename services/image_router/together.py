"""Pictures that wait for the same model share one call of Triton: a call costs as much for four as for one."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vigil.v1.meta_pb2 import ModelVersion

from services.common.triton import Tensors
from services.image_router.models import Triton

# Images a call; from eight on the copies of their outlines cost what the calls save (docs/benchmarks.md).
MOST = 4
UNDER_WAY = 3  # calls of one model: one that is computed on each of two cores, and one that is there when either ends

Answers = dict[str, NDArray[Any]]


@dataclass(slots=True)
class _Queue:
    """Of one model: who waits, each with what he asks for, and how many calls are under way."""

    waiting: list[tuple[Tensors, asyncio.Future[Answers]]] = field(default_factory=list)
    under_way: int = 0

    def next(self) -> list[tuple[Tensors, asyncio.Future[Answers]]]:
        """The first who wait, of `MOST` images at most unless one alone has more; who gave up is left out."""
        taken: list[tuple[Tensors, asyncio.Future[Answers]]] = []
        images = 0
        while self.waiting:
            inputs, answered = self.waiting[0]
            images += _size(inputs)
            if taken and images > MOST:
                break
            del self.waiting[0]
            if not answered.done():
                taken.append((inputs, answered))
        return taken


class Together:
    """Triton for many readings at once. Nobody waits for company: a call takes who waits when it begins."""

    def __init__(self, triton: Triton) -> None:
        self._triton = triton
        self._queues: dict[tuple[str, ...], _Queue] = {}
        self._calls: set[asyncio.Task[None]] = set()

    async def infer(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> Answers:
        """As Triton's. Raises ModelUnavailable."""
        queue = self._queues.setdefault((model, *outputs), _Queue())
        answered: asyncio.Future[Answers] = asyncio.get_running_loop().create_future()
        queue.waiting.append((inputs, answered))
        if queue.under_way < UNDER_WAY:
            queue.under_way += 1
            call = asyncio.create_task(self._ask(queue, model, outputs))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        return await answered

    async def model_version(self, model: str) -> ModelVersion:
        """Raises ModelUnavailable."""
        return await self._triton.model_version(model)

    async def model_parameters(self, model: str) -> Mapping[str, str]:
        """Raises ModelUnavailable."""
        return await self._triton.model_parameters(model)

    async def _ask(self, queue: _Queue, model: str, outputs: Sequence[str]) -> None:
        """Call after call until nobody waits."""
        try:
            while taken := queue.next():
                await self._answer(taken, model, outputs)
        finally:
            queue.under_way -= 1

    async def _answer(
        self, taken: list[tuple[Tensors, asyncio.Future[Answers]]], model: str, outputs: Sequence[str]
    ) -> None:
        asked = [inputs for inputs, _ in taken]
        first, *more = asked
        joined = {name: np.concatenate([one[name] for one in asked]) for name in first} if more else first
        try:
            found = await self._triton.infer(model, joined, outputs)
        except Exception as error:  # noqa: BLE001 - whoever waits has to know, whatever it is
            for _, answered in taken:
                if not answered.done():
                    answered.set_exception(error)
            return
        ends = np.cumsum([_size(inputs) for inputs in asked])
        for (inputs, answered), end in zip(taken, ends.tolist(), strict=True):
            if not answered.done():
                answered.set_result({name: rows[end - _size(inputs) : end] for name, rows in found.items()})


def _size(inputs: Tensors) -> int:
    return len(next(iter(inputs.values())))
