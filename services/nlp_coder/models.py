"""The model `icd_coder` on Triton: windows of a note in, one prediction out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vigil.v1.meta_pb2 import ModelVersion

from services.nlp_coder.batching import Row
from services.nlp_coder.features import NO_OCCURRENCES, ModelInput, Occurrences, Vocabulary, batch_length, padded
from services.nlp_coder.outage import Outage
from services.nlp_coder.ranking import NO_CANDIDATES
from services.nlp_coder.serving import Inference, Model, ServedModel, probabilities

ICD_CODER = "icd_coder"
OUTPUTS = ("probability", "support", "top_codes", "positions", "contributions")
# How many occurrences make the largest tensors of the graph 100 MB.
MOST_OCCURRENCES = 8192
# Words that carry less than this are noise beside the prior.
LEAST_CONTRIBUTION = np.float32(0.005)
_LEAST = float(LEAST_CONTRIBUTION)


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
class Proposed:
    """What the model proposes beside the candidates, as it answered: [G] codes by their column, [G, P] their words."""

    columns: NDArray[np.int64]
    probability: NDArray[np.float32]
    support: NDArray[np.float32]
    positions: NDArray[np.int64]
    contributions: NDArray[np.float32]

    def scored(self, rows: NDArray[np.int64], codes: Sequence[str]) -> dict[str, Scored]:
        """Some of them by code. codes: by column."""
        columns, probability, support, positions, contributions = (
            values[rows].tolist()
            for values in (self.columns, self.probability, self.support, self.positions, self.contributions)
        )
        names = [codes[column] for column in columns]
        return dict(
            zip(names, map(Scored, names, probability, support, map(_useful, positions, contributions)), strict=True)
        )


@dataclass(frozen=True, slots=True)
class Prediction:
    """The candidates of a note by code, and what else the model proposes: with them, or apart as `proposed`."""

    scored: Mapping[str, Scored]
    version: ModelVersion
    proposed: Proposed | None = None

    def whole(self, codes: Sequence[str]) -> Prediction:
        """All by code. codes: by column."""
        if self.proposed is None:
            return self
        rows = np.arange(len(self.proposed.columns))
        return Prediction({**self.scored, **self.proposed.scored(rows, codes)}, self.version)


@dataclass(slots=True)
class IcdCoder:
    """Calls the model. During an outage notes wait until it has lasted as long as `outage` says, and no longer."""

    triton: Inference
    vocabulary: Vocabulary
    outage: Outage
    served: ServedModel[ModelInput] = field(init=False)

    def __post_init__(self) -> None:
        model = Model(ICD_CODER, self.vocabulary.model_sha256, OUTPUTS, padded, _length, _rows_of_length, _TWO_TERMS)
        self.served = ServedModel(self.triton, model, self.outage)

    async def predict(self, candidates: Sequence[str], windows: Sequence[ModelInput]) -> Prediction:
        """Run the model on the windows of a note, and merge them: of each code, the largest probability.

        Positions in the answer count through the windows, one after the other. Raises ModelUnavailable when Triton
        has been away for as long as notes wait.
        """
        return merged(candidates, windows, await self.served.rows(windows), self.vocabulary.codes)

    async def probe(self) -> None:
        """A real inference of two known terms, for readiness. Ends a known outage when it works.

        Raises ModelUnavailable, or ValueError for an answer that is none.
        """
        probabilities(await self.served.probe(), "probability", ICD_CODER)


def _length(window: ModelInput) -> int:
    return batch_length(len(window.occurrences.token_ids))


def _rows_of_length(length: int) -> int:
    return MOST_OCCURRENCES // length


_TWO_TERMS = ModelInput(
    Occurrences(np.array([1, 2], dtype=np.int64), np.array([0.5, 0.5], dtype=np.float32), np.array([(0, 1), (1, 2)])),
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
        np.concatenate([NO_OCCURRENCES.words, *(window.words for window in windows)]),
    )


def merged(
    candidates: Sequence[str], windows: Sequence[ModelInput], rows: Sequence[Row], codes: Sequence[str]
) -> Prediction:
    """One prediction from those of the windows: the largest probability, and the words of the window that gave it.

    codes: by the column of the model's weights.
    """
    if len(windows) == 1:
        outputs = rows[0].outputs
        return Prediction(_asked(candidates, windows[0], outputs, 0), rows[0].version, _proposed(outputs, 0))
    best: dict[str, Scored] = {}
    begins = accumulate((len(window.occurrences.words) for window in windows), initial=0)
    for begin, window, row in zip(begins, windows, rows, strict=False):
        proposed = _proposed(row.outputs, begin)
        asked = _asked(candidates, window, row.outputs, begin)
        for scored in {**asked, **proposed.scored(np.arange(len(proposed.columns)), codes)}.values():
            known = best.get(scored.code)
            if known is None or scored.probability > known.probability:
                best[scored.code] = scored
    return Prediction(best, rows[0].version)


def _asked(
    candidates: Sequence[str], window: ModelInput, outputs: Mapping[str, NDArray[Any]], begin: int
) -> dict[str, Scored]:
    """The candidates of a window whose occurrences begin at `begin`: the first rows of the outputs."""
    names = candidates if window.chosen is None else [candidates[index] for index in window.chosen.tolist()]
    count = len(names)
    probability, support = outputs["probability"][:count].tolist(), outputs["support"][:count].tolist()
    positions = (outputs["positions"][:count] + begin).tolist()
    on = map(_useful, positions, outputs["contributions"][:count].tolist())
    return dict(zip(names, map(Scored, names, probability, support, on), strict=True))


def _useful(positions: Sequence[int], contributions: Sequence[float]) -> Sequence[int]:
    """Those that are more than noise."""
    return [place for place, weight in zip(positions, contributions, strict=True) if weight >= _LEAST]


def _proposed(outputs: Mapping[str, NDArray[Any]], begin: int) -> Proposed:
    """What the model proposes in a window whose occurrences begin at `begin`: the last rows, after some padding."""
    first = len(outputs["probability"]) - len(outputs["top_codes"])
    # Copied, as an answer of Triton cannot be written to, which is another type for compiled loops.
    return Proposed(
        outputs["top_codes"].copy(),
        outputs["probability"][first:].copy(),
        outputs["support"][first:].copy(),
        outputs["positions"][first:] + begin,
        outputs["contributions"][first:].copy(),
    )
