"""Kafka for services with state: a Faust app whose table is held in memory and rebuilt from its changelog.

A batch is handled in order; then every output is durable (acks=all), then every changed state is durable in the
changelog, and only then are the messages acknowledged. A crash between any two steps repeats messages: before the
changelog the old state makes the same outputs again under the same ids, after it the state knows the message.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar, cast

import structlog
from aiokafka import TopicPartition
from faust.streams import Stream
from faust.tables.manager import TableManager
from faust.types import EventT, StreamT, TopicT

from services.common.bus import (
    DeadLetterLimit,
    Producer,
    Publish,
    Received,
    dead_letter,
    decode,
    until_it_works,
)
from services.common.clock import Clock, utc_now
from services.common.health import Health, Progress
from services.common.metrics import BUS_BATCH_MESSAGES, BUS_BATCH_SECONDS, BUS_MESSAGES
from services.common.outcomes import Invalid, Transient
from services.common.settings import SharedSettings
from services.common.stateful_app import BROKER_OUTAGE_S, CHANGELOG, DurableTable, create_app
from services.common.stateful_watch import STALL_LIMIT_S, LagWatch
from services.common.topics import Topic, registry

log = structlog.get_logger()

MAX_BATCH = 500  # a backlog of some seconds is put in order as a whole
BATCH_WITHIN_S = 0.01  # how long a batch may fill; adds to the latency of a lone message
STOP_LIMIT_S = 3.0


class TableValue(Protocol):
    """What a table keeps: a protobuf message, or what reads and writes itself as one."""

    def SerializeToString(self) -> bytes: ...  # noqa: N802 - protobuf's name

    @classmethod
    def FromString(cls, s: bytes) -> Self: ...  # noqa: N802 - protobuf's name


T = TypeVar("T", bound=TableValue)


class StatefulError(RuntimeError):
    """Faust stopped, or its consumer no longer progresses. The process must be started again."""


class States(Generic[T]):
    """The states by key: what a handler reads and writes while it handles one message.

    A write shows to the messages after it, and is dropped when the message that made it turns out Invalid.
    Values are never changed in place: put a new message.
    """

    def __init__(self, state_class: type[T], stored: Mapping[bytes, bytes]) -> None:
        self._class = state_class
        self._stored = stored
        self._decoded: dict[str, T] = {}
        self._batch: dict[str, T] = {}
        self._message: dict[str, T] = {}

    def get(self, key: str) -> T | None:
        """The newest state of `key`, with what this batch has changed."""
        for changes in (self._message, self._batch, self._decoded):
            if key in changes:
                return changes[key]
        stored = self._stored.get(key.encode())
        if stored is None:
            return None
        return self._decoded.setdefault(key, self._class.FromString(stored))

    def put(self, key: str, state: T) -> None:
        """Replace the state of `key`."""
        self._message[key] = state

    def __iter__(self) -> Iterator[str]:
        """Keys in order, of what is durable."""
        return iter(sorted(key.decode() for key in self._stored))

    def __len__(self) -> int:
        return len(self._stored)

    def keep_message(self) -> None:
        self._batch |= self._message
        self._message = {}

    def drop_message(self) -> None:
        self._message = {}

    def take_batch(self) -> dict[str, T]:
        """What the batch changed; from now on it counts as stored."""
        changed, self._batch = self._batch, {}
        self._decoded |= changed
        return changed

    def forget_decoded(self) -> None:
        """After recovery only what is stored counts."""
        self._decoded = {}


Handler = Callable[[Received, States[T]], Awaitable[Sequence[Publish]]]
Completion = Callable[[Sequence[Publish], States[T]], Awaitable[Sequence[Publish]]]


@dataclass(frozen=True, slots=True)
class Stateful(Generic[T]):
    """What a service with state is made of.

    service: consumer group, prefix of the changelog (`<service>-<table>-changelog`) and of the dead letters.
    inputs: topics with the same number of partitions; the changelog gets as many.
    state_class: protobuf message of the table's values, or a class that reads and writes itself as one.
    handler: plain coroutine, message and states in, messages to publish out; may raise Invalid and Transient.
    completion: sees all messages of a batch before they are sent, may give others in their place and may put states:
    what is asked of somebody else is asked once for the whole batch. It raises nothing.
    """

    service: str
    inputs: Sequence[Topic]
    table: str
    state_class: type[T]
    handler: Handler[T]
    clock: Clock = utc_now
    completion: Completion[T] | None = None
    max_batch: int = MAX_BATCH
    batch_within_s: float = BATCH_WITHIN_S


@dataclass(slots=True)
class _Record:
    """A Faust message in the shape of a Kafka record, for dead letters."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class StatefulService(Generic[T]):
    """One running member. `states` may be read by servers in the same loop; only the handler writes."""

    def __init__(self, spec: Stateful[T], settings: SharedSettings, producer: Producer, health: Health) -> None:
        partitions = {registry()[topic].partitions for topic in spec.inputs}
        if len(partitions) != 1:
            raise ValueError(f"inputs of {spec.service} differ in their number of partitions")
        self._spec = spec
        self._settings = settings
        self._producer = producer
        self._progress: Progress = health.progress("faust", STALL_LIMIT_S)
        self._limit = DeadLetterLimit()
        self._app = create_app(spec.service, settings, partitions.pop())
        self._table = self._create_table()
        self.states: States[T] = States(spec.state_class, self._table.data)
        self._failure: asyncio.Future[None] | None = None
        self._owned: tuple[int, int] | None = None

    def _create_table(self) -> DurableTable:
        table = DurableTable(
            self._app,
            name=self._spec.table,
            key_type=bytes,
            value_type=bytes,
            partitions=self._app.conf.topic_partitions,
            extra_topic_configs=CHANGELOG,
            use_partitioner=True,
            on_recover=self._recovered,
        )
        self._app.tables.add(table)
        return table

    @property
    def recovered(self) -> bool:
        """Whether `states` holds all that was stored; before, a reader would take a part for the whole."""
        return self._owned is not None

    async def _recovered(self) -> None:
        """Called by Faust before the first message of each assignment of partitions."""
        if self._owned is not None:
            self._fail(StatefulError("the partitions were handed out anew"))
            return
        self._owned = self._assignment()
        self.states.forget_decoded()
        log.info("state recovered", states=len(self.states))

    def _assignment(self) -> tuple[int, int]:
        """Changes as soon as a rebalance begins."""
        return self._app.rebalancing_count, self._app.consumer_generation_id

    def _fail(self, error: BaseException) -> None:
        """End `run` with this error."""
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)
            self._failure.exception()  # read, so that asyncio does not report it a second time

    async def run(self) -> None:
        """Consume until cancelled. Raises what a handler raised beyond the named outcomes, and StatefulError."""
        self._failure = asyncio.get_running_loop().create_future()
        self._app.agent(self._inputs(), name=self._spec.service)(self._agent)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._end_with_failure())
                group.create_task(self._end_with_app())
                group.create_task(LagWatch(self._spec.service, self._settings, self._assigned, self._progress).run())
        finally:
            await self._stop()

    def _inputs(self) -> TopicT:
        # Raw, because Faust acknowledges what it cannot decode, and that would lose it. Our own codec never does.
        return self._app.topic(
            *self._spec.inputs,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            allow_empty=True,
        )

    def _assigned(self) -> Sequence[TopicPartition] | None:
        tables = cast("TableManager", self._app.tables)
        if not tables.recovery.completed.is_set() or self._app.rebalancing:
            return None
        partitions = self._app.consumer.assignment()
        return [TopicPartition(tp.topic, tp.partition) for tp in partitions if tp.topic in self._spec.inputs]

    async def _end_with_failure(self) -> None:
        assert self._failure is not None
        await self._failure

    async def _end_with_app(self) -> None:
        await self._app.start()
        await self._app.wait_until_stopped()
        raise StatefulError(f"Faust stopped: {type(self._app.crash_reason).__name__}") from self._app.crash_reason

    async def _stop(self) -> None:
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await self._app.stop()
        except TimeoutError:
            log.warning("Faust did not stop in time; nothing unacknowledged was committed")

    async def _agent(self, stream: StreamT[bytes]) -> None:
        try:
            await self._consume(stream)
        except (Exception, asyncio.CancelledError) as error:
            # Faust would start the agent again without the batch in hand; the process must start again instead.
            cancelled = isinstance(error, asyncio.CancelledError)
            self._fail(StatefulError("Faust cancelled the agent") if cancelled else error)
            raise

    async def _consume(self, stream: StreamT[bytes]) -> None:
        batches = cast("Stream[bytes]", stream).noack_take(self._spec.max_batch, within=self._spec.batch_within_s)
        # Faust declares values; noack_take yields events.
        async for events in cast("AsyncIterator[Sequence[EventT[bytes]]]", batches):
            await self._handle_batch(events)
            for event in events:
                event.ack()
            if self._limit.reached:
                await self._halt()

    def _must_still_own(self) -> None:
        """Raises StatefulError when the partitions were, or are being, handed out anew.

        Recovery then writes older states over the table while a batch is in hand, and Faust may take what it had
        fetched before for a gap in the log and commit past what is unread. A fresh start does neither.
        """
        if self._assignment() != self._owned:
            raise StatefulError("the partitions were handed out anew; a fresh start reads what was not committed")

    async def _handle_batch(self, events: Sequence[EventT[bytes]]) -> None:
        started = time.perf_counter()
        self._must_still_own()
        outputs: list[Publish] = []
        # A backlog comes topic by topic; in the order of writing, a note does not overtake the vital signs before it.
        for event in sorted(events, key=lambda event: event.message.timestamp):
            outputs += await self._handle(event)
        if self._spec.completion is not None:
            outputs = list(await self._spec.completion(outputs, self.states))
            self.states.keep_message()
        async for attempt in until_it_works(BROKER_OUTAGE_S, self._progress.tick):
            with attempt:
                await self._producer.publish_all(outputs)
        self._must_still_own()
        changed = self.states.take_batch()
        await asyncio.gather(
            *(self._table.put(key.encode(), state.SerializeToString()) for key, state in changed.items())
        )
        self._must_still_own()
        BUS_BATCH_SECONDS.labels(self._spec.service).observe(time.perf_counter() - started)
        BUS_BATCH_MESSAGES.labels(self._spec.service).observe(len(events))

    async def _handle(self, event: EventT[bytes]) -> Sequence[Publish]:
        """The ladder of `bus.consume`, around states."""
        message = event.message
        record = _Record(
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            key=message.key,
            value=message.value,
            headers=list(dict(message.headers or {}).items()),
        )
        try:
            outputs = await self._attempt(record)
        except Invalid as error:
            self.states.drop_message()
            self._limit.count(record.key, failed=True)
            BUS_MESSAGES.labels(record.topic, "dead_letter").inc()
            log.error(  # noqa: TRY400 - the trace is in the dead letter, without values
                "dead letter",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                reason=error.reason,
            )
            return [dead_letter(self._spec.service, record, error, self._spec.clock)]
        self.states.keep_message()
        self._limit.count(record.key, failed=False)
        BUS_MESSAGES.labels(record.topic, "handled").inc()
        return outputs

    async def _attempt(self, record: _Record) -> Sequence[Publish]:
        topic = Topic(record.topic)
        received = Received(
            topic=topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key or b"",
            message=decode(topic, record.value),
            headers=dict(record.headers),
        )
        try:
            return await self._spec.handler(received, self.states)
        except Transient:
            self.states.drop_message()
        async for attempt in until_it_works(on_wait=self._progress.tick):
            with attempt:
                self.states.drop_message()
                return await self._spec.handler(received, self.states)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _halt(self) -> None:
        reason = f"stopped after {self._limit.in_a_row} dead letters in a row; look at them, then restart"
        log.critical(reason)
        self._progress.halt(reason)
        await asyncio.Event().wait()
