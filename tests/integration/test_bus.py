"""The batch loop on real Kafka."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from vigil.v1.images_pb2 import ImageFindings, ImageReceived
from vigil.v1.meta_pb2 import Meta

from services.common import bus
from services.common.bus import Loop, Producer, Publish, Received, consume
from services.common.health import Health
from services.common.outcomes import Invalid, Transient
from services.common.settings import REPOSITORY, SharedSettings
from services.common.topics import Topic, message_class, registry

pytestmark = pytest.mark.timeout(180)

Seen = list[Any]


@pytest.fixture
def settings(kafka: SharedSettings) -> SharedSettings:
    return kafka.model_copy(update={"instance": "test"})


def image(name: str, key: str = "") -> Publish:
    message = ImageReceived(meta=Meta(message_id=name, patient_key=name))
    return Publish(to=Topic.IMAGES_RECEIVED, key=key or name, message=message)


async def answer(received: Received) -> Sequence[Publish]:
    findings = ImageFindings(meta=Meta(message_id=f"findings-{received.message.meta.message_id}"))
    return [Publish(to=Topic.IMAGE_FINDINGS, key=received.key, message=findings)]


def ids(seen: Seen) -> list[str]:
    return [message.meta.message_id for message in seen]


async def until(condition: Callable[[], bool], limit_s: float = 60) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - conditions are about what Kafka holds
            await asyncio.sleep(0.02)


@asynccontextmanager
async def following(settings: SharedSettings, topic: Topic) -> AsyncIterator[Seen]:
    """Messages that come to `topic` from now on."""
    partitions = [TopicPartition(topic, number) for number in range(registry()[topic].partitions)]
    seen: Seen = []
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap)
    await consumer.start()
    consumer.assign(partitions)
    await consumer.seek_to_end(*partitions)

    async def follow() -> None:
        async for record in consumer:
            seen.append(message_class(topic).FromString(record.value))

    task = asyncio.create_task(follow())
    try:
        yield seen
    finally:
        task.cancel()
        await consumer.stop()


@asynccontextmanager
async def running(settings: SharedSettings, handler: bus.Handler, health: Health) -> AsyncIterator[asyncio.Task[None]]:
    async with Producer(settings, "test") as producer:
        loop = Loop("image-router", handler, producer)
        task = asyncio.create_task(consume(settings, loop, [Topic.IMAGES_RECEIVED], health))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_poison_message_becomes_a_dead_letter_and_the_next_is_handled(settings: SharedSettings) -> None:
    async def refuse_one(received: Received) -> Sequence[Publish]:
        if received.message.meta.message_id == "poison":
            raise Invalid("no pixels in it")
        return await answer(received)

    async with (
        following(settings, Topic.IMAGE_ROUTER_DLQ) as letters,
        following(settings, Topic.IMAGE_FINDINGS) as findings,
        Producer(settings, "test") as producer,
        running(settings, refuse_one, Health()),
    ):
        await producer.publish_all([image("poison"), image("good")])
        await until(lambda: len(letters) == 1 and "findings-good" in ids(findings))
    letter = letters[0]
    assert (letter.reason, letter.topic, letter.key) == ("no pixels in it", "images-received", b"poison")
    assert ImageReceived.FromString(letter.payload).meta.message_id == "poison"
    assert "test_bus.py" in letter.stack


async def test_bytes_that_are_no_message_become_a_dead_letter(settings: SharedSettings) -> None:
    async with (
        following(settings, Topic.IMAGE_ROUTER_DLQ) as letters,
        Producer(settings, "test") as producer,
        running(settings, answer, Health()),
    ):
        await producer._producer.send_and_wait(Topic.IMAGES_RECEIVED, b"\xff\xff\xff", key=b"rubbish")
        await until(lambda: len(letters) == 1)
    assert letters[0].reason == "not a vigil.v1.ImageReceived"
    assert letters[0].payload == b"\xff\xff\xff"


async def test_a_transient_fault_is_tried_again_and_nothing_overtakes(settings: SharedSettings) -> None:
    tries: list[str] = []

    async def fail_twice(received: Received) -> Sequence[Publish]:
        name = received.message.meta.message_id
        tries.append(name)
        if name == "slow" and tries.count("slow") < 3:
            raise Transient("busy")
        return await answer(received)

    async with (
        following(settings, Topic.IMAGE_FINDINGS) as findings,
        Producer(settings, "test") as producer,
        running(settings, fail_twice, Health()),
    ):
        await producer.publish_all([image("slow", key="p"), image("quick", key="p")])
        await until(lambda: "findings-quick" in ids(findings))
    assert [name for name in ids(findings) if name in ("findings-slow", "findings-quick")] == [
        "findings-slow",
        "findings-quick",
    ]
    assert tries.count("slow") == 3


async def test_an_unexpected_error_stops_the_loop_with_nothing_committed(settings: SharedSettings) -> None:
    async def break_down(_: Received) -> Sequence[Publish]:
        raise KeyError("a bug")

    async with following(settings, Topic.IMAGE_FINDINGS) as findings, Producer(settings, "test") as producer:
        async with running(settings, break_down, Health()) as task:
            await producer.publish(image("survivor"))
            with pytest.raises(KeyError):
                await asyncio.wait_for(asyncio.shield(task), 60)
        async with running(settings, answer, Health()):
            await until(lambda: "findings-survivor" in ids(findings))


async def test_many_dead_letters_in_a_row_stop_the_consumer(settings: SharedSettings) -> None:
    async def refuse(_: Received) -> Sequence[Publish]:
        raise Invalid("a bad deploy refuses everything")

    health = Health()
    async with (
        following(settings, Topic.IMAGE_ROUTER_DLQ) as letters,
        Producer(settings, "test") as producer,
        running(settings, refuse, health),
    ):
        await producer.publish_all([image(f"bad-{number}") for number in range(bus.DEAD_LETTERS_IN_A_ROW)])
        await until(lambda: bool(health.loops) and "in a row" in health.loops["bus"].halted)
        await producer.publish(image("kept for later"))
        assert "in a row" in (await health.unready())["bus"]
        assert health.stalled() == {}
    assert b"kept for later" not in [letter.key for letter in letters]
    async with following(settings, Topic.IMAGE_FINDINGS) as findings, running(settings, answer, Health()):
        await until(lambda: "findings-kept for later" in ids(findings))


CHILD = """
import asyncio
from services.common.bus import Loop, Producer, consume
from services.common.health import Health
from services.common.settings import SharedSettings
from services.common.topics import Topic
from tests.integration.test_bus import answer

