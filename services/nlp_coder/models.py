"""The model `icd_coder` on Triton, and how long a note waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential_jitter
from vigil.v1.meta_pb2 import ModelVersion

from services.common.triton import ModelUnavailable
from services.nlp_coder.features import Occurrences, Vocabulary, padded
from services.nlp_coder.ranking import ModelView

ICD_CODER = "icd_coder"
OUTPUTS = ("probability", "category_probability", "top_codes", "positions", "contributions")
# Words that carry less than this are noise beside the prior.
_LEAST_CONTRIBUTION = 0.005


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
    """Calls the model. During an outage notes wait until it has lasted `wait_s` seconds, and then no longer."""

    triton: Inference
    vocabulary: Vocabulary
    wait_s: float
    now: Callable[[], float] = time.monotonic
    _away_since: float | None = field(default=None)

    async def predict(self, occurrences: Occurrences) -> Prediction:
        """Run the model. Raises ModelUnavailable when Triton has been away for `wait_s`."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(ModelUnavailable),
            wait=wait_exponential_jitter(multiplier=0.05, max=0.5),
            stop=lambda _state: self._has_waited(),
            reraise=True,
        ):
            with attempt:
                return await self._once(occurrences)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _once(self, occurrences: Occurrences) -> Prediction:
        token_ids, weights = padded(occurrences)
        try:
            version = await self._version()
            answer = await self.triton.infer(ICD_CODER, {"token_ids": token_ids, "weights": weights}, OUTPUTS)
        except ModelUnavailable:
            if self._away_since is None:
                self._away_since = self.now()
            raise
        self._away_since = None
        return _as_prediction(answer, self.vocabulary, len(occurrences.words), version)

    async def _version(self) -> ModelVersion:
        """What Triton serves. Ids of one training mean other words to another, so it must be the one we read.

        Raises ModelUnavailable.
        """
        version = await self.triton.model_version(ICD_CODER)
        if version.sha256 != self.vocabulary.model_sha256:
            raise ModelUnavailable(f"{ICD_CODER}: Triton serves another model than the vocabulary beside it names")
        return version

    async def probe(self) -> None:
        """A real inference of two known terms, for readiness.

        Raises ModelUnavailable, or ValueError for an answer that is none.
        """
        await self._version()
        occurrences = Occurrences(
            np.array([1, 2], dtype=np.int64), np.array([0.5, 0.5], dtype=np.float32), [(0, 1), (1, 2)], truncated=False
        )
        token_ids, weights = padded(occurrences)
        inputs: dict[str, NDArray[Any]] = {"token_ids": token_ids, "weights": weights}
        answer = (await self.triton.infer(ICD_CODER, inputs, OUTPUTS))["probability"]
        if answer.shape[1] != len(self.vocabulary.codes) or not np.isfinite(answer).all():
            raise ValueError(f"{ICD_CODER} answered with something else than a probability a code")

    def _has_waited(self) -> bool:
        return self._away_since is not None and self.now() - self._away_since >= self.wait_s


def _as_prediction(
    answer: Mapping[str, NDArray[Any]], vocabulary: Vocabulary, count: int, version: ModelVersion
) -> Prediction:
    positions, contributions = answer["positions"][0], answer["contributions"][0]
    useful = (contributions >= _LEAST_CONTRIBUTION) & (positions < count)
    return Prediction(
        ModelView(
            dict(zip(vocabulary.codes, answer["probability"][0].tolist(), strict=True)),
            dict(zip(vocabulary.categories, answer["category_probability"][0].tolist(), strict=True)),
        ),
        {
            vocabulary.codes[column]: positions[row][useful[row]].tolist()
            for row, column in enumerate(answer["top_codes"][0].tolist())
        },
        version,
    )
