"""`vigil tail` and `vigil dlq` on real Kafka."""

import json
import subprocess
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from vigil.v1.dead_letters_pb2 import DeadLetter
from vigil.v1.notes_pb2 import NoteReceived

from services.common.bus import Producer, Publish
from services.common.topics import Topic
from tests.stacks import VIGIL, Stack, until

pytestmark = pytest.mark.timeout(120)


def note(text: str) -> NoteReceived:
    message = NoteReceived(text=text)
    message.meta.patient_key = f"key-{text}"
    return message


async def publish(stack: Stack, topic: Topic, *messages: NoteReceived | DeadLetter, key: str = "k") -> None:
    async with Producer(stack.settings, "test") as producer:
        for message in messages:
            await producer.publish(Publish(topic, key, message))


def refused(number: int, *, topic: str = "encounters") -> DeadLetter:
    letter = DeadLetter(
        service="fusion",
        reason=f"refused {number}",
        topic=topic,
        partition=2,
        offset=number,
        key=b"the key",
        headers={"type": b"vigil.v1.Encounter", "traceparent": b"00-1-2-01"},
        payload=note(f"secret {number}").SerializeToString(),
    )
    letter.failed_at.FromSeconds(1_800_000_000 + number)
    return letter


async def test_tail_shows_the_message_and_where_it_lies(kafka_and_triton: Stack) -> None:
    await publish(kafka_and_triton, Topic.NOTES_RECEIVED, note("shown"), key="key-shown")
    (row,) = [row for row in kafka_and_triton.rows("notes-received") if row.get("text") == "shown"]
    assert row["_key"] == "key-shown"
    assert row["meta"]["patient_key"] == "key-shown"
    assert isinstance(row["_partition"], int)
    assert isinstance(row["_offset"], int)
    assert row["_timestamp"].endswith("Z")
    assert "document_id" in row  # original names, and fields at their default too


async def test_tail_ends_at_the_limit(kafka_and_triton: Stack) -> None:
    await publish(kafka_and_triton, Topic.NOTES_RECEIVED, *[note(f"limited {number}") for number in range(5)])
    said = kafka_and_triton.vigil("tail", "notes-received", "--from-beginning", "--limit", "3").stdout
    assert len(said.splitlines()) == 3


async def test_tail_shows_only_what_comes_and_ends_when_nothing_does(kafka_and_triton: Stack) -> None:
    await publish(kafka_and_triton, Topic.NOTES_RECEIVED, note("before"))
    output = kafka_and_triton.folder / "tailed"
    with output.open("w") as file:
        process = subprocess.Popen(  # noqa: ASYNC220 - starting it blocks for a moment only
            [str(VIGIL), "tail", "notes-received", "--timeout", "3"],
            cwd=kafka_and_triton.folder,
            env=kafka_and_triton.clean_environment(),
            stdout=file,
        )
    sent = 0
    while not output.read_text():  # the first that is shown tells that the tail has begun
        await publish(kafka_and_triton, Topic.NOTES_RECEIVED, note(f"new {sent}"))
        sent += 1
    assert process.wait(30) == 0
    texts = [json.loads(line)["text"] for line in output.read_text().splitlines()]
    assert "before" not in texts
    assert texts[-1] == f"new {sent - 1}"


def test_tail_of_an_unknown_topic_is_wrong_usage(kafka_and_triton: Stack) -> None:
    done = kafka_and_triton.vigil("tail", "notes", check=False)
    assert done.returncode == 2
    assert "notes-received" in done.stderr


async def test_tail_goes_on_after_bytes_that_are_no_message(kafka_and_triton: Stack) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka_and_triton.settings.kafka_bootstrap, acks="all")
    producer.send("images-received", key=b"bad", value=b"\xff\xff\xff").get(10)
    producer.close()
    (row,) = [row for row in kafka_and_triton.rows("images-received") if row["_key"] == "bad"]
    assert row["_error"] == "not a vigil.v1.ImageReceived"


def test_without_kafka_tail_says_so_in_one_sentence(kafka_and_triton: Stack) -> None:
    done = kafka_and_triton.vigil("tail", "alerts", check=False, VIGIL_KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "No Kafka answers at 127.0.0.1:1" in done.stderr


async def test_dead_letters_are_listed_shown_replayed_and_dropped(kafka_and_triton: Stack) -> None:
    stack = kafka_and_triton
    await publish(stack, Topic.FUSION_DLQ, *[refused(number) for number in range(3)])
    listed = [
        json.loads(line) for line in stack.vigil("dlq", "list", "--topic", "fusion-dlq", "--json").stdout.splitlines()
    ]
    assert [row["reason"] for row in listed] == ["refused 0", "refused 1", "refused 2"]

    second = listed[1]["id"]
    shown = stack.vigil("dlq", "show", second).stdout
    assert "refused 1" in shown
    assert "secret" not in shown
    assert stack.vigil("dlq", "show", second, "--raw").stdout.encode() == refused(1).payload

    of_topic = stack.vigil("dlq", "show", "--topic", "fusion-dlq").stdout
    assert [f"refused {number}" in of_topic for number in range(3)] == [True, True, True]
    assert "refused 1" in stack.vigil("dlq", "show").stdout

    stack.vigil("dlq", "replay", second)
    (again,) = [record for record in raw_records(stack, "encounters") if record.key == b"the key"]
    assert again.value == refused(1).payload
    headers = dict(again.headers)
    assert headers["type"] == b"vigil.v1.Encounter"
    assert headers["traceparent"] == b"00-1-2-01"

    early = stack.vigil("dlq", "drop", second, check=False)
    assert early.returncode == 1
    assert f"{listed[0]['id']} is older" in early.stderr
    stack.vigil("dlq", "drop", listed[0]["id"], second)
    assert stack.vigil("dlq", "list", "--topic", "fusion-dlq").stdout.count("\n") == 1
    stack.vigil("dlq", "drop", "--topic", "fusion-dlq")
    assert stack.vigil("dlq", "list", "--topic", "fusion-dlq").stdout == ""


async def test_what_never_was_on_a_topic_is_not_replayed_to_one(kafka_and_triton: Stack) -> None:
    letter = DeadLetter(service="note-ingest", reason="not HL7", protocol="hl7v2", payload=b"garbage")
    await publish(kafka_and_triton, Topic.NOTE_INGEST_DLQ, letter)
    done = kafka_and_triton.vigil("dlq", "replay", "--topic", "note-ingest-dlq", check=False)
    assert done.returncode == 1
    assert "arrived by hl7v2" in done.stderr


def raw_records(stack: Stack, topic: str) -> list[Any]:
    reader = KafkaConsumer(bootstrap_servers=stack.settings.kafka_bootstrap, enable_auto_commit=False)
    partitions = [TopicPartition(topic, number) for number in reader.partitions_for_topic(topic) or ()]
    reader.assign(partitions)
    reader.seek_to_beginning(*partitions)
    ends = reader.end_offsets(partitions)
    found: list[Any] = []

    def read() -> bool:
        for records in reader.poll(timeout_ms=500).values():
            found.extend(records)
        return all(reader.position(partition) >= end for partition, end in ends.items())

    until(read, bool, 30, f"at the end of {topic}")
    reader.close()
    return found
