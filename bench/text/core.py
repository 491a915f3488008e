"""nlp-coder's own reading in one process: what the service does with a note, the model run here and not on Triton.

Run by `bench.text.measure`: a JSON object {"texts"} a line in, one with the times out. The first argument is how many
notes are under way at a time: with more than one the models, which need no interpreter, run beside the reading of the
next. The second, `codes-alone`, leaves out what the code set does not name: medications, tests, places of the body.
"""

import asyncio
import hashlib
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from vigil.v1.meta_pb2 import Meta, ModelVersion
from vigil.v1.notes_pb2 import NoteCoded, NoteReceived

from services.common.clock import utc_now
from services.nlp_coder.app import collect_less_often, make_coder
from services.nlp_coder.config import NlpCoderSettings
from services.nlp_coder.entity_model import NOTE_ENTITIES
from services.nlp_coder.handlers import Coder, code_note
from services.nlp_coder.models import ICD_CODER


class InProcess:
    """The committed models, on one thread: that of the caller, or one of its own `beside` it.

    A thread for each model would have Python wait for one of two cores whenever both models run.
    """

    def __init__(self, settings: NlpCoderSettings, *, beside: bool = False) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._beside = ThreadPoolExecutor(1) if beside else None
        paths = {
            name: settings.shared.model_repository / name / "1" / "model.onnx" for name in (ICD_CODER, NOTE_ENTITIES)
        }
        self._sessions = {name: onnxruntime.InferenceSession(path, options) for name, path in paths.items()}
        self._versions = {
            name: ModelVersion(name=name, version="1", sha256=hashlib.sha256(path.read_bytes()).hexdigest())
            for name, path in paths.items()
        }

    async def infer(
        self, model: str, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        """One inference."""
        run = partial(self._sessions[model].run, list(outputs), dict(inputs))
        answers = await asyncio.get_running_loop().run_in_executor(self._beside, run) if self._beside else run()
        return {name: np.asarray(answer) for name, answer in zip(outputs, answers, strict=True)}

    async def model_version(self, model: str) -> ModelVersion:
        """The committed model."""
        return self._versions[model]


CODES_ALONE = "codes-alone"


async def _main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    at_a_time = int(sys.argv[1])
    settings = NlpCoderSettings(entities=sys.argv[2:] != [CODES_ALONE])
    collect_less_often()
    coder = make_coder(settings, InProcess(settings, beside=at_a_time > 1), utc_now)
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(await _read(coder, json.loads(line)["texts"], at_a_time)), file=answers, flush=True)


async def _read(coder: Coder, texts: Sequence[str], at_a_time: int) -> dict[str, object]:
    seconds: list[float] = []
    answers: list[NoteCoded] = []
    waiting = iter(texts)

    async def lane() -> None:
        for text in waiting:
            began = time.perf_counter()
            answers.append(await _coded(coder, text))
            seconds.append(time.perf_counter() - began)

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(lane() for _ in range(at_a_time)))
    clock_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    found = sum(map(_amounts, answers), Counter[str]())
    return {
        "seconds": seconds,
        "clock_s": clock_s,
        "cpu_s": cpu_s,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "output": ", ".join(f"{count / len(texts):.0f} {name}" for name, count in found.items()),
    }


async def _coded(coder: Coder, text: str) -> NoteCoded:
    """Code a note as the service does, down to the bytes that Kafka takes."""
    coded = await code_note(NoteReceived(meta=Meta(message_id="bench", schema_version=1), text=text), coder)
    coded.SerializeToString()
    return coded


def _amounts(coded: NoteCoded) -> Counter[str]:
    """How much there is of each output, counted outside of the time that is measured, as medspaCy's is."""
    return Counter(
        codes=len(coded.codes),
        spans=sum(len(code.spans) for code in coded.codes),
        entities=len(coded.entities),
        sections=len(coded.sections),
    )


if __name__ == "__main__":
    asyncio.run(_main())
