"""The same notes through the running nlp-coder and Triton, as `vigil code` sends them."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import grpc
import psutil
from vigil.v1.nlp_coder_service_pb2 import CodeNoteRequest
from vigil.v1.nlp_coder_service_pb2_grpc import NlpCoderServiceStub

ALONE, TOGETHER = 1, 8
WARM_UP = 20
DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """Notes under way at a time, seconds of each note by the clock, and of the whole."""

    at_a_time: int
    note_s: list[float]
    whole_s: float
    coder_cpu_s: float
    triton_cpu_s: float
    degraded: int

    @property
    def notes_per_s(self) -> float:
        """By the clock."""
        return len(self.note_s) / self.whole_s


@dataclass(frozen=True, slots=True)
class Service:
    """Loads, and memory in MB after them."""

    loads: list[Load]
    coder_mb: float
    triton_mb: float


async def measure(texts: Sequence[str], target: str, coder_pid: int, triton_pid: int, seconds: float) -> Service:
    """Half of `seconds` with one note at a time, half with `TOGETHER`. target: nlp-coder's gRPC, host:port."""
    processes = coder, triton = psutil.Process(coder_pid), psutil.Process(triton_pid)
    async with grpc.aio.insecure_channel(target) as channel:
        service: Any = NlpCoderServiceStub(channel)  # the generated stub knows no asyncio
        for text in texts[:WARM_UP]:
            await service.CodeNote(CodeNoteRequest(text=text), timeout=DEADLINE_S)
        loads = [await _load(service, texts, number, seconds / 2, processes) for number in (ALONE, TOGETHER)]
    return Service(loads, _memory_mb(coder), _memory_mb(triton))


async def _load(
    service: Any, texts: Sequence[str], at_a_time: int, seconds: float, processes: Sequence[psutil.Process]
) -> Load:
    notes: Iterator[str] = cycle(texts)
    times: list[float] = []
    degraded = 0

    async def lane() -> None:
        nonlocal degraded
        while time.perf_counter() - began < seconds:
            sent = time.perf_counter()
            answer = await service.CodeNote(CodeNoteRequest(text=next(notes)), timeout=DEADLINE_S)
            times.append(time.perf_counter() - sent)
            degraded += answer.note.degraded

    before = [cpu_s(process) for process in processes]
    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(at_a_time)))
    whole = time.perf_counter() - began
    coder_s, triton_s = (cpu_s(process) - past for process, past in zip(processes, before, strict=True))
    return Load(at_a_time, times, whole, coder_s, triton_s, degraded)


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def cpu_s(process: psutil.Process) -> float:
    """Processor seconds of a process and those it started: Triton runs each model in one of its own."""
    return sum(times.user + times.system for times in (one.cpu_times() for one in _family(process)))


def _memory_mb(process: psutil.Process) -> float:
    return sum(one.memory_info().rss for one in _family(process)) / 2**20
