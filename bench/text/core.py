"""nlp-coder's own reading in one process: what the service does with a note, the model run here and not on Triton.

Run by `bench.text.measure`: a JSON object {"texts"} a line in, one with the times out.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from vigil.v1.meta_pb2 import Meta, ModelVersion
from vigil.v1.notes_pb2 import NoteReceived

from services.common.clock import utc_now
from services.nlp_coder.app import collect_less_often, make_coder
from services.nlp_coder.config import NlpCoderSettings
from services.nlp_coder.features import load_vocabulary
from services.nlp_coder.handlers import Coder, code_note
from services.nlp_coder.models import ICD_CODER


class InProcess:
    """The committed model, on one thread."""

    def __init__(self, settings: NlpCoderSettings) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        folder = settings.shared.model_repository / ICD_CODER
        self._session = onnxruntime.InferenceSession(folder / "1" / "model.onnx", options)
        self._version = ModelVersion(
            name=ICD_CODER, version="1", sha256=load_vocabulary(folder / "assets").model_sha256
        )

    async def infer(
        self, model: str, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        """One inference."""
        assert model == ICD_CODER
        answers = self._session.run(list(outputs), dict(inputs))
        return {name: np.asarray(answer) for name, answer in zip(outputs, answers, strict=True)}

    async def model_version(self, _model: str) -> ModelVersion:
        """The model beside the vocabulary."""
        return self._version


async def _main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    settings = NlpCoderSettings()
    collect_less_often()
    coder = make_coder(settings, InProcess(settings), utc_now)
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(await _read(coder, json.loads(line)["texts"])), file=answers, flush=True)


async def _read(coder: Coder, texts: Sequence[str]) -> dict[str, object]:
    seconds, found = [], {"codes": 0, "spans": 0, "entities": 0, "sections": 0}
    cpu = time.process_time()
    for number, text in enumerate(texts):
        began = time.perf_counter()
        note = NoteReceived(meta=Meta(message_id=str(number), schema_version=1), text=text)
        coded = await code_note(note, coder)
        coded.SerializeToString()
        seconds.append(time.perf_counter() - began)
        found["codes"] += len(coded.codes)
        found["spans"] += sum(len(code.spans) for code in coded.codes)
        found["entities"] += len(coded.entities)
        found["sections"] += len(coded.sections)
    return {
        "seconds": seconds,
        "cpu_s": time.process_time() - cpu,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "output": ", ".join(f"{count / len(texts):.0f} {name}" for name, count in found.items()),
    }


if __name__ == "__main__":
    asyncio.run(_main())
