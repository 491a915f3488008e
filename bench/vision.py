"""Images through the running image-router and Triton, beside the same reading in bare onnxruntime.

The two take turns in short rounds, so that what else the machine does falls on both, and ratios are those of rounds.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import cycle, islice, zip_longest
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import onnxruntime
import psutil
from prometheus_client.parser import text_string_to_metric_families
from vigil.v1.image_router_service_pb2 import ReadImageRequest
from vigil.v1.image_router_service_pb2_grpc import ImageRouterServiceStub
from vigil.v1.images_pb2 import ImageFinding, ImageFindings, ImageIdentity, Scope

from services.common.settings import SharedSettings
from services.common.triton import TritonClient
from services.image_router.models import ImageModel, answers, load_model, prepared
from services.image_router.pixels import file_picture
from services.image_router.places import FRONTAL, zones
from services.image_router.reading import Reading, as_message, region_of, render
from services.image_router.regions import Geometry
from ward.account import quantiles

PICTURES = Path(__file__).resolve().parents[1] / "ward" / "pictures"
# Pictures of the ward by the model that they are for. It has no breast ultrasound.
SENT = {"cxr_findings": "chest_*.jpg", "brain_mri_tumour": "brain_*.jpg"}
TOGETHER = 16
A_CALL = 8  # images, where Triton is asked alone
LEAST_LANES = 2  # calls under way there: one for each instance of a model
ROUNDS = 5
WARM_UP = 5
MAX_PIXELS = 10**8
DEADLINE_S = 60.0
SAME = 1e-3  # of two probabilities
INFERENCE_S = "vigil_triton_inference_seconds"


@dataclass(frozen=True, slots=True)
class Target:
    """The running services. url: image-router's gRPC, host:port. metrics: address of its metrics. pids: of both."""

    url: str
    metrics: str
    pids: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Round:
    """Images a second at full load. service: through image-router, `TOGETHER` at a time. bare: in one process a core.

    one_at_a_time: through image-router.
    """

    service: float
    bare: float
    one_at_a_time: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one model. service_s, bare_s: of single images, in turns: from the file to findings and pictures.

    triton_share: of the former, what was waited for Triton. rounds: at full load. router_ms, triton_ms, bare_ms:
    processor time an image, at full load. inferred: share of onnxruntime in the floor's processor time. alone: images a
    second of Triton alone, sent nothing but inputs, by images a call. unread: answers without findings.
    """

    service_s: list[float]
    bare_s: list[float]
    triton_share: float
    rounds: list[Round]
    router_ms: float
    triton_ms: float
    bare_ms: float
    inferred: float
    alone: dict[int, float]
    unread: int
    differing: int

    @property
    def overhead(self) -> float:
        """How much longer the services take at full load than bare onnxruntime on the same cores; median of rounds."""
        return statistics.median(one.bare / one.service for one in self.rounds) - 1

    @property
    def least_overhead(self) -> float:
        """Of an image-router that costs what the floor costs beside onnxruntime, and Triton alone for the rest."""
        bare = statistics.median(one.bare for one in self.rounds)
        return (1 - self.inferred) + bare / max(self.alone.values()) - 1


class Bare:
    """The same reading without services: one thread of onnxruntime."""

    def __init__(self, repository: Path, model: ImageModel) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.model = model
        self.inferred_s = self.spent_s = 0.0  # processor seconds, of onnxruntime and of all
        self._session = onnxruntime.InferenceSession(
            str(repository / model.version.name / "1" / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def read(self, content: bytes) -> ImageFindings:
        """Decode, prepare, ask, draw, and say what was found."""
        began = time.process_time()
        model, picture = self.model, file_picture(content, MAX_PIXELS)
        shown = prepared(model, picture.grey)
        asked = time.process_time()
        outputs = self._session.run(model.outputs, {"image": shown.tensor[np.newaxis]})
        self.inferred_s += time.process_time() - asked
        (answer,) = answers(model, dict(zip(model.outputs, outputs, strict=True)), [shown])
        reading = Reading(Scope(in_scope=True), picture, answer)
        if answer.outline is not None:
            region = region_of(reading, answer, Geometry())
            reading = replace(reading, outliner=answer, region=region)
        if model.version.name in FRONTAL and answer.heatmap is not None:
            reading = replace(reading, zones=zones(answer.heatmap, Geometry().leftwards))
        found = as_message(reading, ImageIdentity())
        render(reading, preview_side=0)
        self.spent_s += time.process_time() - began
        return found


_own: list[Bare] = []  # of a worker process


def _begin(repository: Path, model: ImageModel, content: bytes) -> None:
    _own.append(Bare(repository, model))
    for _ in range(WARM_UP):
        _own[0].read(content)


def _read_all(contents: Sequence[bytes]) -> tuple[float, float]:
    """Images a second and processor seconds of a worker's part."""
    began, spent = time.perf_counter(), time.process_time()
    for content in contents:
        _own[0].read(content)
    return len(contents) / (time.perf_counter() - began), time.process_time() - spent


