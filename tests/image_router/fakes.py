"""Triton, blob store and Kafka at the edge of the process. The model is the real one, run here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
import onnxruntime
from google.protobuf import text_format
from numpy.typing import NDArray
from tritonclient.grpc.model_config_pb2 import ModelConfig
from vigil.v1.meta_pb2 import Blob, ModelVersion

from services.common.outcomes import Invalid, Transient
from services.common.settings import REPOSITORY
from services.common.triton import ModelUnavailable

MODELS = REPOSITORY / "triton_models"


def model_config(name: str) -> ModelConfig:
    """A model's configuration as Triton reads it."""
    return text_format.Parse((MODELS / name / "config.pbtxt").read_text(), ModelConfig())


@dataclass
class LocalModels:
    """Answers as Triton does, with the repository's models; `away` calls fail first."""

    away: int = 0
    calls: int = 0
    sessions: dict[str, onnxruntime.InferenceSession] = field(default_factory=dict)

    async def infer(
        self, model: str, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        self._answer_or_fail(model)
        if model not in self.sessions:
            self.sessions[model] = onnxruntime.InferenceSession(str(MODELS / model / "1" / "model.onnx"))
        answers = self.sessions[model].run(list(outputs), dict(inputs))
        return dict(zip(outputs, map(np.asarray, answers), strict=True))

    async def model_version(self, model: str) -> ModelVersion:
        parameters = await self.model_parameters(model)
        return ModelVersion(name=model, version="1", sha256=parameters["sha256"])

    async def model_parameters(self, model: str) -> Mapping[str, str]:
        return {name: value.string_value for name, value in model_config(model).parameters.items()}

    def _answer_or_fail(self, model: str) -> None:
        self.calls += 1
        if self.calls <= self.away:
            raise ModelUnavailable(f"{model}: StatusCode.UNAVAILABLE")


@dataclass
class MemoryBlobs:
    """Keeps blobs; `full` refuses them."""

    contents: dict[str, bytes] = field(default_factory=dict)
    full: bool = False

    def put(self, content: bytes, media_type: str) -> Blob:
        if self.full:
            raise Transient("the blob store is full")
        digest = sha256(content).hexdigest()
        self.contents[digest] = content
        return Blob(uri=f"memory://{digest}", sha256=digest, size=len(content), media_type=media_type)

    def get(self, blob: Blob) -> bytes:
        content = self.contents.get(blob.sha256)
        if content is None:
            raise Invalid("the claim check points to nothing")
        return content
