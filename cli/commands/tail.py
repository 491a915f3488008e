"""`vigil tail`: decoded messages of a topic."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kafka import KafkaConsumer
    from kafka.consumer.fetcher import ConsumerRecord

    from services.common.topics import Topic

POLL_S = 0.5


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(tail)


def tail(
    topic: Annotated[str, typer.Argument(help="Name of a topic, e.g. notes-coded.")],
    *,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Everything on the topic first; ends there unless --timeout.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Plain JSON lines on a terminal too, without colour.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="End after this many messages.")] = None,
    timeout: Annotated[float | None, typer.Option(min=0, help="End after this many seconds without a message.")] = None,
) -> None:
    """Show the messages of a topic as they come, decoded, one JSON object a line.

    Each has the message's fields (protobuf JSON mapping, original names) and _key, _partition, _offset and _timestamp
    (RFC 3339). Without --timeout it ends at the end of the topic with --from-beginning, else never.

    Example: vigil tail alerts --from-beginning --json | jq .reason
    """
    from cli.topics import as_row, consumer, topic_named

    wanted = topic_named(topic)
    with consumer() as reader, suppress(KeyboardInterrupt):
        records = _records(reader, wanted, from_beginning=from_beginning, timeout_s=timeout)
        for record in islice(records, limit):
            _show(as_row(wanted, record), plain=as_json or not sys.stdout.isatty())


def _records(
    reader: "KafkaConsumer", topic: "Topic", *, from_beginning: bool, timeout_s: float | None
) -> "Iterator[ConsumerRecord]":
    """Records from where the reader was asked to begin, until it was asked to end."""
    from cli.topics import partitions_of, read_to_end

    if from_beginning:
        yield from read_to_end(reader, topic)
        if timeout_s is None:
            return
    else:
        partitions = partitions_of(reader, topic)
        reader.assign(partitions)
        for partition, end in reader.end_offsets(partitions).items():
            reader.seek(partition, end)
    yield from _new_records(reader, timeout_s)


def _new_records(reader: "KafkaConsumer", timeout_s: float | None) -> "Iterator[ConsumerRecord]":
    last = time.monotonic()
    while True:
        left = POLL_S if timeout_s is None else min(POLL_S, last + timeout_s - time.monotonic())
        if left < 0:
            return
        for records in reader.poll(timeout_ms=int(left * 1000)).values():
            yield from records
            last = time.monotonic()


def _show(row: dict[str, Any], *, plain: bool) -> None:
    text = json.dumps(row, ensure_ascii=False)
    if plain:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        return
    from rich import print_json

    print_json(text, indent=None)
