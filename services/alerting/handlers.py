"""One function a message kind: the message and a patient's state in, the new state and what to publish out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from vigil.v1.alerts_pb2 import (
    Alert,
    AlertCommand,
    AlertCommandKind,
    AlertState,
    NotePlace,
    PatientAlerts,
)
from vigil.v1.encounters_pb2 import Encounter
from vigil.v1.notes_pb2 import NoteCoded
from vigil.v1.risk_pb2 import PatientRisk

from services.alerting.live import Live
from services.alerting.medications import how_read, medications_of
from services.alerting.metrics import ALERT_CHANGES, COMMANDS, END_TO_END, RISKS
from services.alerting.patient_alerts import (
    after_command_to,
    after_encounter,
    after_note,
    after_risk_of,
    changed_alerts,
)
from services.alerting.policy import Policy
from services.alerting.rendering import severity_name, state_name
from services.common.bus import Producer, Publish, Received
from services.common.clock import Clock, from_timestamp, to_timestamp
from services.common.meta import SCHEMA_VERSION, child_trace_parent
from services.common.metrics import observe_stage
from services.common.outcomes import Invalid
from services.common.settings import SharedSettings
from services.common.stateful import States
from services.common.topics import Topic

Input = PatientRisk | Encounter | NoteCoded | AlertCommand


@dataclass(frozen=True, slots=True)
class Alerting:
    """What the handler works with."""

    policy: Policy
    live: Live
    clock: Clock

    async def handle(self, received: Received, states: States[PatientAlerts]) -> Sequence[Publish]:
        """Take in one message of any input topic.

        Raises:
            Invalid: a message without patient, a command for an alert that does not exist.
        """
        patient_key = received.message.meta.patient_key
        if not patient_key:
            raise Invalid("the message names no patient")
        before = states.get(patient_key) or PatientAlerts(patient_key=patient_key)
        after = self._after(before, received)
        if after is before:
            return []
        states.put(patient_key, after)
        self.live.patients.add(patient_key)
        return [self._publish(alert) for alert in changed_alerts(before, after)]

    def _after(self, before: PatientAlerts, received: Received) -> PatientAlerts:
        message: Input = received.message
        match message:
            case PatientRisk():
                after = after_risk_of(before, message, self.policy)
                RISKS.labels(_outcome(before, after)).inc()
                return after
            case Encounter():
                return after_encounter(before, message)
            case NoteCoded():
                return after_note(before, place_of(message, received.partition, received.offset))
            case AlertCommand():
                after = after_command_to(before, message)
                COMMANDS.labels(AlertCommandKind.Name(message.kind).removeprefix("ALERT_COMMAND_KIND_").lower()).inc()
                return after
            case _:
                assert_never(message)

    def _publish(self, alert: Alert) -> Publish:
        published = Alert()
        published.CopyFrom(alert)
        published.meta.schema_version = SCHEMA_VERSION
        published.meta.trace_parent = child_trace_parent(alert.meta.trace_parent)
        published.meta.produced_time.CopyFrom(to_timestamp(self.clock()))
        return Publish(to=Topic.ALERTS, key=alert.id, message=published)


class AlertProducer(Producer):
    """A producer that tells followers of an alert, and measures, once Kafka has it and not before."""

    def __init__(self, settings: SharedSettings, client_id: str, live: Live, clock: Clock) -> None:
        super().__init__(settings, client_id)
        self._live = live
        self._clock = clock

    async def publish_all(self, publishes: Sequence[Publish]) -> None:
        """As `Producer.publish_all`."""
        await super().publish_all(publishes)
        for publish in publishes:
            if isinstance(publish.message, Alert):
                self._published(publish.message)

    def _published(self, alert: Alert) -> None:
        self._live.alerts.add(alert)
        ALERT_CHANGES.labels(state_name(alert.state), severity_name(alert.severity)).inc()
        caused_by_input = alert.state == AlertState.ALERT_STATE_FIRING
        if caused_by_input and alert.meta.HasField("ingest_time"):
            observe_stage("alerted", alert.meta, self._clock)
            seconds = (self._clock() - from_timestamp(alert.meta.ingest_time)).total_seconds()
            END_TO_END.observe(max(seconds, 0.0))


def place_of(note: NoteCoded, partition: int, offset: int) -> NotePlace:
    """Where a coded note lies, and what it says of medications."""
    return NotePlace(
        note_message_id=note.note_message_id,
        coded_message_id=note.meta.message_id,
        revision=note.meta.revision,
        partition=partition,
        offset=offset,
        kind=note.kind,
        event_time=note.meta.event_time,
        document_id=note.document_id,
        replaces_document_id=note.replaces_document_id,
        withdrawn=not note.text,
        medications=medications_of(note),
        medications_read=how_read(note),
    )


def _outcome(before: PatientAlerts, after: PatientAlerts) -> str:
    if after is before:
        return "repeated"
    return "changed_alert" if changed_alerts(before, after) else "no_change"
