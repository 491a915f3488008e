"""How many mixed messages a second a stack carries before its end-to-end p99 passes one second.

Open loop: messages leave at a fixed rate whatever the answers do, so a slow stack builds a queue and shows it. Each
step plays the first hours of several wards at once, with the mix that a ward has: mostly rounds of vital signs, some
movements, notes, and a few images, by MLLP, FHIR and DICOM. Latency counts from the sender's first byte until a
reader of patient-risk holds the risk that took the message in.
"""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from zlib import crc32

from bench.floor import round_trip
from bench.pacing import due_times
from ward.account import Result, accounts, all_out, end_to_end, quantiles
from ward.events import Event, Kind, Protocol
from ward.follow import FOLLOWED, follow
from ward.generate import Plan, generate
from ward.player import Deliver, Sent, connect, send
from ward.run import RUN_ALPHABET, Stack

LIMIT_S = 1.0
HOURS = 6.0
CONNECTIONS = 16
ASSOCIATIONS = 2
DRAIN_S = 30.0
WARM_UP = (20.0, 5.0)
FLOOR_S = 5.0
STAGES = ("acknowledged", "received", "coded", "read", "risk")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One rate: quantiles in seconds by stage and, for the risk, by kind; what did not come out; the mix."""

    rate: float
    achieved: float
    stages: Mapping[str, Mapping[str, float]]
    by_kind: Mapping[str, Mapping[str, float]]
    unfinished: int
    floor: Mapping[str, float]
    mix: Mapping[str, int]

    @property
    def sustained(self) -> bool:
        """Everything came out, the sender kept its rate, and the p99 stayed within the limit."""
        kept = self.achieved >= 0.97 * self.rate
        return kept and not self.unfinished and self.stages["risk"].get("p99", float("inf")) <= LIMIT_S


async def measure(stack: Stack, rates: Iterable[float], seconds: float, say: Say) -> list[Step]:
    """Raise the rate along `rates` until a step is not sustained; every step is shown and returned."""
    await _step(stack, *WARM_UP)
    say(HEADER)
    steps = []
    for rate in rates:
        step = await _step(stack, rate, seconds)
        steps.append(step)
        say(line(step))
        if not step.sustained:
            break
    return steps


def rates_from(first: float, step: float) -> Iterable[float]:
    """first, first + step, … without end."""
    return (first + step * number for number in count())


def mixed_events(number: int) -> list[Event]:
    """The first `number` messages of as many new wards as that takes, in the order of event time."""
    start = datetime.now(UTC) - timedelta(hours=HOURS)
    events: list[Event] = []
    for seed in count():
        run = "".join(secrets.choice(RUN_ALPHABET) for _ in range(7))
        events += generate(Plan(seed, start, run, HOURS)).events
        if len(events) >= number:
            break
    return sorted(events, key=lambda event: event.at)[:number]


async def _step(stack: Stack, rate: float, seconds: float) -> Step:
    events = await asyncio.to_thread(mixed_events, round(rate * seconds))
    floor = await round_trip(stack.bootstrap, rate, FLOOR_S)
    async with follow(stack.bootstrap, FOLLOWED) as follower, _many(stack) as deliver:
        sent, achieved = await _send_all(events, rate, deliver)
        await all_out(sent, follower, stack.keys, DRAIN_S)
        results = accounts(sent, follower.seen, stack.keys)
    return Step(
        rate=rate,
        achieved=achieved,
        stages=_stages(results),
        by_kind={kind.value: quantiles(end_to_end(r for r in results if r.sent.event.kind is kind)) for kind in Kind},
        unfinished=sum(bool(result.missing) for result in results),
        floor=floor,
        mix=Counter(event.kind.value for event in events),
    )


async def _send_all(events: list[Event], rate: float, deliver: Callable[[Event], Deliver]) -> tuple[list[Sent], float]:
    """Send at `rate`, each message on its own; the messages, and how many a second left."""
    sent: list[Sent] = []
    began = time.time() + 0.1
    async with asyncio.TaskGroup() as group:
        async for number in due_times(began, rate, len(events)):
            event = events[number]
            one = Sent(event, first_byte_at=time.time())
            sent.append(one)
            group.create_task(send(one, deliver(event)))
        achieved = len(events) / (time.time() - began)
    return sent, achieved


@asynccontextmanager
async def _many(stack: Stack) -> AsyncIterator[Callable[[Event], Deliver]]:
    """Several connections; a patient's messages always take the same one, so that their order is kept.

    Images share two associations: a hospital has many monitors and few scanners.
    """
    async with AsyncExitStack() as open_until_done:
        lanes: list[dict[Protocol, Deliver]] = [
            await open_until_done.enter_async_context(connect(stack.endpoints)) for _ in range(CONNECTIONS)
        ]

        def deliver(event: Event) -> Deliver:
            number = ASSOCIATIONS if event.protocol is Protocol.DICOM else CONNECTIONS
            return lanes[crc32(event.mrn.encode()) % number][event.protocol]

        yield deliver


def _stages(results: list[Result]) -> dict[str, dict[str, float]]:
    acknowledged = [
        r.sent.acknowledged_at - r.sent.first_byte_at for r in results if r.sent.acknowledged_at is not None
    ]
    later = {stage: [r.stages[stage] for r in results if stage in r.stages] for stage in STAGES[1:]}
    return {stage: quantiles(values) for stage, values in ({"acknowledged": acknowledged} | later).items()}


HEADER = """\
Milliseconds from the sender's first byte, p50/p99; "floor" is one message through Kafka and back at the same rate.
   rate    sent     acknowledged      received         coded          read      risk p50   p95   p99    floor"""


def line(step: Step) -> str:
    """One row of the table."""
    pairs = "".join(f"{_pair(step.stages[stage]):>15}" for stage in STAGES[1:4])
    risk = [
        f"{1000 * step.stages['risk'][name]:6.0f}" if step.stages["risk"] else "     -"
        for name in ("p50", "p95", "p99")
    ]
    mark = "" if step.sustained else f"   not sustained ({step.unfinished} did not come out)"
    return (
        f"{step.rate:7.0f} {step.achieved:7.1f} {_pair(step.stages['acknowledged']):>16}{pairs}"
        f"      {''.join(risk)} {_pair(step.floor):>8}{mark}"
    )


def _pair(values: Mapping[str, float]) -> str:
    return f"{1000 * values['p50']:.0f}/{1000 * values['p99']:.0f}" if values else "-"


def conclusion(steps: list[Step]) -> str:
    """What the steps say, in a few lines."""
    good = [step for step in steps if step.sustained]
    if not good:
        return f"Not even {steps[0].rate:g} messages a second were sustained."
    best = good[-1]
    total = sum(best.mix.values())
    mix = ", ".join(f"{kind} {100 * number / total:.1f} %" for kind, number in sorted(best.mix.items()))
    kinds = "; ".join(f"{kind} {_pair(values)} ms" for kind, values in sorted(best.by_kind.items()) if values)
    ratio = best.stages["risk"]["p50"] / best.floor["p50"]
    return (
        f"Sustained: {best.rate:g} messages a second with p99 {best.stages['risk']['p99']:.3f} s "
        f"(limit {LIMIT_S:g} s).\nMix: {mix}.\nFirst byte to risk by kind, p50/p99: {kinds}.\n"
        f"At that rate the median is {ratio:.1f} times the floor of one bare Kafka round trip."
    )
