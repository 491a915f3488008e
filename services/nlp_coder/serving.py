"""A model on Triton: rows of several notes together, and how long a note waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter
from vigil.v1.meta_pb2 import ModelVersion

from services.common.triton import ModelUnavailable
from services.nlp_coder.batching import Batches, Row, Turns
from services.nlp_coder.outage import Outage

Item = TypeVar("Item")
# Windows of one note that are under way at a time: a book must not fill the queue that other notes stand in.
_WINDOWS_AT_A_TIME = 8


class Inference(Protocol):
    """What of `services.common.triton.TritonClient` is used here."""

    async def infer(
        self, model: str, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        """One inference; raises ModelUnavailable."""

    async def model_version(self, model: str) -> ModelVersion:
        """What serves the model; raises ModelUnavailable."""


@dataclass(frozen=True, slots=True)
class Model(Generic[Item]):
    """What is asked of a model and how.

    sha256: of the model whose input `padded` makes. length: of a row, which is put with rows of the same length.
    rows: of a length that one inference takes. trial: a row to find out with whether it answers.
    """

    name: str
    sha256: str
    outputs: Sequence[str]
    padded: Callable[[Sequence[Item]], dict[str, NDArray[Any]]]
    length: Callable[[Item], int]
    rows: Callable[[int], int]
    trial: Item


@dataclass(slots=True)
class ServedModel(Generic[Item]):
    """Calls a model. During an outage notes wait until it has lasted as long as `outage` says, and no longer."""

    triton: Inference
    model: Model[Item]
    outage: Outage
    turns: Turns = field(default_factory=Turns)
    batches: Batches[Item] = field(init=False)
    _away_because: str = field(default="")
    _trial: asyncio.Task[None] | None = field(default=None)

    def __post_init__(self) -> None:
        self.batches = Batches(self._answered, self.model.length, self.model.rows, self.turns)

    async def rows(self, items: Sequence[Item]) -> list[Row]:
        """The answer to each row. Raises ModelUnavailable when Triton has been away for as long as notes wait."""
        if self.outage.is_known():
            self._try_beside()
            raise ModelUnavailable(self._away_because)
        try:
            return await self._rows(items)
        except ModelUnavailable:
            if self.outage.has_been_waited_for():
                raise
        return await self._in_the_end(items)

    async def _in_the_end(self, items: Sequence[Item]) -> list[Row]:
        """Try again until the outage is over or has been waited for.

        Of a note that only ever fails itself, while others are answered, the time counts alone.
        """
        has_waited = stop_after_delay(self.outage.wait_s)
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(ModelUnavailable),
            wait=wait_exponential_jitter(multiplier=0.05, max=0.5),
            stop=lambda state: self.outage.has_been_waited_for() or has_waited(state),
            reraise=True,
        ):
            with attempt:
                return await self._rows(items)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _rows(self, items: Sequence[Item]) -> list[Row]:
        if len(items) == 1:
            return [await self.batches.ask(items[0])]
        rows: list[Row] = []
        for start in range(0, len(items), _WINDOWS_AT_A_TIME):
            asked = [self.batches.ask(item) for item in items[start : start + _WINDOWS_AT_A_TIME]]
            rows += await asyncio.gather(*asked)
        return rows

    async def _answered(self, batch: Sequence[Item]) -> list[Row]:
        """One inference. Raises ModelUnavailable."""
        inputs = self.model.padded(batch)
        try:
            version = await self._version()
            answer = await self.triton.infer(self.model.name, inputs, self.model.outputs)
        except ModelUnavailable as error:
            self._away_because = error.reason
            self.outage.failed()
            raise
        self.outage.ended()
        return [Row({name: values[row] for name, values in answer.items()}, version) for row in range(len(batch))]

    async def _version(self) -> ModelVersion:
        """What Triton serves. Ids of one training mean other words to another, so it must be the one we read.

        Raises ModelUnavailable.
        """
        version = await self.triton.model_version(self.model.name)
        if version.sha256 != self.model.sha256:
            raise ModelUnavailable(
                f"{self.model.name}: Triton serves another model than the vocabulary beside it names"
            )
        return version

    async def probe(self) -> Row:
        """A real inference of the trial row, for readiness. Ends a known outage when it works.

        Raises ModelUnavailable.
        """
        [row] = await self._answered([self.model.trial])
        return row

    def _try_beside(self) -> None:
        """Find out beside the notes whether the model is back, so that no note pays for it with its deadline."""
        if self.outage.is_trial_due() and (self._trial is None or self._trial.done()):
            self._trial = asyncio.create_task(self._try())

    async def _try(self) -> None:
        try:
            await self.probe()
        except (ModelUnavailable, ValueError):
            return  # still away; the notes say so


def probabilities(row: Row, output: str, model: str) -> NDArray[Any]:
    """An output that holds probabilities. Raises ValueError for an answer that is none."""
    values = row.outputs[output]
    if not ((values >= 0) & (values <= 1)).all() or not np.isfinite(values).all():
        raise ValueError(f"{model} answered with something else than probabilities")
    return values
