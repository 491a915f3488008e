"""The registry says who reads and writes a topic; the code must do just that."""

import ast
from pathlib import Path

import pytest

from services.common.settings import REPOSITORY
from services.common.topics import Topic, registry

SERVICES = ("note-ingest", "nlp-coder", "image-router", "fusion", "alerting")


def named_topics(service: str) -> set[Topic]:
    """Topics that a service's code names as `Topic.X`."""
    folder = REPOSITORY / "services" / service.replace("-", "_")
    return {topic for path in folder.rglob("*.py") for topic in topics_in(path)}


def topics_in(path: Path) -> set[Topic]:
    names = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Topic"
    }
    return {Topic[name] for name in names}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_names_just_the_topics_that_the_registry_gives_it(service: str) -> None:
    registered = {topic for topic, spec in registry().items() if service in spec.producers or service in spec.consumers}
    own_letters = {Topic(f"{service}-dlq")}  # reached through `dead_letter_topic(service)` where no code names it
    assert named_topics(service) - own_letters == registered - own_letters
