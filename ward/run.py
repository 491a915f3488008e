"""One run of the ward against a stack: free the beds, play, wait for the results, and judge."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.common.identity import PatientKeys
from services.common.topics import Topic, registry
from ward.account import accounts, all_out, heard
from ward.follow import Follower, follow
from ward.generate import Plan, Ward, discharges, generate
from ward.player import Endpoints, Ledger, Pace, Sent, connect, play
from ward.summary import Summary, summarise
from ward.truth import judge
from ward.warnings import leads

RUN_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
RUN_LETTERS = 5
RESULTS_WITHIN_S = 90.0  # after the last message; a healthy stack needs under a second
ALERTS_WITHIN_S = 20.0
ALERTING_GROUP = "alerting"
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Stack:
    """What a run needs to know of a stack."""

    endpoints: Endpoints
    bootstrap: str
    keys: PatientKeys
    data_dir: Path


@dataclass(frozen=True, slots=True)
class Play:
    """How a ward is played: `speed` seconds of the ward in one; `seed`, `hours` and `vitals_every` as in `Plan`."""

    seed: int = 7
    speed: float = 960.0
    hours: float = 24.0
    vitals_every: timedelta = timedelta(minutes=15)

    @property
    def seconds(self) -> float:
        """How long the play lasts."""
        return self.hours * 3600 / self.speed


Watch = Callable[[Sent, int], None]


def plan_now(how: Play, moment: datetime) -> Plan:
    """A plan whose day ends when its play, begun at `moment`, ends; with a tag of its own."""
    run = "".join(secrets.choice(RUN_ALPHABET) for _ in range(RUN_LETTERS))
    start = moment + timedelta(seconds=how.seconds) - timedelta(hours=how.hours)
    return Plan(how.seed, start, run, how.hours, how.vitals_every)


async def run_ward(stack: Stack, how: Play, watch: Watch) -> Summary:
    """Play a ward and say what came of it. `watch` hears of each message sent, and of how many there are.

    Patients whom earlier runs left in the beds are discharged first.
    """
    async with follow(stack.bootstrap) as follower, connect(stack.endpoints) as delivers:
        ledger = Ledger()
        began = time.time()
        freed = [event for ward in _open_runs(stack.data_dir) for event in discharges(ward, datetime.now(UTC))]
        await play(freed, delivers, Pace(datetime.now(UTC), began, how.speed), ledger, lambda _: None)
        ward = generate(plan_now(how, datetime.now(UTC)))
        _remember(stack.data_dir, ward.plan)
        pace = Pace(ward.plan.start, time.time(), how.speed)
        await play(ward.events, delivers, pace, ledger, lambda sent: watch(sent, len(ward.events)))
        return await _judged(stack, ward, ledger, follower)


async def _judged(stack: Stack, ward: Ward, ledger: Ledger, follower: Follower) -> Summary:
    await all_out(ledger.sent, follower, stack.keys, RESULTS_WITHIN_S)
    await _alerts_out(stack, ward, follower)
    seen = follower.seen
    verdicts = judge(ward.patients, seen.alerts.values(), stack.keys)
    warned = leads(ward.patients, seen.warned, stack.keys)
    return summarise(accounts(ledger.sent, seen, stack.keys), verdicts, seen, warned)


async def _alerts_out(stack: Stack, ward: Ward, follower: Follower) -> None:
    """Wait until alerting has read every risk, and what it made of them was seen."""
    with suppress(TimeoutError):
        async with asyncio.timeout(ALERTS_WITHIN_S):
            await _caught_up(stack.bootstrap)
            while any(verdict.missed for verdict in judge(ward.patients, follower.seen.alerts.values(), stack.keys)):
                await heard(follower)


async def _caught_up(bootstrap: str) -> None:
    """Return when alerting has committed everything that is on patient-risk now."""
    partitions = [TopicPartition(Topic.PATIENT_RISK.value, n) for n in range(registry()[Topic.PATIENT_RISK].partitions)]
    async with _admin(bootstrap) as admin:
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
        await consumer.start()
        try:
            ends = await consumer.end_offsets(partitions)
        finally:
            await consumer.stop()
        while True:
            done = await admin.list_consumer_group_offsets(ALERTING_GROUP)
            if all(end == 0 or (part in done and done[part].offset >= end) for part, end in ends.items()):
                return
            await asyncio.sleep(POLL_S)  # commits announce themselves nowhere


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


def _open_runs(data_dir: Path) -> Iterable[Ward]:
    """Wards of earlier runs in this data folder whose patients still lie in the beds; forgotten when taken."""
    path = _memory(data_dir)
    if not path.exists():
        return []
    plans = [json.loads(line) for line in path.read_text().splitlines()]
    path.unlink()
    return [
        generate(
            Plan(
                seed=plan["seed"],
                start=datetime.fromisoformat(plan["start"]),
                run=plan["run"],
                hours=plan["hours"],
                vitals_every=timedelta(seconds=plan["vitals_every_s"]),
            )
        )
        for plan in plans
    ]


def _remember(data_dir: Path, plan: Plan) -> None:
    path = _memory(data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {
        "seed": plan.seed,
        "start": plan.start.isoformat(),
        "run": plan.run,
        "hours": plan.hours,
        "vitals_every_s": plan.vitals_every.total_seconds(),
    }
    with path.open("a") as file:
        file.write(json.dumps(entry) + "\n")


def _memory(data_dir: Path) -> Path:
    return data_dir / "ward" / "open-runs.jsonl"
