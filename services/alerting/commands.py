"""What people do with alerts: checked, written to Kafka, and answered once it is applied."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.partitioner import murmur2
from vigil.v1.alerts_pb2 import Alert, AlertCommand, AlertCommandKind, PatientAlerts
from vigil.v1.meta_pb2 import Meta

from services.alerting.directory import find_alert
from services.alerting.lifecycle import OPEN
from services.alerting.live import PatientChanges
from services.alerting.rendering import state_name
from services.common.bus import Producer, Publish
from services.common.clock import Clock, to_timestamp
from services.common.identity import message_id
from services.common.meta import SCHEMA_VERSION, new_trace_parent
from services.common.stateful import States
from services.common.topics import Topic, registry

ACKNOWLEDGE = AlertCommandKind.ALERT_COMMAND_KIND_ACKNOWLEDGE
RESOLVE = AlertCommandKind.ALERT_COMMAND_KIND_RESOLVE
LONGEST = {"reason": 200, "by": 100, "comment": 2000}  # characters


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """The command cannot be taken; the sentence says why."""


class Malformed(Refused):
    """What was sent is not an action."""


class UnknownAlert(Refused):
    """There is no such alert."""


class AlreadyOver(Refused):
    """The alert is resolved or closed."""


@dataclass(frozen=True, slots=True)
class Action:
    """What a person said."""

    reason: str
    by: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The alert after the command, or as it was when it is not `applied` yet."""

    alert: Alert
    applied: bool


@dataclass(frozen=True, slots=True)
class Commands:
    """Takes commands for alerts of the patients that are held here."""

    states: States[PatientAlerts]
    producer: Producer
    changes: PatientChanges
    clock: Clock
    wait_s: float

    async def submit(self, alert_id: str, kind: AlertCommandKind.ValueType, action: Action) -> Answer:
        """Write the command and wait a bounded time until it is applied.

        Raises:
            UnknownAlert, AlreadyOver: nothing was written.
            Transient: Kafka did not take it.
        """
        alert = find_alert(self.states, alert_id)
        if alert is None:
            raise UnknownAlert("there is no alert with this id")
        if alert.state not in OPEN:
            raise AlreadyOver(f"the alert is already {state_name(alert.state)}")
        command = self._command(alert, kind, action)
        await self.producer.publish(
            Publish(
                to=Topic.ALERT_COMMANDS,
                key=alert_id,
                message=command,
                partition=partition_of(alert.patient_key),
            )
        )
        applied = await self._applied(alert.patient_key, command.meta.message_id)
        return Answer(find_alert(self.states, alert_id) or alert, applied)

    def _command(self, alert: Alert, kind: AlertCommandKind.ValueType, action: Action) -> AlertCommand:
        now = to_timestamp(self.clock())
        return AlertCommand(
            meta=Meta(
                message_id=message_id("command", alert.id, secrets.token_hex(16)),
                event_time=now,
                ingest_time=now,
                produced_time=now,
                source="alerting",
                patient_key=alert.patient_key,
                encounter_key=alert.meta.encounter_key,
                schema_version=SCHEMA_VERSION,
                trace_parent=new_trace_parent(),
                synthetic=alert.meta.synthetic,
            ),
            alert_id=alert.id,
            kind=kind,
            by=action.by,
            reason=action.reason,
            comment=action.comment,
        )

    async def _applied(self, patient_key: str, command_id: str) -> bool:
        try:
            async with asyncio.timeout(self.wait_s):
                while not self._has_seen(patient_key, command_id):
                    await self.changes.wait(self.changes.now(), self.wait_s)
        except TimeoutError:
            return False
        return True

    def _has_seen(self, patient_key: str, command_id: str) -> bool:
        state = self.states.get(patient_key)
        return state is not None and command_id in state.seen_command_ids


def partition_of(patient_key: str) -> int:
    """Partition of a patient's topics: commands have the alert as key, and must meet the patient's state there."""
    partitions = registry()[Topic.PATIENT_RISK].partitions
    return int((murmur2(patient_key.encode()) & 0x7FFFFFFF) % partitions)


def parse_action(body: Any) -> Action:
    """The action of a JSON body `{"reason", "by"?, "comment"?}`. Raises Malformed with one sentence."""
    if not isinstance(body, Mapping):
        raise Malformed('the body must be a JSON object with a "reason"')
    unknown = sorted(str(name) for name in body.keys() - LONGEST.keys())
    if unknown:
        raise Malformed(f'unknown field "{unknown[0][:40]}"; reason, by and comment are known')
    values = {name: body.get(name) or "" for name in LONGEST}
    for name, value in values.items():
        if not isinstance(value, str):
            raise Malformed(f'"{name}" must be text')
        if len(value) > LONGEST[name]:
            raise Malformed(f'"{name}" is longer than {LONGEST[name]} characters')
    if not values["reason"].strip():
        raise Malformed('"reason" is missing: say why, for example "seen_at_bedside"')
    return Action(**{name: value.strip() for name, value in values.items()})