async def main():
    settings = SharedSettings()
    async with Producer(settings, "child") as producer:
        await consume(settings, Loop("image-router", answer, producer), [Topic.IMAGES_RECEIVED], Health())

asyncio.run(main())
"""


def child(settings: SharedSettings) -> subprocess.Popen[bytes]:
    env = os.environ | {"VIGIL_KAFKA_BOOTSTRAP": settings.kafka_bootstrap, "VIGIL_INSTANCE": settings.instance}
    return subprocess.Popen([sys.executable, "-c", CHILD], env=env, cwd=REPOSITORY)


async def test_a_loop_killed_in_the_middle_loses_nothing(settings: SharedSettings) -> None:
    names = [f"n{number}" for number in range(2000)]
    async with following(settings, Topic.IMAGE_FINDINGS) as findings, Producer(settings, "test") as producer:
        process = child(settings)
        try:
            for start in (0, 1000):
                sending = asyncio.create_task(
                    producer.publish_all([image(name) for name in names[start : start + 1000]])
                )
                await until(lambda start=start: len(findings) > start + 100)  # type: ignore[misc]
                process.kill()
                process.wait()
                await sending
                process = child(settings)
            await until(lambda: {f"findings-{name}" for name in names} <= set(ids(findings)), 90)
        finally:
            process.kill()
            process.wait()
