"""The topics of `proto/topics.yaml`, by name and with their message types."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import yaml
from google.protobuf.message import Message
from vigil.v1 import (
    alerts_pb2,
    dead_letters_pb2,
    encounters_pb2,
    images_pb2,
    notes_pb2,
    observations_pb2,
    risk_pb2,
)

from services.common.settings import REPOSITORY

REGISTRY = REPOSITORY / "proto" / "topics.yaml"
_MODULES = (alerts_pb2, dead_letters_pb2, encounters_pb2, images_pb2, notes_pb2, observations_pb2, risk_pb2)


class Topic(StrEnum):
    """Every topic; a test holds this list equal to the registry's."""

    NOTES_RECEIVED = "notes-received"
    OBSERVATIONS_RECEIVED = "observations-received"
    ENCOUNTERS = "encounters"
    NOTES_CODED = "notes-coded"
    IMAGES_RECEIVED = "images-received"
    IMAGE_FINDINGS = "image-findings"
    PATIENT_RISK = "patient-risk"
    ALERTS = "alerts"
    ALERT_COMMANDS = "alert-commands"
    NOTE_INGEST_DLQ = "note-ingest-dlq"
    NLP_CODER_DLQ = "nlp-coder-dlq"
    IMAGE_ROUTER_DLQ = "image-router-dlq"
    FUSION_DLQ = "fusion-dlq"
    ALERTING_DLQ = "alerting-dlq"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One entry of the registry. `retention_hours` is None for compacted topics."""

    description: str
    key: str
    message: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    partitions: int
    cleanup: str
    retention_hours: int | None = None


@cache
def registry() -> dict[Topic, TopicSpec]:
    """All topics of `proto/topics.yaml`. Raises ValueError for one that `Topic` does not know."""
    entries = yaml.safe_load(REGISTRY.read_text())["topics"]
    return {
        Topic(name): TopicSpec(
            **{**entry, "producers": tuple(entry["producers"]), "consumers": tuple(entry["consumers"])}
        )
        for name, entry in entries.items()
    }


@cache
def message_class(topic: Topic) -> type[Message]:
    """Protobuf class of a topic's messages."""
    name = registry()[topic].message
    found: type[Message] = next(getattr(module, name) for module in _MODULES if hasattr(module, name))
    return found


def dead_letter_topic(service: str) -> Topic:
    """Where `service` puts what it cannot handle."""
    return Topic(f"{service}-dlq")
