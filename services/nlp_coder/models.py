"""The model `icd_coder` on Triton: windows of a note in, one prediction out, and how long a note waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential_jitter
from vigil.v1.meta_pb2 import ModelVersion

from services.common.triton import ModelUnavailable
from services.nlp_coder.batching import Batches, Row
from services.nlp_coder.features import Occurrences, Vocabulary, padded
from services.nlp_coder.outage import Outage
from services.nlp_coder.ranking import ModelView

ICD_CODER = "icd_coder"
OUTPUTS = ("probability", "category_probability", "top_codes", "positions", "contributions")
# Words that carry less than this are noise beside the prior.
_LEAST_CONTRIBUTION = 0.005
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
class Prediction:
    """Probabilities of one note, and for the likeliest codes the occurrences they rest on, heaviest first."""

    view: ModelView
    positions: Mapping[str, Sequence[int]]
    version: ModelVersion


@dataclass(slots=True)
class IcdCoder:
    """Calls the model. During an outage notes wait until it has lasted as long as `outage` says, and no longer."""

    triton: Inference
    vocabulary: Vocabulary
    outage: Outage
    batches: Batches = field(init=False)
    _away_because: str = field(default="")
    _trial: asyncio.Task[None] | None = field(default=None)

    def __post_init__(self) -> None:
        self.batches = Batches(self._answered)

    async def predict(self, windows: Sequence[Occurrences]) -> Prediction:
        """Run the model on the windows of a note, and merge them: of each code, the largest probability.

        Positions in the answer count through the windows, one after the other. Raises ModelUnavailable when Triton
        has been away for as long as notes wait.
        """
        if self.outage.is_known():
            self._try_beside()
            raise ModelUnavailable(self._away_because)
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(ModelUnavailable),
            wait=wait_exponential_jitter(multiplier=0.05, max=0.5),
            stop=lambda _state: self.outage.has_been_waited_for(),
            reraise=True,
        ):
            with attempt:
                return merged(windows, await self._rows(windows), self.vocabulary)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _rows(self, windows: Sequence[Occurrences]) -> list[Row]:
        rows: list[Row] = []
        for start in range(0, len(windows), _WINDOWS_AT_A_TIME):
            asked = [self.batches.ask(window) for window in windows[start : start + _WINDOWS_AT_A_TIME]]
            rows += await asyncio.gather(*asked)
        return rows

    async def _answered(self, batch: Sequence[Occurrences]) -> list[Row]:
        """One inference. Raises ModelUnavailable."""
        token_ids, weights = padded(batch)
        try:
            version = await self._version()
            answer = await self.triton.infer(ICD_CODER, {"token_ids": token_ids, "weights": weights}, OUTPUTS)
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
        version = await self.triton.model_version(ICD_CODER)
        if version.sha256 != self.vocabulary.model_sha256:
            raise ModelUnavailable(f"{ICD_CODER}: Triton serves another model than the vocabulary beside it names")
        return version

    async def probe(self) -> None:
        """A real inference of two known terms, for readiness. Ends a known outage when it works.

        Raises ModelUnavailable, or ValueError for an answer that is none.
        """
        [row] = await self._answered([_TWO_TERMS])
        probability = row.outputs["probability"]
        if len(probability) != len(self.vocabulary.codes) or not np.isfinite(probability).all():
            raise ValueError(f"{ICD_CODER} answered with something else than a probability a code")

    def _try_beside(self) -> None:
        """Find out beside the notes whether the model is back, so that no note pays for it with its deadline."""
        if self.outage.is_trial_due() and (self._trial is None or self._trial.done()):
            self._trial = asyncio.create_task(self._try())

    async def _try(self) -> None:
        try:
            await self.probe()
        except (ModelUnavailable, ValueError):
            return  # still away; the notes say so


_TWO_TERMS = Occurrences(np.array([1, 2], dtype=np.int64), np.array([0.5, 0.5], dtype=np.float32), [(0, 1), (1, 2)])


def joined(windows: Sequence[Occurrences]) -> Occurrences:
    """All windows of a note in one, as `Prediction.positions` count."""
    if len(windows) == 1:
        return windows[0]
    return Occurrences(
        np.concatenate([np.array([], dtype=np.int64), *(window.token_ids for window in windows)]),
        np.concatenate([np.array([], dtype=np.float32), *(window.weights for window in windows)]),
        [words for window in windows for words in window.words],
    )


def merged(windows: Sequence[Occurrences], rows: Sequence[Row], vocabulary: Vocabulary) -> Prediction:
    """One prediction from those of the windows: the largest probability, and the words of the window that gave it."""
    probabilities = np.stack([row.outputs["probability"] for row in rows])
    categories = np.max([row.outputs["category_probability"] for row in rows], axis=0)
    begins = [0, *accumulate(len(window.words) for window in windows)]
    positions: dict[str, list[int]] = {}
    best = probabilities.argmax(axis=0).tolist()
    for number, row in enumerate(rows):
        for code, found in _positions(row.outputs, len(windows[number].words)):
            name = vocabulary.codes[code]
            if (found and best[code] == number) or not positions.get(name):
                positions[name] = [begins[number] + position for position in found]
    return Prediction(
        ModelView(
            dict(zip(vocabulary.codes, probabilities.max(axis=0).tolist(), strict=True)),
            dict(zip(vocabulary.categories, categories.tolist(), strict=True)),
        ),
        positions,
        rows[0].version,
    )


def _positions(outputs: Mapping[str, NDArray[Any]], count: int) -> list[tuple[int, list[int]]]:
    """(code's column, occurrences it rests on, heaviest first) of the likeliest codes."""
    positions, contributions = outputs["positions"], outputs["contributions"]
    useful = ((contributions >= _LEAST_CONTRIBUTION) & (positions < count)).tolist()
    return [
        (column, [position for position, is_useful in zip(found, kept, strict=True) if is_useful])
        for column, found, kept in zip(outputs["top_codes"].tolist(), positions.tolist(), useful, strict=True)
    ]
