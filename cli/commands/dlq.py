"""`vigil dlq`: look at dead letters, send them again, drop them."""

import base64
import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CliError

if TYPE_CHECKING:
    from vigil.v1.dead_letters_pb2 import DeadLetter

    from services.common.topics import Topic

HELP = """Messages that could not be handled: list, show, replay, drop.

Example: vigil dlq list --topic nlp-coder-dlq"""
SUFFIX = "-dlq"
ID = re.compile(r"[a-z-]+-dlq:\d+:\d+")
SEND_TIMEOUT_S = 30
REPLAYED_FROM = "vigil-replayed-from"

Ids = Annotated[list[str] | None, typer.Argument(help="Ids that `vigil dlq list` shows, e.g. nlp-coder-dlq:0:17.")]
OfTopic = Annotated[
    str, typer.Option("--topic", help="A dead-letter topic, or the topic where the messages were on their way to.")
]


@dataclass(frozen=True, slots=True)
class Dead:
    """One dead letter and where it lies."""

    topic: "Topic"
    partition: int
    offset: int
    letter: "DeadLetter"

    @property
    def id(self) -> str:
        return f"{self.topic.value}:{self.partition}:{self.offset}"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help=HELP)
    group.command("list")(list_)
    for command in (show, replay, drop):
        group.command()(command)
    app.add_typer(group, name="dlq")


def list_(
    *, topic: OfTopic = "", as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False
) -> None:
    """List dead letters, oldest first, without what they hold.

    Example: vigil dlq list --topic nlp-coder-dlq
    """
    letters = sorted(_find([], topic), key=lambda dead: dead.letter.failed_at.ToNanoseconds())
    for dead in letters:
        row = _summary(dead)
        if as_json:
            typer.echo(json.dumps(row))
        else:
            typer.echo(f"{row['id']}  {row['failed_at']}  {row['topic'] or row['protocol']}  {row['reason']}")
    if not letters and sys.stdout.isatty():
        typer.echo("No dead letters.")


def show(
    ids: Ids = None,
    *,
    topic: OfTopic = "",
    payload: Annotated[
        bool, typer.Option("--payload", help="Also what the message holds; may name a patient.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Nothing but the message, byte for byte; may name a patient.")
    ] = False,
) -> None:
    """Show why messages were refused and where they came from, one JSON object each.

    Without ids all of the topic, and without a topic all.

    Example: vigil dlq show nlp-coder-dlq:0:17 --payload
    """
    for dead in _find(ids or [], topic):
        if raw:
            sys.stdout.buffer.write(dead.letter.payload)
            continue
        row = _summary(dead) | {"stack": dead.letter.stack.splitlines(), "bytes": len(dead.letter.payload)}
        if payload:
            row["payload"] = _readable(dead.letter)
        typer.echo(json.dumps(row, indent=2, ensure_ascii=False))


def replay(
    ids: Ids = None,
    *,
    topic: OfTopic = "",
    drop_after: Annotated[bool, typer.Option("--drop", help="Drop each that was sent, if it is the oldest.")] = False,
) -> None:
    """Send messages again to the topic they came from, with their key and headers, in their old order.

    Services handle a message they know only once, so that replaying twice does no harm. What arrived from outside
    Kafka has no topic to go to and is left: its sender was refused and sends again.

    Example: vigil dlq replay --topic nlp-coder-dlq --drop
    """
    letters = _chosen(ids, topic)
    outside = [dead for dead in letters if not dead.letter.topic]
    inside = sorted((dead for dead in letters if dead.letter.topic), key=_origin_order)
    if outside and not inside:
        raise CliError(
            f"{outside[0].id} arrived by {outside[0].letter.protocol or 'a protocol'} and never was on a topic; "
            f"`vigil dlq show {outside[0].id} --raw` gives its bytes, for a file that `vigil send` takes."
        )
    _produce(inside)
    typer.echo(f"Sent {len(inside)} again." + (f" {len(outside)} came from outside Kafka." if outside else ""))
    if drop_after and inside:
        typer.echo(f"Dropped {_drop(inside)}.")


def drop(
    ids: Ids = None,
    *,
    topic: OfTopic = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on a terminal.")] = False,
) -> None:
    """Delete dead letters. Kafka deletes from the oldest on, so that a newer one cannot go before an older one.

    Example: vigil dlq drop --topic nlp-coder-dlq
    """
    letters = _chosen(ids, topic)
    if letters and not yes and sys.stdin.isatty():
        typer.confirm(f"Delete {len(letters)} dead letters?", abort=True)
    typer.echo(f"Dropped {_drop(letters)}.")


def _chosen(ids: Collection[str] | None, topic: str) -> list[Dead]:
    if not ids and not topic:
        raise typer.BadParameter("name ids, or a --topic for all of it", param_hint="IDS")
    return list(_find(ids or [], topic))


