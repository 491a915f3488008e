"""Whether a Faust consumer still progresses: measured at the broker, not asked of the consumer.

Faust consumers were seen to stop silently after long outages, without any error (faust-streaming #523, #602).
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.common.bus import connected
from services.common.health import Progress
from services.common.metrics import BUS_LAG
from services.common.settings import SharedSettings

log = structlog.get_logger()

WATCH_EVERY_S = 2.0
STALL_LIMIT_S = 60.0  # waiting messages and no commit for so long: the consumer has stopped


class StalledError(RuntimeError):
    """Messages wait and none was committed for `STALL_LIMIT_S`. The process must be started again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One partition: the offset committed, and the end of the log."""

    committed: int
    end: int

    @property
    def lag(self) -> int:
        return max(self.end - self.committed, 0)


@dataclass(slots=True)
class Movement:
    """Remembers since when each partition has had messages waiting without a commit."""

    standings: dict[TopicPartition, Standing] = field(default_factory=dict)
    stuck_since: dict[TopicPartition, float] = field(default_factory=dict)

    def look(self, standings: Mapping[TopicPartition, Standing], now: float) -> float:
        """Seconds that the worst partition has been stuck. now: monotonic seconds."""
        before, self.standings = self.standings, dict(standings)
        for partition, standing in standings.items():
            moved = partition not in before or before[partition].committed != standing.committed
            if moved or not standing.lag:
                self.stuck_since.pop(partition, None)
            else:
                self.stuck_since.setdefault(partition, now)
        for partition in set(self.stuck_since) - set(standings):
            del self.stuck_since[partition]  # another member has it now
        return max((now - since for since in self.stuck_since.values()), default=0.0)


@dataclass(slots=True)
class LagWatch:
    """Compares committed offsets with the log's ends over a connection of its own.

    assigned: partitions that this member should be working on; None while it recovers or is rebalanced.
    """

    group: str
    settings: SharedSettings
    assigned: Callable[[], Sequence[TopicPartition] | None]
    progress: Progress
    movement: Movement = field(default_factory=Movement)

    async def run(self) -> None:
        """Tick while the group moves or has nothing to do. Raises StalledError."""
        reader = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap, group_id=self.group, enable_auto_commit=False
        )
        try:
            await connected(reader)
            while True:
                await asyncio.sleep(WATCH_EVERY_S)
                partitions = self.assigned()
                if partitions is not None:
                    await self._look(reader, partitions)
        finally:
            await reader.stop()

    async def _look(self, reader: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        try:
            standings = await _standings(reader, list(partitions))
        except KafkaError:
            self.progress.tick()  # the broker is away: nothing that a restart of this process would mend
            self.movement = Movement()  # and nobody could have moved meanwhile
            return
        _report(standings)
        stuck_s = self.movement.look(standings, time.monotonic())
        if self.progress.halted:
            return
        if stuck_s > STALL_LIMIT_S:
            raise StalledError(f"messages wait and none was committed for {stuck_s:.0f} s")
        if stuck_s < STALL_LIMIT_S / 2:
            self.progress.tick()


async def _standings(reader: AIOKafkaConsumer, partitions: list[TopicPartition]) -> dict[TopicPartition, Standing]:
    if not partitions:
        return {}
    begins = await reader.beginning_offsets(partitions)
    ends = await reader.end_offsets(partitions)
    committed = {partition: await reader.committed(partition) for partition in partitions}
    return {
        partition: Standing(max(committed[partition] or 0, begins[partition]), ends[partition])
        for partition in partitions
    }


def _report(standings: Mapping[TopicPartition, Standing]) -> None:
    lags: dict[str, int] = {}
    for partition, standing in standings.items():
        lags[partition.topic] = lags.get(partition.topic, 0) + standing.lag
    for topic, lag in lags.items():
        BUS_LAG.labels(topic).set(lag)
