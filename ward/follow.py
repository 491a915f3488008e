"""Follows the topics while a ward is played, and keeps what came out of each message."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from vigil.v1.alerts_pb2 import Alert

from services.common.bus import MAX_MESSAGE_BYTES, decode
from services.common.clock import from_timestamp
from services.common.outcomes import Invalid
from services.common.topics import Topic, registry
from ward.events import Kind
from ward.warnings import Warned

FOLLOWED = (
    Topic.ENCOUNTERS,
    Topic.OBSERVATIONS_RECEIVED,
    Topic.NOTES_RECEIVED,
    Topic.IMAGES_RECEIVED,
    Topic.NOTES_CODED,
    Topic.IMAGE_FINDINGS,
    Topic.PATIENT_RISK,
    Topic.ALERTS,
    Topic.NOTE_INGEST_DLQ,
    Topic.NLP_CODER_DLQ,
    Topic.IMAGE_ROUTER_DLQ,
    Topic.FUSION_DLQ,
    Topic.ALERTING_DLQ,
)
POLL_MS = 200

Identity = tuple[str, str, str]


def identity(kind: Kind, patient_key: str, what: str) -> Identity:
    """What tells one sent message from all others: its kind, its patient, and document id, UID or event time."""
    return (kind.value, patient_key, what)


@dataclass(slots=True)
class Seen:
    """What was on the topics since the beginning.

    received: message ids by identity of the sent message. coded, read: ids of NoteCoded and ImageFindings by the id
    of their cause. risks: ids of PatientRisk by the id of each input that it took in. Counters count deliveries: two
    ids for one cause are two visible results, one id twice is a replay. times: seconds of first sight by id.
    warned: when scores and models warned, by patient.
    """

    received: dict[Identity, Counter[str]] = field(default_factory=dict)
    coded: dict[str, Counter[str]] = field(default_factory=dict)
    read: dict[str, Counter[str]] = field(default_factory=dict)
    risks: dict[str, Counter[str]] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    produced: dict[str, float] = field(default_factory=dict)
    ingested: dict[str, float] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    alert_caused: dict[str, tuple[str, float]] = field(default_factory=dict)
    warned: dict[str, Warned] = field(default_factory=dict)
    degraded: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    dead: list[tuple[str, str]] = field(default_factory=list)

    def take(self, topic: Topic, message: Any, at: float) -> None:
        """Take in one message of a topic, seen at `at` (seconds since the epoch)."""
        self.counts[topic] += 1
        if topic.value.endswith("-dlq"):
            self.dead.append((topic.value, message.reason))
            return
        ident = message.meta.message_id
        if topic is Topic.ALERTS:
            self._take_alert(message, at)
            return
        self.times.setdefault(ident, at)
        self.produced.setdefault(ident, from_timestamp(message.meta.produced_time).timestamp())
        self.ingested.setdefault(ident, from_timestamp(message.meta.ingest_time).timestamp())
        if topic is Topic.NOTES_CODED:
            self.coded.setdefault(message.note_message_id, Counter())[ident] += 1
            self.degraded += message.degraded
        elif topic is Topic.IMAGE_FINDINGS:
            self.read.setdefault(message.image_message_id, Counter())[ident] += 1
            self.degraded += bool(message.degraded_reason)
        elif topic is Topic.PATIENT_RISK:
            self.warned.setdefault(message.meta.patient_key, Warned()).take(message)
            for cause in message.caused_by:
                self.risks.setdefault(cause, Counter())[ident] += 1
        else:
            self.received.setdefault(_received_identity(topic, message), Counter())[ident] += 1

    def _take_alert(self, alert: Alert, at: float) -> None:
        newest = self.alerts.get(alert.id)
        if newest is None or alert.revision >= newest.revision:
            self.alerts[alert.id] = alert
        if alert.risk_message_id:
            self.alert_caused.setdefault(alert.id, (alert.risk_message_id, at))


def _received_identity(topic: Topic, message: Any) -> Identity:
    kind = Kind(topic.value)
    meta = message.meta
    what = from_timestamp(meta.event_time).isoformat(timespec="seconds")
    if kind is Kind.NOTE:
        what = message.document_id
    elif kind is Kind.IMAGE:
        what = message.image.sop_instance_uid
    elif kind is Kind.ENCOUNTER:
        what = f"{message.trigger} {what}"
    return identity(kind, meta.patient_key, what)


class Follower:
    """Reads the topics from now on. `seen` grows; `changed` is set after every batch."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.seen = Seen()
        self.changed = asyncio.Event()

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            batches = await self._consumer.getmany(timeout_ms=POLL_MS)
            now = time.time()
            for partition, records in batches.items():
                topic = Topic(partition.topic)
                for record in records:
                    if record.value is not None:
                        with suppress(Invalid):  # what nobody can read is nobody's result
                            self.seen.take(topic, decode(topic, record.value), now)
            if batches:
                self.changed.set()


@asynccontextmanager
async def follow(bootstrap: str, topics: Iterable[Topic] = FOLLOWED) -> AsyncIterator[Follower]:
    """Follow `topics` from their present ends, in the background."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(t.value, n) for t in topics for n in range(registry()[t].partitions)]
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        for partition, end in ends.items():
            consumer.seek(partition, end)
        follower = Follower(consumer)
        reading = asyncio.create_task(follower.run())
        try:
            yield follower
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    finally:
        await consumer.stop()
