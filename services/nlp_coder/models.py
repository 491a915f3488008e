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
from services.nlp_coder.features import ModelInput, Occurrences, Vocabulary, padded
from services.nlp_coder.outage import Outage
from services.nlp_coder.ranking import NO_CANDIDATES

ICD_CODER = "icd_coder"
OUTPUTS = ("probability", "support", "top_codes", "positions", "contributions")
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


@dataclass(slots=True)
class Scored:
    """What the model makes of a code; not to be changed, though not frozen, since a note has a hundred and more.

    probability: with what the dictionary found. support: by the text alone; 0 for a code that training has not seen.
    positions: occurrences it rests on, heaviest first.
    """

    code: str
    probability: float
    support: float
    positions: Sequence[int]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The candidates of a note, and what else the model proposes, by code."""

    scored: Mapping[str, Scored]
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

    async def predict(self, candidates: Sequence[str], windows: Sequence[ModelInput]) -> Prediction:
        """Run the model on the windows of a note, and merge them: of each code, the largest probability.

        Positions in the answer count through the windows, one after the other. Raises ModelUnavailable when Triton
        has been away for as long as notes wait.
        """
        if self.outage.is_known():
            self._try_beside()
            raise ModelUnavailable(self._away_because)
        try:
            return merged(candidates, windows, await self._rows(windows), self.vocabulary)
        except ModelUnavailable:
            if self.outage.has_been_waited_for():
                raise
        return await self._in_the_end(candidates, windows)

    async def _in_the_end(self, candidates: Sequence[str], windows: Sequence[ModelInput]) -> Prediction:
        """Try again until the outage is over or has been waited for."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(ModelUnavailable),
            wait=wait_exponential_jitter(multiplier=0.05, max=0.5),
            stop=lambda _state: self.outage.has_been_waited_for(),
            reraise=True,
        ):
            with attempt:
                return merged(candidates, windows, await self._rows(windows), self.vocabulary)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _rows(self, windows: Sequence[ModelInput]) -> list[Row]:
        if len(windows) == 1:
            return [await self.batches.ask(windows[0])]
        rows: list[Row] = []
        for start in range(0, len(windows), _WINDOWS_AT_A_TIME):
            asked = [self.batches.ask(window) for window in windows[start : start + _WINDOWS_AT_A_TIME]]
            rows += await asyncio.gather(*asked)
        return rows

    async def _answered(self, batch: Sequence[ModelInput]) -> list[Row]:
        """One inference. Raises ModelUnavailable."""
        inputs = padded(batch)
        try:
            version = await self._version()
            answer = await self.triton.infer(ICD_CODER, inputs, OUTPUTS)
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
        if not ((probability >= 0) & (probability <= 1)).all():
            raise ValueError(f"{ICD_CODER} answered with something else than probabilities")

    def _try_beside(self) -> None:
        """Find out beside the notes whether the model is back, so that no note pays for it with its deadline."""
        if self.outage.is_trial_due() and (self._trial is None or self._trial.done()):
            self._trial = asyncio.create_task(self._try())

    async def _try(self) -> None:
        try:
            await self.probe()
        except (ModelUnavailable, ValueError):
            return  # still away; the notes say so


_TWO_TERMS = ModelInput(
    Occurrences(np.array([1, 2], dtype=np.int64), np.array([0.5, 0.5], dtype=np.float32), [(0, 1), (1, 2)]),
    np.zeros(0, dtype=np.int64),
    np.zeros(0, dtype=np.int64),
    NO_CANDIDATES.evidence,
)


def joined(windows: Sequence[Occurrences]) -> Occurrences:
    """All windows of a note in one, as `Prediction.positions` count."""
    if len(windows) == 1:
        return windows[0]
    return Occurrences(
        np.concatenate([np.array([], dtype=np.int64), *(window.token_ids for window in windows)]),
        np.concatenate([np.array([], dtype=np.float32), *(window.weights for window in windows)]),
        [words for window in windows for words in window.words],
    )


def merged(
    candidates: Sequence[str], windows: Sequence[ModelInput], rows: Sequence[Row], vocabulary: Vocabulary
) -> Prediction:
    """One prediction from those of the windows: the largest probability, and the words of the window that gave it."""
    begins = accumulate((len(window.occurrences.words) for window in windows), initial=0)
    if len(windows) == 1:
        found = _scored(candidates, windows[0], rows[0].outputs, 0, vocabulary)
        return Prediction({scored.code: scored for scored in found}, rows[0].version)
    best: dict[str, Scored] = {}
    for begin, window, row in zip(begins, windows, rows, strict=False):
        for scored in _scored(candidates, window, row.outputs, begin, vocabulary):
            known = best.get(scored.code)
            if known is None or scored.probability > known.probability:
                best[scored.code] = scored
    return Prediction(best, rows[0].version)


def _scored(
    candidates: Sequence[str],
    window: ModelInput,
    outputs: Mapping[str, NDArray[Any]],
    begin: int,
    vocabulary: Vocabulary,
) -> list[Scored]:
    """Codes of a window whose occurrences begin at `begin`: first the candidates, their padding, then the likeliest."""
    proposed = outputs["top_codes"].tolist()
    asked = candidates if window.chosen is None else [candidates[index] for index in window.chosen.tolist()]
    padding = len(outputs["probability"]) - len(asked) - len(proposed)
    names = [*asked, *[""] * padding, *(vocabulary.codes[column] for column in proposed)]
    # Heaviest first, and padding weighs nothing: what is useful stands before what is not.
    useful = (outputs["contributions"] >= _LEAST_CONTRIBUTION).sum(axis=1).tolist()
    positions = (outputs["positions"] + begin).tolist()
    table = zip(names, outputs["probability"].tolist(), outputs["support"].tolist(), positions, useful, strict=True)
    return [Scored(name, probability, support, on[:number]) for name, probability, support, on, number in table if name]
