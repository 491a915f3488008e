"""Stays in intensive care through the running fusion and Triton, beside Triton alone with the same rows."""

import asyncio
import gc
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import psutil
from numpy.typing import NDArray
from vigil.v1.fusion_service_pb2 import ScoreStayRequest
from vigil.v1.fusion_service_pb2_grpc import FusionServiceStub
from vigil.v1.meta_pb2 import ModelVersion

from services.common.settings import SharedSettings
from services.common.triton import Tensors, TritonClient
from services.fusion.deterioration.stay import Observed, Stay, with_observation, with_observations
from services.fusion.models import Floats, RiskModel, Triton, ask, load_models
from services.fusion.scoring import Scorer
from ward.account import quantiles

HOURS = 48
MINUTES = (360, 1440, 2880)
TOGETHER = 8
WARM_UP = 10
DEADLINE_S = 60.0
VITALS = {
    "HR": (60, 130), "SysABP": (80, 160), "DiasABP": (40, 90), "Resp": (10, 35), "Temp": (35, 40), "O2Sat": (88, 100),
}  # fmt: skip
LABS = {
    "GCS": (6, 15), "Urine": (0, 300), "Creatinine": (0.4, 5), "BUN": (5, 90), "Platelets": (20, 400), "WBC": (1, 30),
    "Lactate": (0.5, 9), "PaO2": (55, 300), "PaCO2": (25, 60), "pH": (7.1, 7.5), "Na": (125, 150), "K": (3, 6),
    "Glucose": (60, 300), "HCT": (20, 45),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figures:
    """stay_s, alone_s: of single scores, one after the other: a whole stay at its last minute, and its rows in Triton.

    live_s: of a known stay with one more value, rows, drivers and messages of both models, less the time in which
    Triton was asked. whole_s: of `stays` stays at three minutes each, eight at a time; fusion_s, triton_s: processor
    seconds of that. degraded: estimates that no model gave.
    """

    stay_s: list[float]
    alone_s: list[float]
    live_s: list[float]
    stays: int
    whole_s: float
    fusion_s: float
    triton_s: float
    degraded: int

    @property
    def scores(self) -> int:
        """Minutes that were judged."""
        return self.stays * len(MINUTES)


@dataclass(slots=True)
class Timed:
    """Triton, and the seconds in which at least one question to it was under way."""

    triton: Triton
    seconds: float = 0.0
    _asked: int = field(default=0)
    _since: float = field(default=0.0)

    async def infer(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """As `TritonClient.infer`."""
        with self._timed():
            return await self.triton.infer(model, inputs, outputs)

    async def model_version(self, model: str) -> ModelVersion:
        """As `TritonClient.model_version`."""
        with self._timed():
            return await self.triton.model_version(model)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        self._since = self._since if self._asked else time.perf_counter()
        self._asked += 1
        try:
            yield
        finally:
            self._asked -= 1
            self.seconds += 0.0 if self._asked else time.perf_counter() - self._since


def made_up(seed: int) -> ScoreStayRequest:
    """Two days of an adult: vital signs each hour, the rest every few; about 430 values."""
    chance = random.Random(seed)
    request = ScoreStayRequest(id=str(seed), age=chance.randint(20, 90), unit="medical", at=MINUTES)
    for hour in range(HOURS):
        for name, (low, high) in (VITALS | (LABS if hour % 6 == 0 else {})).items():
            value = round(chance.uniform(low, high), 1)
            request.observations.add(minute=hour * 60 + chance.randint(0, 59), name=name, value=value)
    return request


async def measure(settings: SharedSettings, target: str, pids: tuple[int, int], stays: int, singles: int) -> Figures:
    """target: fusion's gRPC, host:port. pids: of fusion and Triton."""
    requests = [made_up(seed) for seed in range(stays)]
    gc.freeze()  # no service holds thousands of stays' requests for its collector to look through
    processes = [psutil.Process(pid) for pid in pids]
    models = load_models(settings.model_repository)
    async with TritonClient(settings) as triton, grpc.aio.insecure_channel(target) as channel:
        service: Any = FusionServiceStub(channel)  # the generated stub knows no asyncio

        async def one(request: ScoreStayRequest) -> Any:
            return await service.ScoreStay(request, timeout=DEADLINE_S)

        last = [_at_the_end(request) for request in requests[:singles]]
        for request in last[:WARM_UP]:
            await one(request)
        stay_s = [await _seconds(lambda request=request: one(request)) for request in last]  # type: ignore[misc]
        rows = [[_row(model, seed) for model in models] for seed in range(singles)]
        alone_s = [await _seconds(lambda of=of: _alone(triton, models, of)) for of in rows]  # type: ignore[misc]
        live_s = [await live(triton, models, request) for request in last]
        before = [_cpu_s(process) for process in processes]
        began = time.perf_counter()
        degraded = await _all(one, requests)
        whole_s = time.perf_counter() - began
    fusion_s, triton_s = (_cpu_s(process) - past for process, past in zip(processes, before, strict=True))
    return Figures(stay_s, alone_s, live_s, stays, whole_s, fusion_s, triton_s, degraded)


def _at_the_end(request: ScoreStayRequest) -> ScoreStayRequest:
    single = ScoreStayRequest()
    single.CopyFrom(request)
    del single.at[:]
    single.at.append(MINUTES[-1])
    return single


async def live(triton: Triton, models: Sequence[RiskModel], request: ScoreStayRequest) -> float:
    """Seconds from one more pulse in a known stay to both models' estimates, less those in which Triton was asked."""
    observed = (Observed(one.name, one.minute, one.value, str(at)) for at, one in enumerate(request.observations))
    known, minute = with_observations(Stay(age=request.age), observed), request.at[-1]
    timed = Timed(triton)
    scorer = Scorer(timed, models, DEADLINE_S, "bench")
    began = time.perf_counter()
    await scorer.estimates([(with_observation(known, Observed("HR", minute, 100, "new")), minute)])
    return time.perf_counter() - began - timed.seconds


def _row(model: RiskModel, seed: int) -> Floats:
    """What Triton is asked costs the same whatever it holds."""
    return np.random.default_rng(seed).normal(size=(1, len(model.features))).astype(np.float32)


async def _alone(triton: TritonClient, models: Sequence[RiskModel], rows: Sequence[Floats]) -> None:
    await asyncio.gather(*(ask(triton, model, row) for model, row in zip(models, rows, strict=True)))


async def _seconds(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


async def _all(one: Callable[[ScoreStayRequest], Awaitable[Any]], requests: Sequence[ScoreStayRequest]) -> int:
    """Estimates that no model gave."""
    waiting, degraded = iter(requests), 0

    async def lane() -> None:
        nonlocal degraded
        for request in waiting:
            answer = await one(request)
            degraded += sum(risk.degraded for scores in answer.at for risk in scores.risks)

    await asyncio.gather(*(lane() for _ in range(TOGETHER)))
    return degraded


def _cpu_s(process: psutil.Process) -> float:
    spent = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(one.user + one.system for one in spent)


def table(figures: Figures) -> str:
    """The figures for a terminal."""
    stay, alone, known = (quantiles(of) for of in (figures.stay_s, figures.alone_s, figures.live_s))
    own = {name: stay[name] - alone[name] for name in ("p50", "p99")}
    rate, per_score = figures.scores / figures.whole_s, 1000 / figures.scores
    fusion_ms, triton_ms = figures.fusion_s * per_score, figures.triton_s * per_score
    sent = f"{figures.stays} stays at {len(MINUTES)} times each, {TOGETHER} at a time"
    return "\n".join(
        [
            f"One score at a time, both models, {len(figures.stay_s)} stays of {HOURS} hours:   p50 ms   p99 ms",
            _line("whole stay sent, read and scored", stay),
            _line("the same models in Triton alone (floor)", alone),
            _line("beside Triton's own time", own),
            _line("a live score beside Triton's own time", known),
            f"Live score p99 beside Triton's own time: {1000 * known['p99']:.1f} ms (goal: at most 20).",
            f"{sent}: {figures.whole_s:.1f} s, {rate:.0f} scores a second.",
            f"The median of one score is {stay['p50'] / alone['p50']:.1f} times the floor.",
            f"Processor time a score: fusion {fusion_ms:.1f} ms, Triton {triton_ms:.1f} ms.",
            f"Without a model: {figures.degraded} estimates.",
        ]
    )


def _line(what: str, seconds: Mapping[str, float]) -> str:
    return f"  {what:<47}{seconds['p50'] * 1000:9.1f}{seconds['p99'] * 1000:9.1f}"