class Workers:
    """Bare onnxruntime on all cores: a process each."""

    def __init__(self, repository: Path, bare: Bare, content: bytes) -> None:
        self.count = os.cpu_count() or 1
        # Not forked: gRPC has threads in this process.
        self._pool = ProcessPoolExecutor(self.count, get_context("spawn"), _begin, (repository, bare.model, content))
        self.read([content] * self.count)  # until all have begun

    def read(self, contents: Sequence[bytes]) -> tuple[float, float]:
        """Images a second of all workers together, and their processor seconds."""
        parts = [contents[first :: self.count] for first in range(self.count)]
        rates, spent = zip(*self._pool.map(_read_all, parts), strict=True)
        return sum(rates), sum(spent)

    def close(self) -> None:
        """End them."""
        self._pool.shutdown()


async def measure(settings: SharedSettings, target: Target, images: int) -> dict[str, Figures]:
    """By model. images: of each, in each round."""
    figures = {}
    patient = settings.model_copy(update={"triton_deadline_s": DEADLINE_S})
    async with TritonClient(patient) as triton, grpc.aio.insecure_channel(target.url) as channel:
        service: Any = ImageRouterServiceStub(channel)  # the generated stub knows no asyncio
        for name, pattern in SENT.items():
            bare = Bare(settings.model_repository, await load_model(triton, name))
            contents = [path.read_bytes() for path in sorted(PICTURES.glob(pattern))]
            workers = await asyncio.to_thread(Workers, settings.model_repository, bare, contents[0])
            try:
                subject = Subject(service, triton, target, name, contents, bare, workers)
                figures[name] = await subject.measure(images)
            finally:
                workers.close()
    return figures


