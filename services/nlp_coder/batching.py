"""Model inputs of several notes, put together into batches for Triton."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray
from vigil.v1.meta_pb2 import ModelVersion

from services.nlp_coder import metrics

Item = TypeVar("Item")
Read = TypeVar("Read")
# Half of what the models take (`max_batch_size`), so that they work on these while the next are read.
MOST_NOTES = 4


@dataclass(frozen=True, slots=True)
class Row:
    """What the model said of one window: outputs by name, without their batch dimension; and what answered."""

    outputs: Mapping[str, NDArray[Any]]
    version: ModelVersion


@dataclass(slots=True)
class Turns:
    """Notes that are read, one at a time, and what is to be sent off when no more are."""

    reading: int = 0
    _waiting: list[Callable[[], None]] = field(default_factory=list)

    def when_none_reads(self, send: Callable[[], None]) -> None:
        """Call `send` each time that a note has been read; it looks at `reading` whether others are."""
        self._waiting.append(send)

    async def take(self, read: Callable[[], Read]) -> Read:
        """Read a note, and ask right after: batches wait for those whose turn is to come."""
        self.reading += 1
        try:
            # Answers that have come are written first: reading one note after the other stays in the caches.
            await asyncio.sleep(0)
            return read()
        finally:
            self.reading -= 1
            # In the loop's turn after the next: whoever has just read a note asks for it in the next, of each model.
            loop = asyncio.get_running_loop()
            for send in self._waiting:
                loop.call_soon(loop.call_soon, send)


@dataclass(slots=True)
class Batches(Generic[Item]):
    """Gathers what is asked for while other notes are still being read, one batch a length.

    A note alone never waits. Rows are only put with rows of about their own length, so that none is mostly padding.
    `send` runs one batch, and raises for all of it. `length`: of a row, as it is padded. `rows`: of a length that one
    inference takes.
    """

    send: Callable[[Sequence[Item]], Awaitable[Sequence[Row]]]
    length: Callable[[Item], int]
    rows: Callable[[int], int]
    turns: Turns = field(default_factory=Turns)
    _waiting: dict[int, list[tuple[Item, asyncio.Future[Row]]]] = field(default_factory=dict)
    _sending: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.turns.when_none_reads(self._send_unless_awaited)

    def ask(self, item: Item) -> asyncio.Future[Row]:
        """The answer to one row, in time."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Row] = loop.create_future()
        length = self.length(item)
        waiting = self._waiting.setdefault(length, [])
        waiting.append((item, answer))
        if len(waiting) >= min(MOST_NOTES, max(1, self.rows(length))):
            self._send_off(length)
        loop.call_soon(self._send_unless_awaited)
        return answer

    def _send_unless_awaited(self) -> None:
        if not self.turns.reading:
            for length in list(self._waiting):
                self._send_off(length)

    def _send_off(self, length: int) -> None:
        batch = [(item, answer) for item, answer in self._waiting.pop(length) if not answer.done()]
        if batch:
            task = asyncio.create_task(self._run(batch))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _run(self, batch: Sequence[tuple[Item, asyncio.Future[Row]]]) -> None:
        metrics.MODEL_BATCH_ROWS.observe(len(batch))
        try:
            rows = await self.send([item for item, _answer in batch])
        except Exception as error:  # noqa: BLE001 - whoever asked has to know, whatever it is
            for _item, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_item, answer), row in zip(batch, rows, strict=True):
            if not answer.done():
                answer.set_result(row)
