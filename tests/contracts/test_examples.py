import json
from pathlib import Path

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from services.common.settings import REPOSITORY
from services.common.topics import Topic, message_class, registry

EXAMPLES = REPOSITORY / "proto" / "examples"


FILES = sorted(EXAMPLES.rglob("*.json"))


def parse(path: Path) -> Message:
    return json_format.Parse(path.read_text(), message_class(Topic(path.parent.name))())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_example_is_a_message_of_its_topic(path: Path) -> None:
    written = json.loads(path.read_text())
    again = json.loads(json_format.MessageToJson(parse(path), preserving_proto_field_name=True))
    assert set(again) == set(written)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_example_begins_with_complete_metadata(path: Path) -> None:
    message = parse(path)
    if "meta" not in message.DESCRIPTOR.fields_by_name:
        assert message.DESCRIPTOR.name == "DeadLetter"
        return
    meta = message.meta  # type: ignore[attr-defined]
    assert meta.message_id
    assert len(meta.patient_key) == 32
    assert meta.HasField("event_time")
    assert meta.HasField("ingest_time")
    assert meta.schema_version == 1


def test_every_topic_has_an_example() -> None:
    assert {Topic(path.parent.name) for path in FILES} == set(Topic)


def test_the_registry_and_the_code_name_the_same_topics() -> None:
    assert set(registry()) == set(Topic)


def test_every_service_has_a_dead_letter_topic() -> None:
    services = {producer for spec in registry().values() for producer in spec.producers}
    assert {f"{service}-dlq" for service in services} == {topic for topic in Topic if topic.endswith("-dlq")}
