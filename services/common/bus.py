"""Kafka for services without state: a durable producer and the batch loop.

The loop takes a batch, handles it concurrently, sends every output, waits until Kafka has them all (acks=all),
and only then commits. So a crash at any moment repeats messages and loses none; ids make repeats harmless.
"""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import CommitFailedError, KafkaConnectionError, KafkaError
from google.protobuf.message import DecodeError, Message
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_delay,
    stop_never,
    wait_exponential_jitter,
)
from vigil.v1.dead_letters_pb2 import DeadLetter

from services.common.clock import Clock, to_timestamp, utc_now
from services.common.health import Health, Progress
from services.common.metrics import (
    BUS_BATCH_MESSAGES,
    BUS_BATCH_SECONDS,
    BUS_LAG,
    BUS_MESSAGES,
    PUBLISH_SECONDS,
    PUBLISHED,
)
from services.common.outcomes import Invalid, Transient
from services.common.settings import SharedSettings
from services.common.topics import Topic, dead_letter_topic, message_class

log = structlog.get_logger()

MAX_MESSAGE_BYTES = (
    8 * 1024 * 1024
)  # a coded note of 1 MB carries its text and every mention; the brokers allow as much
PUBLISH_DEADLINE_S = 10.0
TRANSIENT_LIMIT_S = 120.0
MAX_POLL_INTERVAL_MS = 300_000  # longer than a batch may wait for a dependency
SESSION_TIMEOUT_MS = 6_000
HEARTBEAT_MS = 1_500
POLL_MS = 200
LAG_EVERY_S = 5.0
LAG_DEADLINE_S = 5.0
DEAD_LETTERS_IN_A_ROW = 20
FAILING_KEYS = 5  # fewer patients than this are a device's or a sender's fault, not the deploy's


@dataclass(frozen=True, slots=True)
class Publish:
    """A message to send: `key` is text (the patient key, an alert id) or the raw key of a dead letter.

    partition: where it must go when the key does not decide; None: by key.
    """

    to: Topic
    key: str | bytes
    message: Message
    headers: Mapping[str, bytes] = field(default_factory=dict)
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A message that was taken and decoded."""

    topic: Topic
    partition: int
    offset: int
    key: bytes
    message: Any
    headers: Mapping[str, bytes]


Handler = Callable[[Received], Awaitable[Sequence[Publish]]]


def headers_of(message: Message) -> dict[str, bytes]:
    """Kafka headers: the message's type, and its trace parent when it carries `meta`."""
    headers = {"type": message.DESCRIPTOR.full_name.encode()}
    meta = getattr(message, "meta", None)
    if meta is not None and meta.trace_parent:
        headers["traceparent"] = meta.trace_parent.encode()
    return headers


def decode(topic: Topic, payload: bytes | None) -> Message:
    """The topic's message. Raises Invalid for bytes that are none."""
    try:
        return message_class(topic).FromString(payload or b"")
    except DecodeError as error:
        raise Invalid(f"not a {message_class(topic).DESCRIPTOR.full_name}") from error


def dead_letter(service: str, record: ConsumerRecord, error: Exception, clock: Clock) -> Publish:
    """`record` whole, with why and where in the code it failed (files and lines, no values)."""
    frames = traceback.extract_tb(error.__traceback__)
    letter = DeadLetter(
        service=service,
        reason=getattr(error, "reason", type(error).__name__),
        stack="\n".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames),
        failed_at=to_timestamp(clock()),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key or b"",
        headers=dict(record.headers),
        payload=record.value or b"",
    )
    return Publish(to=dead_letter_topic(service), key=record.key or b"", message=letter)


def until_it_works(
    limit_s: float | None = TRANSIENT_LIMIT_S, on_wait: Callable[[], None] | None = None
) -> AsyncRetrying:
    """Retry of what raises Transient, with growing pauses; after `limit_s` seconds the error comes out.

    on_wait: called before each pause. A loop that waits for something outside is alive: a restart would not help.
    """
    return AsyncRetrying(
        retry=retry_if_exception_type(Transient),
        wait=wait_exponential_jitter(multiplier=0.05, max=1.0),
        stop=stop_never if limit_s is None else stop_after_delay(limit_s),
        before_sleep=None if on_wait is None else lambda _: on_wait(),
        reraise=True,
    )


