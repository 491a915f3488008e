import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.common.bus import Publish
from services.common.identity import PatientKeys
from services.common.outcomes import Transient
from services.common.topics import Topic
from services.note_ingest.hl7v2.messages import Hl7Settings
from services.note_ingest.intake import Intake
from services.note_ingest.reception import Reception
from services.note_ingest.units import Units

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class FakeKafka:
    """Keeps what was published; `away` refuses like a broker that does not answer, `gate` holds it back."""

    published: list[Publish] = field(default_factory=list)
    away: bool = False
    gate: asyncio.Event | None = None

    async def publish_all(self, publishes: Sequence[Publish]) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise Transient("Kafka did not acknowledge")
        self.published.extend(publishes)

    def on(self, topic: Topic) -> list[Any]:
        return [publish.message for publish in self.published if publish.to is topic]


@pytest.fixture(scope="session")
def units() -> Units:
    return Units()


@pytest.fixture
def intake(units: Units) -> Intake:
    return Intake(PatientKeys(b"a secret for tests"), units, lambda: NOW, "HOSPITAL", max_note_chars=10_000)


@pytest.fixture
def kafka() -> FakeKafka:
    return FakeKafka()


@pytest.fixture
def reception(intake: Intake, kafka: FakeKafka) -> Reception:
    return Reception(intake, kafka, max_in_flight=64)


@pytest.fixture
def hl7() -> Hl7Settings:
    return Hl7Settings(UTC, timedelta(hours=24))
