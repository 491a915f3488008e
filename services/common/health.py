"""Liveness means "is progressing"; readiness means "could do its work now"."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

PROBE_TIMEOUT_S = 3.0
PROBE_KEPT_S = 2.0  # probes are real work (an inference); readiness asked more often gets the last answer

Probe = Callable[[], Awaitable[None]]
Monotonic = Callable[[], float]  # seconds that never go back


@dataclass(slots=True)
class Progress:
    """One loop that must keep turning. Its owner calls `tick` each time round."""

    timeout_s: float
    now: Monotonic = time.monotonic
    last_tick: float = field(init=False)
    started: bool = False
    halted: str = ""

    def __post_init__(self) -> None:
        self.last_tick = self.now()

    def tick(self) -> None:
        self.last_tick = self.now()
        self.started = True

    def halt(self, reason: str) -> None:
        """Stopped on purpose until a person looks: alive, never ready."""
        self.halted = reason

    def stalled(self) -> bool:
        return not self.halted and self.now() - self.last_tick > self.timeout_s


@dataclass(slots=True)
class Health:
    """What `/healthz`, `/readyz` and the gRPC health service answer from."""

    now: Monotonic = time.monotonic
    loops: dict[str, Progress] = field(default_factory=dict)
    probes: dict[str, Probe] = field(default_factory=dict)
    _probed: dict[str, tuple[float, str]] = field(default_factory=dict)

    def progress(self, name: str, timeout_s: float = 15.0) -> Progress:
        """Register a loop that ticks at least every `timeout_s` seconds."""
        self.loops[name] = Progress(timeout_s, self.now)
        return self.loops[name]

    def dependency(self, name: str, probe: Probe) -> None:
        """Register a real use of something outside; `probe` raises when it does not work."""
        self.probes[name] = probe

    def stalled(self) -> dict[str, str]:
        """Loops that stopped turning, with the reason; empty when alive."""
        return {name: f"no progress for {loop.timeout_s:g} s" for name, loop in self.loops.items() if loop.stalled()}

    async def unready(self) -> dict[str, str]:
        """Everything that keeps the service from doing its work now, with the reason; empty when ready."""
        reasons = self.stalled()
        for name, loop in self.loops.items():
            if loop.halted:
                reasons[name] = loop.halted
            elif not loop.started:
                reasons.setdefault(name, "not started")
        results = await asyncio.gather(*(self._probe(name) for name in self.probes))
        return reasons | {name: reason for name, reason in zip(self.probes, results, strict=True) if reason}

    async def _probe(self, name: str) -> str:
        at, answer = self._probed.get(name, (float("-inf"), ""))
        if self.now() - at < PROBE_KEPT_S:
            return answer
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await self.probes[name]()
            answer = ""
        except TimeoutError:
            answer = f"no answer in {PROBE_TIMEOUT_S:g} s"
        except Exception as error:  # noqa: BLE001 - whatever a probe raises is the reason
            answer = f"{type(error).__name__}: {error}"
        self._probed[name] = (self.now(), answer)
        return answer
