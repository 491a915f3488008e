"""Fixtures with real parts. They fail, never skip, on a machine without Java 17 or Maven.

- `kafka_and_triton`: Kafka with every topic, and Triton with every model; no service consumes.
- `kafka`: the settings of that Kafka (`SharedSettings`), for tests of the bus.
- `stack`: a separate stack with everything, every service ready.

The stacks are a `tests.stacks.Stack`, started once a session and stopped at its end:

    async def test_a_note_is_coded(stack: Stack) -> None:
        stack.vigil("send", "note.hl7")
        rows = stack.rows_until("notes-coded", lambda rows: len(rows) == 1)

    async def test_the_bus(kafka_and_triton: Stack) -> None:
        async with Producer(kafka_and_triton.settings, "test") as producer: ...

Tests share the topics of a stack: use patient keys and groups of your own. A test that kills or stops parts takes
`running_stack` or `new_stack` from `tests.stacks` for itself.
"""

from collections.abc import Iterator

import pytest

from services.common.settings import SharedSettings
from tests.stacks import Stack, running_stack


@pytest.fixture(scope="session")
def kafka_and_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka and Triton alone."""
    with running_stack(tmp_path_factory.mktemp("kafka-and-triton"), only="kafka,triton") as stack:
        yield stack


@pytest.fixture(scope="session")
def kafka(kafka_and_triton: Stack) -> SharedSettings:
    """Settings of a running Kafka."""
    return kafka_and_triton.settings


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything."""
    with running_stack(tmp_path_factory.mktemp("stack")) as whole:
        yield whole
