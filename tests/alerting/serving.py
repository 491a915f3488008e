"""The routes of alerting over states and fakes of what lies outside the process."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from vigil.v1.alerts_pb2 import AlertCommand, NotePlace, PatientAlerts
from vigil.v1.fusion_service_pb2 import GetPatientResponse
from vigil.v1.notes_pb2 import NoteCoded

from services.alerting.commands import Commands
from services.alerting.evidence import Evidences
from services.alerting.fusion import FusionSilentError
from services.alerting.http_api import Api
from services.alerting.live import Live, create_live
from services.alerting.patient_alerts import after_command_to
from services.alerting.policy import DEFAULT_POLICY
from services.alerting.streams import Streams
from services.common.blobs import BlobStore
from services.common.bus import Publish
from services.common.health import Health
from services.common.outcomes import Invalid, Transient
from services.common.stateful import States
from tests.alerting.making import NOON


def clock() -> datetime:
    return NOON


@dataclass
class FakeKafka:
    """Takes commands, and applies them at once unless it is told not to."""

    states: States[PatientAlerts]
    live: Live
    applies: bool = True
    down: bool = False
    published: list[Publish] = field(default_factory=list)

    async def publish(self, publish: Publish) -> None:
        if self.down:
            raise Transient("Kafka did not acknowledge: TimeoutError")
        self.published.append(publish)
        message = publish.message
        if self.applies and isinstance(message, AlertCommand):
            key = message.meta.patient_key
            before = self.states.get(key)
            assert before is not None
            self.states.put(key, after_command_to(before, message))
            self.live.patients.add(key)


@dataclass
class FakeNotes:
    note: NoteCoded | None = None
    down: bool = False

    async def read(self, _: NotePlace) -> NoteCoded:
        if self.down:
            raise Transient("Kafka did not answer with the text of the note")
        if self.note is None:
            raise Invalid("the text of this note is no longer kept")
        return self.note


@dataclass
class FakeFusion:
    answers: dict[str, GetPatientResponse] = field(default_factory=dict)
    down: bool = False

    async def patient(self, key: str) -> GetPatientResponse | None:
        if self.down:
            raise FusionSilentError("fusion does not answer")
        return self.answers.get(key)


@dataclass
class Recovery:
    ended: bool = True


@dataclass
class Served:
    api: Api
    kafka: FakeKafka
    notes: FakeNotes
    fusion: FakeFusion
    blobs: BlobStore
    live: Live
    health: Health
    recovery: Recovery


def served(patients: Iterable[PatientAlerts], folder: Path) -> Served:
    stored = {state.patient_key.encode(): state.SerializeToString() for state in patients}
    states, live, health = States(PatientAlerts, stored), create_live(100), Health()
    kafka, notes, fusion = FakeKafka(states, live), FakeNotes(), FakeFusion()
    blobs = BlobStore(f"file://{folder}/blobs")
    commands = Commands(states, kafka, live.patients, clock, wait_s=0.05)  # type: ignore[arg-type]
    streams = Streams(states, live, health, clock, heartbeat_s=0.05)
    evidence = Evidences(states, notes, fusion, blobs)  # type: ignore[arg-type]
    recovery = Recovery()
    api = Api(states, streams, commands, evidence, DEFAULT_POLICY, lambda: recovery.ended)
    return Served(api, kafka, notes, fusion, blobs, live, health, recovery)