@dataclass(frozen=True, slots=True)
class Subject:
    """One model with everything that reads for it."""

    service: Any
    triton: TritonClient
    target: Target
    name: str
    contents: Sequence[bytes]
    bare: Bare
    workers: Workers

    async def measure(self, images: int) -> Figures:
        """All figures; see `Figures`."""
        sent = list(islice(cycle(self.contents), images))
        for content in islice(cycle(self.contents), WARM_UP):
            await self._ask(content)
            self.bare.read(content)
        service_s, bare_s, share, differing = await self._singles(sent)
        processes = [psutil.Process(pid) for pid in self.target.pids]
        rounds, spent, bare_spent, unread = [], [0.0, 0.0], 0.0, 0
        for _ in range(ROUNDS):
            before = [_cpu_s(process) for process in processes]
            service, unread_now = await self._all(sent, TOGETHER)
            unread += unread_now
            spent = [past + _cpu_s(one) - now for past, one, now in zip(spent, processes, before, strict=True)]
            bare, bare_spent_now = await asyncio.to_thread(self.workers.read, sent)
            bare_spent += bare_spent_now
            one_at_a_time, _ = await self._all(sent[: images // 2], 1)
            rounds.append(Round(service, bare, one_at_a_time))
        each = 1000 / (ROUNDS * images)
        alone = {size: await self._alone(size, images) for size in (1, A_CALL)}
        router_s, triton_s = spent
        return Figures(
            service_s, bare_s, share, rounds, router_s * each, triton_s * each, bare_spent * each,
            self.bare.inferred_s / self.bare.spent_s, alone, unread, differing,
        )  # fmt: skip

    async def _ask(self, content: bytes) -> ImageFindings:
        request = ReadImageRequest(content=content, model=self.name)
        findings: ImageFindings = (await self.service.ReadImage(request, timeout=DEADLINE_S)).findings
        return findings

    async def _singles(self, sent: Sequence[bytes]) -> tuple[list[float], list[float], float, int]:
        service_s, bare_s, differing = [], [], 0
        waited_before = await self._waited()
        for content in sent:
            began = time.perf_counter()
            found = await self._ask(content)
            service_s.append(time.perf_counter() - began)
            began = time.perf_counter()
            floor = self.bare.read(content)
            bare_s.append(time.perf_counter() - began)
            differing += not _same(found, floor)
        return service_s, bare_s, (await self._waited() - waited_before) / sum(service_s), differing

    async def _waited(self) -> float:
        """Seconds that image-router has waited for its models."""
        async with httpx.AsyncClient() as client:
            said = (await client.get(self.target.metrics)).text
        samples = (sample for family in text_string_to_metric_families(said) for sample in family.samples)
        return sum(sample.value for sample in samples if sample.name == f"{INFERENCE_S}_sum")

    async def _all(self, sent: Sequence[bytes], together: int) -> tuple[float, int]:
        """Images a second while `together` are under way, without filling and emptying; and how many were not read."""
        waiting, answered, unread = iter(sent), [], 0

        async def lane() -> None:
            nonlocal unread
            for content in waiting:
                unread += not (await self._ask(content)).findings
                answered.append(time.perf_counter())

        await asyncio.gather(*(lane() for _ in range(together)))
        full = answered[together - 1 : len(answered) - together + 1]
        return (len(full) - 1) / (full[-1] - full[0]), unread

    async def _alone(self, size: int, images: int) -> float:
        """Images a second of the model on Triton, `size` a call."""
        model = self.bare.model
        inputs = [prepared(model, file_picture(content, MAX_PIXELS).grey).tensor for content in self.contents]
        tensor = np.stack(list(islice(cycle(inputs), size)))
        calls = iter(range(images // size))

        async def lane() -> None:
            for _ in calls:
                await self.triton.infer(self.name, {"image": tensor}, model.outputs)

        began = time.perf_counter()
        await asyncio.gather(*(lane() for _ in range(max(LEAST_LANES, A_CALL // size))))
        return images // size * size / (time.perf_counter() - began)


def _same(found: ImageFindings, floor: ImageFindings) -> bool:
    """Whether both say the same, probabilities to a thousandth."""
    pairs = zip_longest(found.findings, floor.findings, fillvalue=ImageFinding())
    return all(
        (one.label, one.verdict) == (other.label, other.verdict) and abs(one.probability - other.probability) < SAME
        for one, other in pairs
    )


def _cpu_s(process: psutil.Process) -> float:
    spent = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(one.user + one.system for one in spent)


def table(figures: Mapping[str, Figures]) -> str:
    """The figures for a terminal."""
    return "\n".join(line for name, of in figures.items() for line in _lines(name, of))


def _lines(name: str, of: Figures) -> list[str]:
    service, bare, single = (
        statistics.median(getattr(one, rate) for one in of.rounds) for rate in ("service", "bare", "one_at_a_time")
    )
    ratios = sorted(one.bare / one.service - 1 for one in of.rounds)
    alone = f"{of.alone[1]:.1f} by {A_CALL} calls of one, {of.alone[A_CALL]:.1f} by calls of {A_CALL}"
    return [
        f"{name}, {len(of.service_s)} images one at a time, in turns:     p50 ms   p99 ms",
        _line("image-router, from file to findings", quantiles(of.service_s)),
        _line("bare onnxruntime, one thread (floor)", quantiles(of.bare_s)),
        f"  Of the former {of.triton_share:.0%} is waiting for Triton.",
        f"  Images a second, median of {len(of.rounds)} rounds in turns:",
        f"    image-router, {TOGETHER} at a time                     {service:9.1f}",
        f"    image-router, one at a time                    {single:9.1f}",
        f"    bare onnxruntime, one process a core (floor)   {bare:9.1f}",
        f"  Overhead at full load: {of.overhead:.0%} (rounds {ratios[0]:.0%} to {ratios[-1]:.0%}; goal 15%).",
        f"  Processor ms an image: image-router {of.router_ms:.1f}, Triton {of.triton_ms:.1f}; floor {of.bare_ms:.1f}.",
        f"  Triton alone, images a second: {alone}.",
        f"  With that and the floor's decoding, preparing and drawing, at least: {of.least_overhead:.0%}.",
        f"  Without findings: {of.unread} images; other findings than the floor's: {of.differing} of single ones.",
    ]


def _line(what: str, seconds: Mapping[str, float]) -> str:
    return f"  {what:<47}{seconds['p50'] * 1000:9.1f}{seconds['p99'] * 1000:9.1f}"