def _find(ids: Collection[str], topic: str) -> Iterator[Dead]:
    """Dead letters by id, or of a topic, or all. Raises CliError for an id that is not there."""
    from cli.topics import consumer, read_to_end

    missing, sources = set(ids), _sources(ids, topic)
    with consumer() as reader:
        for source in sources:
            for record in read_to_end(reader, source):
                dead = _decoded(source, record)
                if _matches(dead, ids, topic):
                    missing.discard(dead.id)
                    yield dead
    if missing:
        raise CliError(f"There is no dead letter {min(missing)}; `vigil dlq list` shows those that are there.")


def _sources(ids: Collection[str], topic: str) -> "list[Topic]":
    """The dead-letter topics to look through."""
    from cli.topics import topic_named
    from services.common.topics import Topic

    for entry in ids:
        if not ID.fullmatch(entry):
            raise typer.BadParameter(
                f"{entry} is no id as `vigil dlq list` shows, e.g. nlp-coder-dlq:0:17", param_hint="IDS"
            )
    named = {topic_named(entry.partition(":")[0], "IDS") for entry in ids}
    if topic and topic_named(topic, "--topic").endswith(SUFFIX):
        named.add(Topic(topic))
    return sorted(named) or [entry for entry in Topic if entry.endswith(SUFFIX)]


def _matches(dead: Dead, ids: Collection[str], topic: str) -> bool:
    if ids and dead.id not in ids:
        return False
    return topic in {"", dead.topic.value, dead.letter.topic}


def _decoded(topic: "Topic", record: Any) -> Dead:
    from vigil.v1.dead_letters_pb2 import DeadLetter

    return Dead(topic, record.partition, record.offset, DeadLetter.FromString(record.value or b""))


def _origin_order(dead: Dead) -> tuple[str, int, int]:
    return dead.letter.topic, dead.letter.partition, dead.letter.offset


def _summary(dead: Dead) -> dict[str, Any]:
    letter = dead.letter
    return {
        "id": dead.id,
        "service": letter.service,
        "reason": letter.reason,
        "failed_at": letter.failed_at.ToJsonString(),
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "protocol": letter.protocol,
        "key": letter.key.decode(errors="replace"),
        "headers": {name: value.decode(errors="replace") for name, value in letter.headers.items()},
    }


def _readable(letter: "DeadLetter") -> Any:
    """The message decoded if it can be, else as text, else its bytes in base64."""
    from google.protobuf.message import DecodeError

    from cli.topics import as_json
    from services.common.topics import Topic, message_class

    try:
        if letter.topic:
            return as_json(message_class(Topic(letter.topic)).FromString(letter.payload))
        return letter.payload.decode()
    except (DecodeError, UnicodeDecodeError):
        return {"base64": base64.b64encode(letter.payload).decode()}


def _produce(letters: Collection[Dead]) -> None:
    """Send each to its old topic, and return once Kafka has them all. Raises CliError when it does not take one."""
    from kafka import KafkaProducer
    from kafka.errors import KafkaError

    from cli.topics import no_kafka
    from services.common.settings import SharedSettings

    bootstrap = SharedSettings().kafka_bootstrap
    try:
        producer = KafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_request_size=8 * 1024 * 1024
        )
    except KafkaError as error:
        raise no_kafka(bootstrap) from error
    try:
        waiting = [
            producer.send(
                dead.letter.topic,
                value=dead.letter.payload,
                key=dead.letter.key or None,
                headers=list(_headers(dead).items()),
            )
            for dead in letters
        ]
        for future in waiting:
            future.get(timeout=SEND_TIMEOUT_S)
    except KafkaError as error:
        raise CliError(f"Kafka did not take every message ({error}); replay again, repeats do no harm.") from error
    finally:
        producer.close()


def _headers(dead: Dead) -> Mapping[str, bytes]:
    """The message's own headers, and which dead letter it is again."""
    return dict(dead.letter.headers) | {REPLAYED_FROM: dead.id.encode()}


def _drop(letters: Collection[Dead]) -> int:
    """Delete. Raises CliError, deleting nothing, when an older one that is not among them would go too."""
    from kafka import TopicPartition
    from kafka.admin import KafkaAdminClient

    from services.common.settings import SharedSettings

    last: dict[tuple[Topic, int], int] = {}
    for dead in letters:
        place = (dead.topic, dead.partition)
        last[place] = max(last.get(place, 0), dead.offset)
    chosen = {dead.id for dead in letters}
    for topic in {topic for topic, _ in last}:
        for dead in _find([], topic):
            if dead.offset < last.get((topic, dead.partition), 0) and dead.id not in chosen:
                raise CliError(f"{dead.id} is older and would be deleted too; name it as well, or drop by --topic.")
    if last:
        admin = KafkaAdminClient(bootstrap_servers=SharedSettings().kafka_bootstrap)
        try:
            admin.delete_records(
                {TopicPartition(topic.value, number): end + 1 for (topic, number), end in last.items()}
            )
        finally:
            admin.close()
    return len(chosen)
