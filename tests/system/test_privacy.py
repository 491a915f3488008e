"""No name, number, birth date or note text of a patient may be seen outside the messages themselves."""

import re
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from google.protobuf.message import Message

from deploy.local.components import SERVICES, settings_class
from services.common.bus import MAX_MESSAGE_BYTES, decode
from services.common.topics import Topic, registry
from tests.system.running import Vigil
from tests.system.searching import leaks, logs_and_names
from ward.generate import Ward, discharges, generate
from ward.local import reachable
from ward.player import Ledger, Pace, connect, play
from ward.run import Play, plan_now

SECONDS = 10.0
QUIET = Play(seed=11, speed=24 * 3600 / SECONDS, vitals_every=timedelta(hours=1))
WORDS_OF_A_FRAGMENT = 5
SHORTEST_FRAGMENT = 20
URI = re.compile(rb"(?:file|s3|http|https)://[^\s\x00-\x1f\"]+")


def secrets_of(ward: Ward) -> set[str]:
    """Identifiers of every patient, and every few words of every note in a row."""
    named = {identifier for patient in ward.patients for identifier in patient.identifiers}
    return named | {fragment for event in ward.events for fragment in fragments(event.text)}


def fragments(text: str) -> Iterator[str]:
    for line in text.splitlines():
        words = line.split()
        for start in range(0, len(words) - WORDS_OF_A_FRAGMENT + 1, 2):
            fragment = " ".join(words[start : start + WORDS_OF_A_FRAGMENT])
            if len(fragment) >= SHORTEST_FRAGMENT:
                yield fragment


def metrics(vigil: Vigil) -> Iterator[tuple[str, bytes]]:
    host = reachable(vigil.settings)
    for service in SERVICES:
        port = settings_class(service)(shared=vigil.settings).http_port
        answer = httpx.get(f"http://{host}:{port}/metrics").raise_for_status()
        assert b"vigil_" in answer.content
        yield f"metrics of {service}", answer.content
    triton = httpx.get(f"http://{host}:{vigil.settings.triton_metrics_port}/metrics").raise_for_status()
    yield "metrics of triton", triton.content


async def records(bootstrap: str) -> list[Any]:
    """Every record of every topic of the registry, and of what the services keep for themselves."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=MAX_MESSAGE_BYTES
    )
    await consumer.start()
    try:
        partitions = await every_partition(bootstrap)
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        found: list[Any] = []
        while [partition for partition, end in ends.items() if await consumer.position(partition) < end]:
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                found += batch
        return found
    finally:
        await consumer.stop()


async def every_partition(bootstrap: str) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        topics = await admin.describe_topics()
        return [TopicPartition(t["topic"], p["partition"]) for t in topics for p in t["partitions"]]
    finally:
        await admin.close()


def keys_headers_and_uris(found: Iterable[Any]) -> Iterator[tuple[str, bytes]]:
    for record in found:
        yield f"key on {record.topic}", record.key or b""
        for name, value in record.headers:
            yield f"header {name} on {record.topic}", value
        yield f"uri on {record.topic}", b" ".join(URI.findall(record.value or b""))


def meta_of(found: Iterable[Any]) -> Iterator[tuple[str, bytes]]:
    """What every message says about itself: ids, source, keys."""
    known = {topic.value for topic in registry()}
    for record in found:
        if record.topic in known and record.value:
            message: Message = decode(Topic(record.topic), record.value)
            if "meta" in message.DESCRIPTOR.fields_by_name:
                yield f"meta on {record.topic}", str(message.meta).encode()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def ward() -> Ward:
    return generate(plan_now(QUIET, datetime.now(UTC)))


async def test_no_identifier_and_no_note_text_is_seen_outside_the_messages(vigil: Vigil, ward: Ward) -> None:
    stack, ledger = vigil.stack, Ledger()
    async with connect(stack.endpoints) as delivers:
        await play(ward.events, delivers, Pace(ward.plan.start, time.time(), QUIET.speed), ledger, lambda _: None)
        leaving = discharges(ward, datetime.now(UTC))  # the beds are for the next test
        await play(leaving, delivers, Pace(ward.plan.start, 0.0, QUIET.speed), ledger, lambda _: None)
    assert ledger.refused() == []
    found = await records(stack.bootstrap)
    secrets = secrets_of(ward)
    notes = ((record.topic, record.value) for record in found if record.topic == Topic.NOTES_RECEIVED.value)
    assert leaks(secrets, notes), "the search must find the texts where they belong, in the notes themselves"
    places = [
        *logs_and_names(vigil.settings.data_dir),
        *metrics(vigil),
        *keys_headers_and_uris(found),
        *meta_of(found),
    ]
    assert len([place for place, content in places if place.startswith("log ") and content]) >= len(SERVICES)
    assert leaks(secrets, places) == []


async def test_a_refused_message_is_not_quoted_anywhere(vigil: Vigil, ward: Ward) -> None:
    event = next(event for event in ward.events if event.payload.startswith(b"MSH") and event.text)
    broken = event.payload.replace(b"TXA|", b"ZXA|").replace(b"OBX|", b"ZBX|").replace(b"OBR|", b"ZBR|")
    async with connect(vigil.stack.endpoints) as delivers:
        answer = await delivers[event.protocol](broken)
        assert not answer.accepted
        assert leaks(secrets_of(ward), [("answer", answer.said.encode())]) == []
    assert leaks(secrets_of(ward), logs_and_names(vigil.settings.data_dir)) == []
