"""Asks both models about many stays at once, beside each other, and no longer than a deadline."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
import structlog
from vigil.v1.risk_pb2 import RiskEstimate

from services.common.triton import ModelUnavailable
from services.fusion import metrics
from services.fusion.deterioration.stay import Stay
from services.fusion.estimates import Judged, answered, blank, degraded, judged, kind_of
from services.fusion.models import Answers, RiskModel, Triton, ask
from services.fusion.monitor import Drift

log = structlog.get_logger()

TRY_EVERY_S = 0.25
AWAY_S = 2.0  # after a failure nobody waits for the models for so long


@dataclass(slots=True)
class Scorer:
    """deadline_s: that one try of the models may take. source: "live" or "stay", for metrics.

    drift: of each model, in their order; empty where nobody watches for it. patience_s: how long an outage is waited
    for; bedside scores do not wait for one.
    """

    triton: Triton
    models: Sequence[RiskModel]
    deadline_s: float
    source: str
    drift: Sequence[Drift] = ()
    patience_s: float = 0.0
    _away_until: float = field(default=0.0)
    _away_because: str = field(default="")

    async def estimates(self, stays: Sequence[tuple[Stay, float]]) -> list[list[RiskEstimate]]:
        """Of each stay at its minute since admission, an estimate a model, in their order. Never raises for a model."""
        rows: list[list[Judged]] = [[] for _ in self.models]
        busy: list[float] = []
        for stay, minute in stays:
            began = time.perf_counter()
            for of_model, model in zip(rows, self.models, strict=True):
                of_model.append(judged(model, stay, minute))
            busy.append(time.perf_counter() - began)
            await asyncio.sleep(0)  # other patients, servers and heartbeats have their turn
        answers = await asyncio.gather(*map(self._asked, self.models, rows))
        places = [list(accumulate((one.has_meaning for one in of_model), initial=0)) for of_model in rows]
        made: list[list[RiskEstimate]] = []
        for number, before in enumerate(busy):
            began = time.perf_counter()
            made.append([self._made(at, rows[at][number], answers[at], places[at][number]) for at in range(len(rows))])
            metrics.SCORE_SECONDS.labels(self.source).observe(before + time.perf_counter() - began)
            await asyncio.sleep(0)
        return made

    async def _asked(self, model: RiskModel, rows: Sequence[Judged]) -> Answers | str | None:
        """Answers to the rows that have a meaning; why there are none; None when nothing was to be asked."""
        meant = [one.row for one in rows if one.has_meaning]
        if not meant:
            return None
        if time.monotonic() < self._away_until:
            return self._away_because
        until = time.monotonic() + self.patience_s
        while True:
            try:
                async with asyncio.timeout(self.deadline_s):
                    return await ask(self.triton, model, np.stack(meant))
            except (ModelUnavailable, TimeoutError, ValueError) as error:
                # Also for an answer that is none: bedside scores must not stop for a model.
                reason = getattr(error, "reason", "") or str(error) or f"{model.model}: deadline exceeded"
            if time.monotonic() >= until:
                log.warning("scored without a model", model=model.model, reason=reason)
                self._away_until, self._away_because = time.monotonic() + AWAY_S, reason
                return reason
            await asyncio.sleep(TRY_EVERY_S)

    def _made(self, at: int, one: Judged, answers: Answers | str | None, place: int) -> RiskEstimate:
        """at: which model. place: of the row among the answers."""
        model = self.models[at]
        if one.abstained:
            metrics.ABSTENTIONS.labels(self.source, model.name, kind_of(one.abstained)).inc()
        if isinstance(answers, str) and not one.abstained:
            metrics.ESTIMATES.labels(self.source, model.name, "degraded").inc()
            return degraded(model, one, answers)
        metrics.ESTIMATES.labels(self.source, model.name, "abstained" if one.abstained else "answered").inc()
        if not one.has_meaning or not isinstance(answers, Answers):
            return blank(model, one)
        estimate = answered(model, one, answers, place)
        if estimate.alarm:
            metrics.ALARMS.labels(self.source, model.name).inc()
        if self.drift and not one.abstained:
            self.drift[at].take(one.row, estimate.probability)
        return estimate
