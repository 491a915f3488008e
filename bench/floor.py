"""The floor under every latency of the pipeline: one message through Kafka and back, with nothing in between."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.pacing import due_times
from ward.account import quantiles

MESSAGE_BYTES = 1500  # what a round of vital signs takes
DRAIN_S = 10.0


async def round_trip(bootstrap: str, rate: float, seconds: float) -> dict[str, float]:
    """Quantiles in seconds from before produce (acks=all) to the consumer's hands, at `rate` messages a second."""
    async with (
        _scratch_topic(bootstrap) as topic,
        _producer(bootstrap) as producer,
        _reader(bootstrap, topic) as reader,
    ):
        count = round(rate * seconds)
        reading = asyncio.create_task(_delays(reader, count))
        began = time.time() + 0.1
        async with asyncio.TaskGroup() as sends:
            async for number in due_times(began, rate, count):
                payload = f"{time.time():.9f} {number} ".encode().ljust(MESSAGE_BYTES, b"x")
                sends.create_task(_send(producer, topic, payload))
        async with asyncio.timeout(DRAIN_S):
            return quantiles(await reading)


async def _send(producer: AIOKafkaProducer, topic: str, payload: bytes) -> None:
    await producer.send_and_wait(topic, payload)


async def _delays(reader: AIOKafkaConsumer, count: int) -> list[float]:
    delays: list[float] = []
    while len(delays) < count:
        batches = await reader.getmany(timeout_ms=200)
        now = time.time()
        delays += [now - float(record.value.split()[0]) for records in batches.values() for record in records]
    return delays


@asynccontextmanager
async def _scratch_topic(bootstrap: str) -> AsyncIterator[str]:
    name = f"bench-floor-{os.getpid()}-{time.time_ns()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
        yield name
        await admin.delete_topics([name])
    finally:
        await admin.close()


@asynccontextmanager
async def _producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def _reader(bootstrap: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        yield consumer
    finally:
        await consumer.stop()
