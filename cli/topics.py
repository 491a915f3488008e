"""Reading topics for a person: decoded messages, from the beginning or as they come."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from cli.errors import CliError

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from kafka import KafkaConsumer, TopicPartition
    from kafka.consumer.fetcher import ConsumerRecord

    from services.common.topics import Topic

CONNECT_TIMEOUT_MS = 5000


def topic_named(name: str, hint: str = "TOPIC") -> "Topic":
    """The topic of that name. Raises typer.BadParameter (exit code 2) for a name that is none."""
    from services.common.topics import Topic

    try:
        return Topic(name)
    except ValueError:
        raise typer.BadParameter(f"{name} is not one of {', '.join(Topic)}", param_hint=hint) from None


@contextmanager
def consumer() -> "Iterator[KafkaConsumer]":
    """A reader that belongs to no group, so that it takes nothing away. Raises CliError when Kafka does not answer."""
    from kafka import KafkaConsumer
    from kafka.errors import KafkaError

    from services.common.settings import SharedSettings

    bootstrap = SharedSettings().kafka_bootstrap
    try:
        reader = KafkaConsumer(
            bootstrap_servers=bootstrap,
            enable_auto_commit=False,
            bootstrap_timeout_ms=CONNECT_TIMEOUT_MS,
            max_partition_fetch_bytes=16 * 1024 * 1024,
            fetch_max_wait_ms=100,
        )
    except KafkaError as error:
        raise no_kafka(bootstrap) from error
    try:
        yield reader
    finally:
        reader.close()


def no_kafka(bootstrap: str) -> CliError:
    """What to say when no broker answers."""
    return CliError(
        f"No Kafka answers at {bootstrap}; start one with `vigil up --detach`, or set VIGIL_KAFKA_BOOTSTRAP."
    )


def partitions_of(reader: "KafkaConsumer", topic: "Topic") -> "list[TopicPartition]":
    """Partitions of a topic. Raises CliError when the topic does not exist on this Kafka."""
    from kafka import TopicPartition

    numbers = reader.partitions_for_topic(topic.value)
    if not numbers:
        raise CliError(f"This Kafka has no topic {topic}; `vigil up` creates the topics.")
    return [TopicPartition(topic.value, number) for number in sorted(numbers)]


def read_to_end(reader: "KafkaConsumer", topic: "Topic") -> "Iterator[ConsumerRecord]":
    """Every record that is on the topic now, partition by partition in order of offset."""
    partitions = partitions_of(reader, topic)
    reader.assign(partitions)
    reader.seek_to_beginning(*partitions)
    ends = reader.end_offsets(partitions)
    while any(reader.position(partition) < end for partition, end in ends.items()):
        for records in reader.poll(timeout_ms=500).values():
            yield from records


def as_row(topic: "Topic", record: "ConsumerRecord") -> dict[str, Any]:
    """A record as `vigil tail` shows it: the message by the protobuf JSON mapping, and where it lies.

    A message that is none of the topic's type has `_error` and its bytes in base64 as `_value`.
    """
    from google.protobuf.message import DecodeError

    from services.common.topics import message_class

    row: dict[str, Any] = {
        "_key": (record.key or b"").decode(errors="replace"),
        "_partition": record.partition,
        "_offset": record.offset,
        "_timestamp": _rfc3339(record.timestamp),
    }
    if record.value is None:
        return row | {"_deleted": True}
    wanted = message_class(topic)
    try:
        return row | as_json(wanted.FromString(record.value))
    except DecodeError:
        value = base64.b64encode(record.value).decode()
        return row | {"_error": f"not a {wanted.DESCRIPTOR.full_name}", "_value": value}


def _rfc3339(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_json(message: "Message") -> dict[str, Any]:
    """Protobuf JSON mapping with the original field names; fields at their default are shown too."""
    from google.protobuf.json_format import MessageToDict

    fields: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return fields
