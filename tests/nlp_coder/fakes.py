import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from vigil.v1.meta_pb2 import Meta, ModelVersion
from vigil.v1.notes_pb2 import NoteCoded, NoteReceived

from services.common.clock import to_timestamp
from services.common.settings import REPOSITORY, SharedSettings
from services.common.triton import ModelUnavailable
from services.nlp_coder.config import NlpCoderSettings
from services.nlp_coder.entities import EntityReader
from services.nlp_coder.features import ModelInput, model_inputs, terms_of, windows_of
from services.nlp_coder.handlers import Coder, code_note
from services.nlp_coder.models import IcdCoder
from services.nlp_coder.outage import Outage
from services.nlp_coder.ranking import candidates_of
from services.nlp_coder.reading import read_note
from services.nlp_coder.serving import Inference

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
WRITTEN = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)


@cache
def session_of(model: str) -> tuple[onnxruntime.InferenceSession, str]:
    """A committed model and its SHA-256."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = REPOSITORY / "triton_models" / model / "1" / "model.onnx"
    return onnxruntime.InferenceSession(str(path), options), hashlib.sha256(path.read_bytes()).hexdigest()


class LocalInference:
    """Runs the committed models in this process instead of on Triton; `failures` calls fail first."""

    def __init__(self, failures: int = 0, sha256: str = "") -> None:
        self.sha256 = sha256
        self.failures = failures
        self.calls = 0

    async def infer(
        self, model: str, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        self.calls += 1
        if self.calls <= self.failures:
            raise ModelUnavailable(f"{model}: away")
        answers = session_of(model)[0].run(list(outputs), dict(inputs))
        return {name: np.asarray(answer) for name, answer in zip(outputs, answers, strict=True)}

    async def model_version(self, model: str) -> ModelVersion:
        return ModelVersion(name=model, version="1", sha256=self.sha256 or session_of(model)[1])


def settings_of(**changes: Any) -> NlpCoderSettings:
    return NlpCoderSettings(shared=SharedSettings(), **changes)


def note_received(text: str, **fields: Any) -> NoteReceived:
    meta = Meta(
        message_id="note-1",
        event_time=to_timestamp(WRITTEN),
        ingest_time=to_timestamp(NOW),
        source="hl7v2:TEST",
        patient_key="a" * 32,
        encounter_key="b" * 32,
        schema_version=1,
        synthetic=True,
    )
    return NoteReceived(meta=meta, document_id="doc-1", text=text, **fields)


async def coded(coder: Coder, text: str, **fields: Any) -> NoteCoded:
    return await code_note(note_received(text, **fields), coder)


def entity_reader(coder: Coder) -> EntityReader:
    """What marks the coder's entities."""
    assert coder.entities is not None
    return coder.entities


def with_inference(
    coder: Coder, inference: Inference, wait_s: float = 0.0, now: Callable[[], float] = time.monotonic
) -> Coder:
    """The same tables, another model; quicker than to load them again. `now`: what an outage is timed by."""
    return replace(coder, icd_coder=IcdCoder(inference, coder.icd_coder.vocabulary, Outage(wait_s, now)))


def asked_of_model(text: str, coder: Coder) -> tuple[Sequence[str], list[ModelInput]]:
    """Candidate codes and model input of a note."""
    note, vocabulary = read_note(text, coder.reader), coder.icd_coder.vocabulary
    candidates = candidates_of(note, coder.ranker.hits)
    windows = windows_of(terms_of(note.document, note.mentions), vocabulary)
    return candidates.codes, model_inputs(windows, candidates, vocabulary)
