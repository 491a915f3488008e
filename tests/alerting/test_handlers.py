import pytest
from google.protobuf.message import Message
from vigil.v1.alerts_pb2 import Alert, AlertCommandKind, PatientAlerts
from vigil.v1.notes_pb2 import NoteCoded

from services.alerting.handlers import Alerting
from services.alerting.lifecycle import alert_id
from services.alerting.live import create_live
from services.alerting.policy import DEFAULT_POLICY
from services.common.bus import Received
from services.common.outcomes import Invalid
from services.common.stateful import States
from services.common.topics import Topic
from tests.alerting.making import HIGH, KEY, STAY, command, encounter, meta, risk
from tests.alerting.serving import clock

NEWS2_ID = alert_id(KEY, STAY, "news2_high")


class Running:
    """The handler with states, as the batch loop calls it."""

    def __init__(self) -> None:
        self.live = create_live(10)
        self.states: States[PatientAlerts] = States(PatientAlerts, {})
        self.alerting = Alerting(DEFAULT_POLICY, self.live, clock)

    async def take(self, topic: Topic, message: Message, offset: int = 0) -> list[Alert]:
        publishes = await self.alerting.handle(Received(topic, 2, offset, b"", message, {}), self.states)
        self.states.keep_message()
        assert all((publish.to, publish.key) == (Topic.ALERTS, publish.message.id) for publish in publishes)  # type: ignore[attr-defined]
        return [publish.message for publish in publishes]  # type: ignore[misc]


@pytest.fixture
def running() -> Running:
    return Running()


async def test_a_risk_becomes_an_alert_that_carries_its_cause(running: Running) -> None:
    (alert,) = await running.take(Topic.PATIENT_RISK, risk(1, HIGH))
    assert (alert.meta.message_id, alert.meta.revision) == (NEWS2_ID, 1)
    assert alert.meta.ingest_time == risk(1).meta.ingest_time
    assert (alert.meta.patient_key, alert.meta.encounter_key, alert.meta.synthetic) == (KEY, STAY, True)
    assert alert.meta.produced_time.ToDatetime() == clock().replace(tzinfo=None)
    assert alert.meta.trace_parent.split("-")[1] == risk(1).meta.trace_parent.split("-")[1]


async def test_messages_that_come_again_publish_and_store_nothing(running: Running) -> None:
    messages = [
        (Topic.ENCOUNTERS, encounter(0)),
        (Topic.PATIENT_RISK, risk(1, HIGH)),
        (Topic.NOTES_CODED, NoteCoded(meta=meta("coded"), note_message_id="note")),
        (Topic.ALERT_COMMANDS, command(NEWS2_ID, AlertCommandKind.ALERT_COMMAND_KIND_ACKNOWLEDGE)),
    ]
    for topic, message in messages:
        await running.take(topic, message)
    stored = running.states.get(KEY)
    for topic, message in messages:
        assert await running.take(topic, message) == []
    assert running.states.get(KEY) is stored


async def test_where_a_note_lies_is_kept_and_its_text_is_not(running: Running) -> None:
    note = NoteCoded(meta=meta("coded"), note_message_id="note", text="Pneumonia in Mrs Example.")
    await running.take(Topic.NOTES_CODED, note, offset=7)
    state = running.states.get(KEY)
    assert state is not None
    assert (state.notes[0].partition, state.notes[0].offset) == (2, 7)
    assert b"Example" not in state.SerializeToString()


async def test_followers_hear_of_a_changed_patient(running: Running) -> None:
    await running.take(Topic.PATIENT_RISK, risk(1))
    assert running.live.patients.since(0) == [KEY]


async def test_a_message_without_a_patient_is_invalid(running: Running) -> None:
    with pytest.raises(Invalid, match="names no patient"):
        await running.take(Topic.PATIENT_RISK, risk(1, key=""))