async def connected(client: Any) -> None:
    """Start an aiokafka client, waiting for as long as no broker answers."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type((KafkaConnectionError, KafkaError)),
        wait=wait_exponential_jitter(multiplier=0.1, max=1.0),
        before_sleep=lambda _: log.warning("waiting for Kafka"),
        reraise=True,
    ):
        with attempt:
            await client.start()


class Producer:
    """Idempotent, acks=all. Use as an async context manager; entering waits for a broker."""

    def __init__(self, settings: SharedSettings, client_id: str) -> None:
        self._bootstrap = settings.kafka_bootstrap
        self._client_id = client_id

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            client_id=self._client_id,
            acks="all",
            enable_idempotence=True,
            max_request_size=MAX_MESSAGE_BYTES,
            max_batch_size=256 * 1024,  # 16 KB, the default, queues one request behind another for 3 KB notes
            metadata_max_age_ms=30_000,
        )
        await connected(self._producer)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            async with asyncio.timeout(PUBLISH_DEADLINE_S):
                await self._producer.stop()
        except TimeoutError:
            log.warning("stopped without Kafka's answer; nothing unacknowledged was committed")

    async def publish(self, publish: Publish) -> None:
        """Return once Kafka has the message (acks=all). Raises as `publish_all`."""
        await self.publish_all([publish])

    async def publish_all(self, publishes: Sequence[Publish]) -> None:
        """Send in order and return once Kafka has every one.

        Raises Transient when Kafka does not acknowledge within `PUBLISH_DEADLINE_S`: some may be there all the
        same, and sending them again is harmless. Raises Invalid for a message larger than `MAX_MESSAGE_BYTES`.
        """
        if not publishes:
            return
        started = time.perf_counter()
        encoded = [(publish, _encoded(publish)) for publish in publishes]
        try:
            async with asyncio.timeout(PUBLISH_DEADLINE_S):
                pending = [
                    await self._producer.send(
                        publish.to,
                        payload,
                        key=_key(publish),
                        partition=publish.partition,
                        headers=list(_headers(publish).items()),
                    )
                    for publish, payload in encoded
                ]
                # Shielded: the deadline must not cancel what is on its way.
                await asyncio.gather(*(asyncio.shield(future) for future in pending))
        except (TimeoutError, KafkaError) as error:
            raise Transient(f"Kafka did not acknowledge: {type(error).__name__}") from error
        PUBLISH_SECONDS.observe(time.perf_counter() - started)
        for publish in publishes:
            PUBLISHED.labels(publish.to).inc()

    async def check(self) -> None:
        """Readiness probe: a broker answers a metadata request. Raises KafkaError."""
        await self._producer.client.fetch_all_metadata()


def _encoded(publish: Publish) -> bytes:
    payload = publish.message.SerializeToString()
    if len(payload) > MAX_MESSAGE_BYTES - 64 * 1024:
        raise Invalid(f"a message of {len(payload)} bytes is larger than Kafka takes here")
    return payload


def _key(publish: Publish) -> bytes:
    return publish.key if isinstance(publish.key, bytes) else publish.key.encode()


def _headers(publish: Publish) -> dict[str, bytes]:
    return headers_of(publish.message) | dict(publish.headers)


@dataclass(slots=True)
class DeadLetterLimit:
    """A bad deploy that fails many messages in a row must stop its consumer, not empty the topic.

    Many of a few patients only do not count: one device that sends unreadable images must not stop the others.
    """

    in_a_row: int = 0
    keys: set[bytes] = field(default_factory=set)

    def count(self, key: bytes | None, *, failed: bool) -> None:
        """Take note of how handling the message with this Kafka key ended."""
        if not failed:
            self.in_a_row = 0
            self.keys.clear()
            return
        self.in_a_row += 1
        if len(self.keys) < FAILING_KEYS:
            self.keys.add(key or b"")

    @property
    def reached(self) -> bool:
        """Whether the consumer must stop."""
        return self.in_a_row >= DEAD_LETTERS_IN_A_ROW and len(self.keys) >= FAILING_KEYS


@dataclass(frozen=True, slots=True)
class Loop:
    """What the batch loop works with."""

    service: str
    handler: Handler
    producer: Producer
    clock: Clock = utc_now


async def consume(
    settings: SharedSettings,
    loop: Loop,
    topics: Sequence[Topic],
    health: Health,
    *,
    max_batch: int = 64,
) -> None:
    """Run the batch loop until cancelled; one member of the consumer group named like the service.

    max_batch: messages handled concurrently at most. Raises what a handler raised beyond the named outcomes, and
    Transient when that lasted longer than `TRANSIENT_LIMIT_S`.
    """
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=settings.kafka_bootstrap,
        client_id=loop.service,
        group_id=loop.service,
        group_instance_id=settings.member_id(loop.service),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
        max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
        max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
        metadata_max_age_ms=30_000,
    )
    progress = health.progress("bus")
    await connected(consumer)
    limit = DeadLetterLimit()
    lag_checked = 0.0
    try:
        while True:
            batches = await consumer.getmany(timeout_ms=POLL_MS, max_records=max_batch)
            records = [record for batch in batches.values() for record in batch]
            if records:
                await _handle_batch(consumer, loop, records, limit, progress)
                progress.tick()
            if time.monotonic() - lag_checked > LAG_EVERY_S or not progress.started:
                lag_checked = time.monotonic()
                await _watch_lag(consumer, progress, idle=not records)
            if limit.reached:
                await _halt(consumer, progress, limit)
    finally:
        await consumer.stop()


async def _handle_batch(
    consumer: AIOKafkaConsumer,
    loop: Loop,
    records: Sequence[ConsumerRecord],
    limit: DeadLetterLimit,
    progress: Progress,
) -> None:
    started = time.perf_counter()
    outputs = await asyncio.gather(*(_handle(loop, record, progress) for record in records))
    for record, publishes in zip(records, outputs, strict=True):
        failed = any(isinstance(publish.message, DeadLetter) for publish in publishes)
        BUS_MESSAGES.labels(record.topic, "dead_letter" if failed else "handled").inc()
        limit.count(record.key, failed=failed)
    async for attempt in until_it_works(on_wait=progress.tick):
        with attempt:
            await loop.producer.publish_all([publish for publishes in outputs for publish in publishes])
    try:
        await consumer.commit()
    except CommitFailedError:
        # The partitions moved to another member, which handles these messages again under the same ids.
        log.warning("partitions were taken away before the commit")
    except KafkaError as error:
        log.warning("the commit did not arrive; these messages may be handled again", error=type(error).__name__)
    BUS_BATCH_SECONDS.labels(loop.service).observe(time.perf_counter() - started)
    BUS_BATCH_MESSAGES.labels(loop.service).observe(len(records))


async def _handle(loop: Loop, record: ConsumerRecord, progress: Progress) -> Sequence[Publish]:
    """The one ladder from outcomes to actions."""
    topic = Topic(record.topic)
    try:
        received = Received(
            topic=topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key or b"",
            message=decode(topic, record.value),
            headers=dict(record.headers),
        )
        async for attempt in until_it_works(on_wait=progress.tick):
            with attempt:
                return await loop.handler(received)
    except Invalid as error:
        log.warning("dead letter", topic=topic, partition=record.partition, offset=record.offset, reason=error.reason)
        return [dead_letter(loop.service, record, error, loop.clock)]
    raise AssertionError("unreachable: the last attempt returns or raises")


async def _watch_lag(consumer: AIOKafkaConsumer, progress: Progress, *, idle: bool) -> None:
    """Measure the lag. A loop that is idle although messages wait has silently stopped and does not tick."""
    partitions = consumer.assignment()
    waiting: dict[str, int] = {}
    try:
        async with asyncio.timeout(LAG_DEADLINE_S):
            ends = await consumer.end_offsets(partitions) if partitions else {}
            for partition, end in ends.items():
                lag = end - await consumer.position(partition)
                waiting[partition.topic] = waiting.get(partition.topic, 0) + max(lag, 0)
    except (KafkaError, TimeoutError):
        progress.tick()  # the broker is away: nothing that a restart of this process would mend
        return
    for topic, lag in waiting.items():
        BUS_LAG.labels(topic).set(lag)
    if partitions and not (idle and any(waiting.values())):
        progress.tick()


async def _halt(consumer: AIOKafkaConsumer, progress: Progress, limit: DeadLetterLimit) -> None:
    reason = f"stopped after {limit.in_a_row} dead letters in a row; look at them, then restart"
    log.critical(reason)
    progress.halt(reason)
    consumer.pause(*consumer.assignment())
    await asyncio.Event().wait()
