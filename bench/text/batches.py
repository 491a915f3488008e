"""The model on Triton with the inputs of the notes: a call a note, which Triton batches, beside a call for eight."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import psutil

from bench.text.service import cpu_s
from services.common.settings import SharedSettings
from services.common.triton import TritonClient
from services.nlp_coder.batching import MOST_NOTES
from services.nlp_coder.features import (
    ModelInput,
    batch_length,
    load_vocabulary,
    model_inputs,
    padded,
    terms_of,
    windows_of,
)
from services.nlp_coder.models import ICD_CODER, OUTPUTS
from services.nlp_coder.ranking import candidates_of, load_ranker
from services.nlp_coder.reading import load_reader, read_note

CALLS_AT_A_TIME = 8


@dataclass(frozen=True, slots=True)
class Batching:
    """Notes in one call; notes a second by the clock; processor milliseconds a note of the caller and of Triton."""

    notes_a_call: int
    notes_per_s: float
    caller_ms: float
    triton_ms: float


async def measure(settings: SharedSettings, texts: Sequence[str], triton_pid: int, notes: int = 400) -> list[Batching]:
    """Eight calls of one note at a time, and one call of eight notes at a time; of about one length, like a ward's."""
    windows = _inputs(settings, texts)
    triton = psutil.Process(triton_pid)
    async with TritonClient(settings) as client:
        found = []
        for size, at_a_time in ((1, CALLS_AT_A_TIME), (MOST_NOTES, 1)):
            endless = cycle(windows)
            batches = [list(islice(endless, size)) for _ in range(notes // size)]
            await _send(client, batches[:10], at_a_time)
            before = time.perf_counter(), time.process_time(), cpu_s(triton)
            await _send(client, batches, at_a_time)
            clock, own, other = (
                time.perf_counter() - before[0],
                time.process_time() - before[1],
                cpu_s(triton) - before[2],
            )
            found.append(Batching(size, notes / clock, 1000 * own / notes, 1000 * other / notes))
    return found


def _inputs(settings: SharedSettings, texts: Sequence[str]) -> list[ModelInput]:
    """Windows of the commonest length."""
    assets = settings.model_repository / ICD_CODER / "assets"
    reader, vocabulary, hits = load_reader(), load_vocabulary(assets), load_ranker(assets).hits
    windows: list[ModelInput] = []
    for text in texts:
        note = read_note(text, reader)
        occurrences = windows_of(terms_of(note.document, note.mentions), vocabulary)
        windows += model_inputs(occurrences, candidates_of(note, hits), vocabulary)
    lengths = [batch_length(len(window.occurrences.words)) for window in windows]
    commonest = max(set(lengths), key=lengths.count)
    return [window for window, length in zip(windows, lengths, strict=True) if length == commonest]


async def _send(client: TritonClient, batches: Sequence[Sequence[ModelInput]], at_a_time: int) -> None:
    waiting = iter(batches)

    async def lane() -> None:
        for batch in waiting:
            await client.infer(ICD_CODER, padded(batch), OUTPUTS)

    await asyncio.gather(*(lane() for _ in range(at_a_time)))
