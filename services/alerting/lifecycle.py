"""How one alert begins, changes and ends. Pure: a record and what happened in, the next record out.

    (nothing) --condition holds--> firing --acknowledged by a person--> acknowledged
    firing, acknowledged --condition ended--> resolved --condition holds again--> firing (same id, higher revision)
    firing, acknowledged --resolved by a person--> resolved, and quiet until the condition was absent or got worse
    any that is not closed --encounter ended--> closed

`Alert.revision` counts changes. A step that changes nothing returns the very record that it was given.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp
from vigil.v1.alerts_pb2 import (
    Acknowledgement,
    Alert,
    AlertCommand,
    AlertCommandKind,
    AlertRecord,
    AlertState,
)
from vigil.v1.meta_pb2 import Evidence, Meta

from services.alerting.conditions import Condition, Judged
from services.alerting.policy import Clears
from services.common.identity import message_id

FIRING = AlertState.ALERT_STATE_FIRING
ACKNOWLEDGED = AlertState.ALERT_STATE_ACKNOWLEDGED
RESOLVED = AlertState.ALERT_STATE_RESOLVED
CLOSED = AlertState.ALERT_STATE_CLOSED
OPEN = frozenset({FIRING, ACKNOWLEDGED})
# Evidence whose newest measurement replaces the last one without being news to anybody.
REPEATED_KINDS = frozenset({"observation"})


@dataclass(frozen=True, slots=True)
class Cause:
    """What makes a step: a risk, a movement or a command.

    at: time of the cause, on its own time base (event time of a risk, the moment of a person's command).
    encounter_key: stay that it is about. risk_message_id: empty unless it is a risk. taken_ids: of the alerts of other
    stays.
    """

    meta: Meta
    at: Timestamp
    patient_key: str
    encounter_key: str
    ward: str = ""
    bed: str = ""
    risk_message_id: str = ""
    taken_ids: AbstractSet[str] = frozenset()


def alert_id(patient_key: str, encounter_key: str, rule: str) -> str:
    """Same patient, stay and rule, same alert."""
    return message_id("alert", patient_key, encounter_key, rule)


def after_risk(
    record: AlertRecord | None, condition: Condition | None, judged: Judged, clears: Clears, cause: Cause
) -> AlertRecord | None:
    """The record after a risk in which `condition` holds (None: it does not)."""
    if condition is None:
        return record and _without_condition(record, judged, clears, cause)
    if record is None:
        return _opened(condition, cause)
    if record.alert.state in OPEN:
        return _continued(record, condition, cause)
    if record.muted and condition.level <= record.level:
        return record
    return _reopened(record, condition, cause)


def after_command(record: AlertRecord, command: AlertCommand) -> AlertRecord:
    """The record after a person acted. Acting on what is resolved or closed changes nothing."""
    if record.alert.state not in OPEN:
        return record
    acted = Acknowledgement(by=command.by, at=command.meta.event_time, reason=command.reason, comment=command.comment)
    changed = _copy(record)
    if command.kind == AlertCommandKind.ALERT_COMMAND_KIND_ACKNOWLEDGE:
        changed.alert.state = ACKNOWLEDGED
        changed.alert.acknowledged.CopyFrom(acted)
    elif command.kind == AlertCommandKind.ALERT_COMMAND_KIND_RESOLVE:
        changed.alert.state = RESOLVED
        changed.alert.acknowledged.CopyFrom(acted)
        changed.alert.resolved_at.CopyFrom(acted.at)
        changed.muted = True
    else:
        return record
    return _stamped(changed, command.meta, acted.at)


def after_encounter_ended(record: AlertRecord, cause: Cause) -> AlertRecord:
    """The record after the patient left, or another stay began."""
    if record.alert.state == CLOSED:
        return record
    changed = _copy(record)
    changed.alert.state = CLOSED
    changed.muted = False
    return _stamped(changed, cause.meta, cause.at)


def in_stay(record: AlertRecord, encounter_key: str) -> AlertRecord:
    """The record as one of a stay. Its id stays, and there is nothing to tell anybody."""
    if record.alert.meta.encounter_key == encounter_key:
        return record
    changed = _copy(record)
    changed.alert.meta.encounter_key = encounter_key
    return changed


def _opened(condition: Condition, cause: Cause) -> AlertRecord:
    identity = alert_id(cause.patient_key, cause.encounter_key, condition.rule)
    while (
        identity in cause.taken_ids
    ):  # an alert keeps the id from before its stay was known; a later unknown stay needs another
        identity = alert_id(cause.patient_key, identity, condition.rule)
    record = AlertRecord(
        alert=Alert(
            id=identity,
            patient_key=cause.patient_key,
            rule=condition.rule,
            opened_at=cause.at,
        )
    )
    return _fired(record, condition, cause)


def _reopened(record: AlertRecord, condition: Condition, cause: Cause) -> AlertRecord:
    changed = _copy(record)
    for field in ("acknowledged", "resolved_at"):
        changed.alert.ClearField(field)
    changed.alert.opened_at.CopyFrom(cause.at)
    return _fired(changed, condition, cause)


def _fired(changed: AlertRecord, condition: Condition, cause: Cause) -> AlertRecord:
    changed.alert.state = FIRING
    changed.muted = False
    return _stamped_by(cause, _stating(changed, condition, cause))


def _continued(record: AlertRecord, condition: Condition, cause: Cause) -> AlertRecord:
    if _says_the_same(record, condition, cause):
        return record
    return _stamped_by(cause, _stating(_copy(record), condition, cause))


def _without_condition(record: AlertRecord, judged: Judged, clears: Clears, cause: Cause) -> AlertRecord:
    if record.muted:
        changed = _copy(record)
        changed.muted = False
        return changed  # nothing to tell anybody: the alert itself stays as it is
    if record.alert.state not in OPEN:
        return record
    unknown = frozenset(record.contributors) - judged.known
    unseen = clears is Clears.SEEN_AND_ABSENT and record.alert.state != ACKNOWLEDGED
    if unseen or (unknown and not judged.abstained):
        return record
    changed = _copy(record)
    changed.alert.state = RESOLVED
    changed.alert.resolved_at.CopyFrom(cause.at)
    changed.alert.risk_message_id = cause.risk_message_id
    return _stamped_by(cause, changed)


def _stating(changed: AlertRecord, condition: Condition, cause: Cause) -> AlertRecord:
    alert = changed.alert
    alert.severity = condition.severity
    alert.reason = condition.sentence
    alert.basis = condition.basis
    alert.ward = cause.ward
    alert.bed = cause.bed
    alert.risk_message_id = cause.risk_message_id
    del alert.evidence[:]
    alert.evidence.extend(condition.evidence)
    changed.level = condition.level
    del changed.contributors[:]
    changed.contributors.extend(sorted(condition.contributors))
    return changed


def _says_the_same(record: AlertRecord, condition: Condition, cause: Cause) -> bool:
    alert = record.alert
    return (record.level, alert.severity, alert.reason, alert.ward, alert.bed, _lasting(alert.evidence)) == (
        condition.level,
        condition.severity,
        condition.sentence,
        cause.ward,
        cause.bed,
        _lasting(condition.evidence),
    )


def _lasting(evidence: Iterable[Evidence]) -> frozenset[tuple[str, str, str]]:
    return frozenset(
        (item.kind, item.message_id, item.statement) for item in evidence if item.kind not in REPEATED_KINDS
    )


def _stamped_by(cause: Cause, changed: AlertRecord) -> AlertRecord:
    return _stamped(in_stay(changed, changed.alert.meta.encounter_key or cause.encounter_key), cause.meta, cause.at)


def _stamped(changed: AlertRecord, meta: Meta, at: Timestamp) -> AlertRecord:
    """Count the change. `updated_at` never goes back, whatever the time bases of causes."""
    alert = changed.alert
    alert.revision += 1
    newest = max((at, alert.updated_at, alert.opened_at), key=lambda stamp: (stamp.seconds, stamp.nanos))
    alert.updated_at.CopyFrom(newest)
    encounter_key = alert.meta.encounter_key or meta.encounter_key
    alert.meta.CopyFrom(meta)
    alert.meta.patient_key = alert.patient_key
    alert.meta.encounter_key = encounter_key
    alert.meta.message_id = alert.id
    alert.meta.revision = alert.revision
    return changed


def _copy(record: AlertRecord) -> AlertRecord:
    copied = AlertRecord()
    copied.CopyFrom(record)
    return copied
