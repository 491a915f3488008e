"""Model inputs of several notes, put together into batches for Triton."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray
from vigil.v1.meta_pb2 import ModelVersion

from services.nlp_coder import metrics
from services.nlp_coder.features import ModelInput, batch_length

# Half of what the model takes, so that it works on these while the next are read; and how many occurrences make the
# largest tensors of its graph 100 MB.
MOST_NOTES = 4
MOST_OCCURRENCES = 8192


@dataclass(frozen=True, slots=True)
class Row:
    """What the model said of one window: outputs by name, without their batch dimension; and what answered."""

    outputs: Mapping[str, NDArray[Any]]
    version: ModelVersion


Send = Callable[[Sequence[ModelInput]], Awaitable[Sequence[Row]]]


@dataclass(slots=True)
class Batches:
    """Gathers what is asked for while other notes are still being read, one batch a length.

    A note alone never waits. Rows are only put with rows of about their own length, so that none is mostly padding.
    `send` runs one batch, and raises for all of it.
    """

    send: Send
    _reading: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: dict[int, list[tuple[ModelInput, asyncio.Future[Row]]]] = field(default_factory=dict)
    _sending: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Read a note in here, one at a time, and `ask` right after: batches wait for those whose turn is to come."""
        self._reading += 1
        try:
            async with self._turn:
                yield
        finally:
            self._reading -= 1
            # Later in this turn of the loop: whoever has just read a note is about to ask for it.
            asyncio.get_running_loop().call_soon(self._send_unless_awaited)

    def ask(self, window: ModelInput) -> asyncio.Future[Row]:
        """The answer to one row, in time."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Row] = loop.create_future()
        length = batch_length(len(window.occurrences.token_ids))
        waiting = self._waiting.setdefault(length, [])
        waiting.append((window, answer))
        if len(waiting) >= min(MOST_NOTES, max(1, MOST_OCCURRENCES // length)):
            self._send_off(length)
        loop.call_soon(self._send_unless_awaited)
        return answer

    def _send_unless_awaited(self) -> None:
        if not self._reading:
            for length in list(self._waiting):
                self._send_off(length)

    def _send_off(self, length: int) -> None:
        batch = [(window, answer) for window, answer in self._waiting.pop(length) if not answer.done()]
        if batch:
            task = asyncio.create_task(self._run(batch))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _run(self, batch: Sequence[tuple[ModelInput, asyncio.Future[Row]]]) -> None:
        metrics.MODEL_BATCH_ROWS.observe(len(batch))
        try:
            rows = await self.send([window for window, _answer in batch])
        except Exception as error:  # noqa: BLE001 - whoever asked has to know, whatever it is
            for _window, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_window, answer), row in zip(batch, rows, strict=True):
            if not answer.done():
                answer.set_result(row)
