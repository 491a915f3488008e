"""The Faust app under services with state: its settings, its table, and where it begins to read."""

import logging
from collections.abc import Mapping
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, FutureMessage, TransportT
from mode.utils.queues import ThrowableQueue

from services.common.bus import MAX_MESSAGE_BYTES, SESSION_TIMEOUT_MS
from services.common.settings import SharedSettings

COMMIT_INTERVAL_S = 0.5
BROKER_OUTAGE_S = 120.0  # sends wait this long for a broker before the process gives up and restarts
# Small segments, cleaned eagerly: a restart reads little more than the newest state of each key.
CHANGELOG = {
    "segment.ms": "600000",
    "segment.bytes": str(64 * 1024 * 1024),
    "min.cleanable.dirty.ratio": "0.2",
    "max.compaction.lag.ms": "3600000",
    "max.message.bytes": str(MAX_MESSAGE_BYTES),
}


class SeekingConsumer(driver.Consumer):
    """Seeks every partition before work begins, also those without a committed offset.

    While the table is recovered Faust throws away what was fetched of other partitions, and goes back to the committed
    offset afterwards. It does not go back where none is, or where it is 0: those messages were never handled, and were
    committed with the next one.
    """

    async def seek_to_committed(self) -> Mapping[TP, int]:
        committed = dict(await super().seek_to_committed())
        changelogs = self.app.tables.changelog_topics
        left = [tp for tp in self.assignment() if tp.topic not in changelogs and not committed.get(tp)]
        begins = dict(await self.earliest_offsets(*left)) if left else {}
        await self.seek_wait(begins)
        return committed | begins


class SeekingTransport(driver.Transport):
    Consumer = SeekingConsumer


class LosslessApp(faust.App):
    """Faust, without its dropping of what was already fetched.

    When recovery ends it seeks to the committed offsets, lets the flow of messages resume, and empties the queues of
    the streams. What came into a queue between the seek and that is not fetched again: it was lost until the next
    start. Kept instead, a message may come twice, which changes nothing.
    """

    def FlowControlQueue(self, maxsize: int | None = None, *, clear_on_resume: bool = False) -> "ThrowableQueue[Any]":  # noqa: ARG002, N802
        return super().FlowControlQueue(maxsize, clear_on_resume=False)

    def _new_transport(self) -> TransportT:
        return SeekingTransport(self.conf.broker_consumer, self)


class DurableTable(faust.Table):  # type: ignore[type-arg]
    """A Faust table of raw bytes whose changelog writes can be awaited.

    `table[key] = value` needs a current event and forgets the future of its changelog write; a batch has many
    events and must not acknowledge them before that write is durable.
    """

    logger = logging.getLogger("faust.tables")

    def put(self, key: bytes, value: bytes) -> FutureMessage:
        """Keep `value` and send it to the changelog, partitioned by `key`; the future ends when Kafka has it."""
        self.data[key] = value
        return self.send_changelog(None, key, value)


def create_app(service: str, settings: SharedSettings, partitions: int) -> faust.App:
    """A Faust app with the settings that were measured to survive kills and outages; it serves no HTTP."""
    directory = settings.data_dir / "faust" / service
    directory.mkdir(parents=True, exist_ok=True)
    return LosslessApp(
        service,
        broker=[f"aiokafka://{address}" for address in settings.kafka_bootstrap.split(",")],
        datadir=directory,
        store="memory://",
        topic_partitions=partitions,
        topic_disable_leader=True,
        web_enabled=False,
        broker_client_id=service,
        # A member that comes back under its own name needs no rebalance, and a dead one is missed after 6 s, not 60.
        consumer_group_instance_id=settings.member_id(service),
        broker_session_timeout=SESSION_TIMEOUT_MS / 1000,
        broker_heartbeat_interval=1.5,
        broker_commit_interval=COMMIT_INTERVAL_S,
        broker_max_poll_interval=300.0,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=MAX_MESSAGE_BYTES,
        consumer_metadata_max_age_ms=30_000,
        producer_acks=-1,
        producer_request_timeout=BROKER_OUTAGE_S,
        producer_max_request_size=MAX_MESSAGE_BYTES,
        producer_max_batch_size=256 * 1024,
        producer_metadata_max_age_ms=30_000,
        stream_wait_empty=False,
        stream_buffer_maxsize=4096,
    )
