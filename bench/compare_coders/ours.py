"""Our own coder. `make train MODEL=icd_coder` writes its held-out rankings; here only its speed is measured."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence

from vigil.v1.meta_pb2 import Meta
from vigil.v1.notes_pb2 import NoteReceived

from bench.compare_coders import predictions
from bench.compare_coders.notes import Note
from bench.text.core import InProcess
from services.common.clock import utc_now
from services.nlp_coder.app import make_coder
from services.nlp_coder.config import NlpCoderSettings
from services.nlp_coder.handlers import code_note

METRICS = predictions.OURS.parent.parent / "metrics.json"
WARM_UP = 20


def measure(notes: Sequence[Note]) -> None:
    """Measure notes a second of the whole service in one process, with spans and entities; keep it with the times."""
    if not predictions.OURS.exists():
        raise FileNotFoundError(f"{predictions.OURS} is not there: `make train MODEL=icd_coder` writes it")
    settings = NlpCoderSettings()
    coder = make_coder(settings, InProcess(settings), utc_now)
    requests = [NoteReceived(meta=Meta(message_id=note.name, schema_version=1), text=note.text) for note in notes]

    async def code(some: Sequence[NoteReceived]) -> None:
        for request in some:
            await code_note(request, coder)

    asyncio.run(code(requests[:WARM_UP]))
    start = time.process_time()
    asyncio.run(code(requests))
    took = {"notes_per_s": round(len(notes) / (time.process_time() - start), 1)}
    training = json.loads(METRICS.read_text(encoding="utf-8")).get("training_s")
    predictions.write_times("ours", took | ({} if training is None else {"training_s": training}))
