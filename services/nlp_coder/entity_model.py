"""The model `note_entities` on Triton: words of a note in, spans with labels out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from vigil.v1.meta_pb2 import ModelVersion

from services.nlp_coder import entity_kernels
from services.nlp_coder.batching import Turns
from services.nlp_coder.document import Document
from services.nlp_coder.entity_features import (
    COLUMNS,
    PLACES,
    EntityInput,
    EntityVocabulary,
    joined,
    load_entity_vocabulary,
    padded,
    windows_of,
)
from services.nlp_coder.joining_kernels import (
    ANATOMY,
    DISEASE,
    MEDICATION,
    PROCEDURE,
    SEVERITY,
    SIGN_SYMPTOM,
    TEST,
    VALUE,
)
from services.nlp_coder.outage import Outage
from services.nlp_coder.serving import Inference, Model, ServedModel, probabilities
from services.nlp_coder.short_forms import with_short_forms

NOTE_ENTITIES = "note_entities"
OUTPUTS = ("scores", "kinds")
# Kinds of text that the model tells apart, each with its own rules of what is marked; "note" has no corpus of its own.
KINDS = ("maccrobat", "bc5cdr", "ncbi_disease", "chia", "note")
NOTE = "note"
# What the labels of each corpus are here; the model's other labels are not asked for. BC5CDR, NCBI Disease and Chia
# mark symptoms as diseases or conditions.
MEANINGS: Mapping[tuple[str, str], int] = {
    ("maccrobat", "Medication"): MEDICATION,
    ("maccrobat", "Sign_symptom"): SIGN_SYMPTOM,
    ("maccrobat", "Disease_disorder"): DISEASE,
    ("maccrobat", "Therapeutic_procedure"): PROCEDURE,
    ("maccrobat", "Diagnostic_procedure"): TEST,
    ("maccrobat", "Biological_structure"): ANATOMY,
    ("maccrobat", "Lab_value"): VALUE,
    ("maccrobat", "Severity"): SEVERITY,
    ("bc5cdr", "Chemical"): MEDICATION,
    ("bc5cdr", "Disease"): DISEASE,
    ("ncbi_disease", "Disease"): DISEASE,
    ("chia", "Condition"): DISEASE,
    ("chia", "Drug"): MEDICATION,
    ("chia", "Procedure"): PROCEDURE,
    ("chia", "Measurement"): TEST,
    ("chia", "Value"): VALUE,
}
# Words of an inference, padding included; more would fill no larger product better.
MOST_WORDS = 8192
# Words in which the notes of one call may differ.
_COMPANY = 256


@dataclass(frozen=True, slots=True)
class Group:
    """Labels of a corpus that do not overlap: `scores` from `first` on.

    meanings: of each label, as `MEANINGS` has it, or -1. is_asked: whether one of them means something.
    """

    corpus: str
    labels: Sequence[str]
    first: int
    meanings: NDArray[np.int64] = field(init=False)
    is_asked: bool = field(init=False)

    def __post_init__(self) -> None:
        meanings = [MEANINGS.get((self.corpus, label), _NOTHING) for label in self.labels]
        object.__setattr__(self, "meanings", np.array(meanings, dtype=np.int64))
        object.__setattr__(self, "is_asked", max(meanings) > _NOTHING)

    @property
    def last(self) -> int:
        """The score after its last."""
        return self.first + 1 + 4 * len(self.labels)


_NOTHING = -1


@dataclass(slots=True)
class LabelledWords:
    """A span of a note: words `first` up to but not including `last`, and the label of a corpus.

    Not to be changed, though not frozen, since a note has a hundred.
    """

    corpus: str
    first: int
    last: int
    label: str


class LabelledSpans(NamedTuple):
    """What heads of one corpus found: int64 [N, 3], first word, word after the last, what the label means."""

    corpus: str
    rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EntityPrediction:
    """Scores of all states [T, S] of a note's words, in steps of one size, and the kind of text it is taken for."""

    scores: NDArray[np.uint8]
    kind: str
    version: ModelVersion


@dataclass(slots=True)
class NoteEntities:
    """Calls the model. During an outage notes wait until it has lasted as long as `outage` says, and no longer."""

    triton: Inference
    vocabulary: EntityVocabulary
    groups: Sequence[Group]
    outage: Outage
    turns: Turns = field(default_factory=Turns)
    served: ServedModel[EntityInput] = field(init=False)

    def __post_init__(self) -> None:
        model = Model(NOTE_ENTITIES, self.vocabulary.model_sha256, OUTPUTS, padded, _length, _rows_of_length, _NO_WORD)
        self.served = ServedModel(self.triton, model, self.outage, self.turns)

    async def predict(self, words: EntityInput) -> EntityPrediction:
        """Raises ModelUnavailable when Triton has been away for as long as notes wait."""
        windows = windows_of(words)
        rows = await self.served.rows(windows)
        scores = joined([row.outputs["scores"] for row in rows], len(words.ids))
        # Of a long note the first windows tell as well as all of it.
        kinds = np.mean([row.outputs["kinds"] for row in rows[:_TELLING]], axis=0)
        kind = KINDS[int(kinds.argmax())] if kinds.max() > _SURE else NOTE
        return EntityPrediction(scores, kind, rows[0].version)

    async def probe(self) -> None:
        """A real inference, for readiness. Raises ModelUnavailable, or ValueError for an answer that is none."""
        probabilities(await self.served.probe(), "kinds", NOTE_ENTITIES)

    def spans(self, prediction: EntityPrediction, document: Document, corpus: str) -> LabelledSpans:
        """What the heads of a corpus find, with its short forms, as far as its labels mean something here."""
        found = []
        for group in self.groups:
            if group.corpus == corpus and group.is_asked:
                best = entity_kernels.best_spans(prediction.scores, group.first, len(group.labels))
                found.append(entity_kernels.telling_spans(with_short_forms(document, best), group.meanings))
        if not found:
            return NO_SPANS
        return LabelledSpans(corpus, found[0] if len(found) == 1 else np.concatenate(found))


NO_SPANS = LabelledSpans("", np.zeros((0, 3), dtype=np.int64))
# Less sure than this, and the text is taken for a note. Of 80 texts each, 94 to 100 % of the corpora's and 99 % of
# MTSamples' notes then are what they are.
_SURE = 0.7
_TELLING = 4
_NO_WORD = EntityInput(np.zeros((1, COLUMNS), dtype=np.int32), np.zeros((1, PLACES), dtype=np.int32))


def _length(window: EntityInput) -> int:
    """Notes of about one length share a call, which pads them to the longest."""
    return -(-len(window.ids) // _COMPANY) * _COMPANY


def _rows_of_length(length: int) -> int:
    return MOST_WORDS // length


def load_note_entities(folder: Path, triton: Inference, outage: Outage, turns: Turns) -> NoteEntities:
    """Read what stands beside the model. Raises FileNotFoundError."""
    found: list[Group] = []
    for group in json.loads((folder / "labels.json").read_text(encoding="utf-8"))["groups"]:
        found.append(Group(group["corpus"], group["labels"], found[-1].last if found else 0))
    for is_ours in (True, False):
        # Compiled for an answer of this process, and for one of Triton, which may not be written to.
        scores = np.zeros((1, 5), dtype=np.uint8)
        scores.flags.writeable = is_ours
        entity_kernels.telling_spans(entity_kernels.best_spans(scores, 0, 1), found[0].meanings[:1])
    return NoteEntities(triton, load_entity_vocabulary(folder), found, outage, turns)
