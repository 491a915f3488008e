"""What alerting keeps of one patient, after a risk, a movement or a command. Pure.

Each function returns the very state that it was given when nothing changed, else a new one.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from vigil.v1.alerts_pb2 import Alert, AlertCommand, AlertRecord, NotePlace, PatientAlerts, ScorePoint
from vigil.v1.encounters_pb2 import Encounter, EncounterStatus
from vigil.v1.risk_pb2 import PatientRisk

from services.alerting.conditions import NEWS2, clears, judge
from services.alerting.lifecycle import (
    CLOSED,
    OPEN,
    Cause,
    after_command,
    after_encounter_ended,
    after_risk,
    in_stay,
)
from services.alerting.policy import Policy
from services.common.outcomes import Invalid

ENDED = frozenset({EncounterStatus.ENCOUNTER_STATUS_DISCHARGED, EncounterStatus.ENCOUNTER_STATUS_CANCELLED})
SEEN_COMMANDS_KEPT = 100
NOTES_KEPT = 100
TREND_KEPT = 100
TREND_STEP_S = 600
RECORDS_KEPT = 100  # of one patient; records of open alerts and of the present stay are always kept


def after_risk_of(state: PatientAlerts, risk: PatientRisk, policy: Policy) -> PatientAlerts:
    """Take in a risk and hold the policy against it; one that is not newer than the one held changes nothing."""
    if state.HasField("risk") and risk.meta.revision <= state.risk.meta.revision:
        return state
    taken = _copy(state)
    taken.patient_key = risk.meta.patient_key
    taken.risk.CopyFrom(risk)
    _extend_trend(taken, risk)
    return _judged(taken, risk, policy)


def _judged(state: PatientAlerts, risk: PatientRisk, policy: Policy) -> PatientAlerts:
    encounter_key = current_encounter(state, risk)
    cause = Cause(
        meta=risk.meta,
        at=risk.as_of if risk.HasField("as_of") else risk.meta.event_time,
        patient_key=risk.meta.patient_key,
        encounter_key=encounter_key,
        ward=risk.ward or state.encounter.ward,
        bed=risk.bed or state.encounter.bed,
        risk_message_id=risk.meta.message_id,
        taken_ids={record.alert.id for record in state.records if key_of(record) not in {encounter_key, ""}},
    )
    if _is_over(state, risk, encounter_key):
        return _closing(state, cause, {encounter_key, ""})
    judged = judge(risk, policy)
    held, twins = _of_stay(state, encounter_key)
    changed = {twin.alert.id: after_encounter_ended(twin, cause) for twin in twins}
    for rule in sorted(judged.conditions.keys() | held.keys()):
        before = held.get(rule)
        after = after_risk(before, judged.conditions.get(rule), judged, clears(rule, policy), cause)
        if after is not None and after is not before:
            changed[after.alert.id] = after
        elif after is not None and not key_of(after):
            changed[after.alert.id] = in_stay(after, encounter_key)
    return _with(state, changed)


def _extend_trend(taken: PatientAlerts, risk: PatientRisk) -> None:
    """Add the total; of several within `TREND_STEP_S` the last one stands."""
    news2 = next((score for score in risk.scores if score.name == NEWS2 and not score.abstained), None)
    if news2 is None or len(news2.components) == sum(part.missing for part in news2.components):
        return
    trend = taken.news2_trend
    if trend and risk.as_of.seconds - trend[-1].at.seconds < TREND_STEP_S:
        trend[-1].total, trend[-1].partial = news2.total, news2.partial
        return
    trend.append(ScorePoint(at=risk.as_of, total=news2.total, partial=news2.partial))
    del trend[:-TREND_KEPT]


def after_encounter(state: PatientAlerts, encounter: Encounter) -> PatientAlerts:
    """Take in a movement; one that is not newer than the one held changes nothing."""
    if encounter.status == EncounterStatus.ENCOUNTER_STATUS_UNSPECIFIED:
        return state  # a change of the person's record says nothing about the stay
    if state.HasField("encounter") and not _replaces(encounter, state.encounter):
        return state
    moved = _copy(state)
    moved.patient_key = encounter.meta.patient_key
    moved.encounter.CopyFrom(encounter)
    key = encounter.meta.encounter_key
    cause = Cause(encounter.meta, encounter.meta.event_time, moved.patient_key, key)
    keys = {key_of(record) for record in moved.records}
    if not key:
        return _closing(moved, cause, keys) if encounter.status in ENDED else moved
    return _closing(moved, cause, keys & {key, ""} if encounter.status in ENDED else keys - {key, ""})


def after_command_to(state: PatientAlerts, command: AlertCommand) -> PatientAlerts:
    """Do what a person asked. Raises Invalid when there is no such alert."""
    if command.meta.message_id in state.seen_command_ids:
        return state
    record = next((item for item in state.records if item.alert.id == command.alert_id), None)
    if record is None:
        raise Invalid("the command is for an alert that does not exist")
    done = _copy(_with(state, {command.alert_id: after_command(record, command)}))
    seen = [*done.seen_command_ids, command.meta.message_id][-SEEN_COMMANDS_KEPT:]
    del done.seen_command_ids[:]
    done.seen_command_ids.extend(seen)
    return done


def after_note(state: PatientAlerts, place: NotePlace) -> PatientAlerts:
    """Remember where a coded note lies; a revision that is not higher changes nothing."""
    held = next((note for note in state.notes if note.note_message_id == place.note_message_id), None)
    if held is not None and held.revision >= place.revision:
        return state
    others = [note for note in state.notes if note.note_message_id != place.note_message_id]
    newest = sorted([*others, place], key=_note_order)[-NOTES_KEPT:]
    new = _copy(state)
    del new.notes[:]
    new.notes.extend(newest)
    return new


def _note_order(note: NotePlace) -> tuple[int, str]:
    """By event time; of one time by id, so that the order of arrival is no matter."""
    return note.event_time.ToNanoseconds(), note.note_message_id


def standing_notes(state: PatientAlerts) -> Sequence[NotePlace]:
    """Of each document the newest version, without what was taken back or is replaced by another document.

    The others stay readable, because alerts of the time rest on them.
    """
    replaced = {place.replaces_document_id for place in state.notes if place.replaces_document_id != place.document_id}
    newest: dict[str, NotePlace] = {}
    for place in state.notes:
        document = place.document_id or place.note_message_id
        held = newest.get(document)
        if held is None or (held.revision, held.offset) < (place.revision, place.offset):
            newest[document] = place
    standing = [place for document, place in newest.items() if not {document, place.note_message_id} & replaced]
    return sorted((place for place in standing if not place.withdrawn), key=_note_order)


def changed_alerts(before: PatientAlerts, after: PatientAlerts) -> list[Alert]:
    """Alerts that are new or have a higher revision."""
    known = {record.alert.id: record.alert.revision for record in before.records}
    return [r.alert for r in after.records if r.alert.revision > known.get(r.alert.id, 0)]


def current_encounter(state: PatientAlerts, risk: PatientRisk) -> str:
    """Key of the stay that a risk is about: where the patient is, else what the risk says, else that of its alerts."""
    held = state.encounter
    if held.status not in ENDED and held.meta.encounter_key:
        return held.meta.encounter_key
    return risk.meta.encounter_key or held.meta.encounter_key or _stay_of_alerts(state)


def _stay_of_alerts(state: PatientAlerts) -> str:
    """Key of the alert that changed last, of those whose stay lasts."""
    lasting = [record for record in state.records if key_of(record) and record.alert.state != CLOSED]
    return key_of(max(lasting, key=lambda record: record.alert.updated_at.ToNanoseconds())) if lasting else ""


def is_here(state: PatientAlerts) -> bool:
    """Whether the patient has not left, as far as is known."""
    return state.encounter.status not in ENDED


def key_of(record: AlertRecord) -> str:
    """Stay of an alert; empty when it was not known."""
    return record.alert.meta.encounter_key


def _is_over(state: PatientAlerts, risk: PatientRisk, encounter_key: str) -> bool:
    if state.HasField("encounter") and state.encounter.status not in ENDED:
        return False
    held_ended = state.encounter.status in ENDED and state.encounter.meta.encounter_key == encounter_key
    return held_ended or risk.encounter_status in ENDED


def _of_stay(state: PatientAlerts, encounter_key: str) -> tuple[dict[str, AlertRecord], list[AlertRecord]]:
    """The alert of each rule in a stay, and the others that say the same.

    One from before it was known which stay it is belongs to it until it is closed. Of several of one rule the first
    that was made stays, whichever key it has.
    """
    mine = [r for r in state.records if key_of(r) == encounter_key or (not key_of(r) and r.alert.state != CLOSED)]
    held: dict[str, AlertRecord] = {}
    for record in sorted(mine, key=lambda record: record.alert.state == CLOSED):  # stable: in the order of making
        held.setdefault(record.alert.rule, record)
    return held, [r for r in mine if r.alert.state != CLOSED and held[r.alert.rule] is not r]


def _closing(state: PatientAlerts, cause: Cause, keys: AbstractSet[str]) -> PatientAlerts:
    closed = {
        record.alert.id: after
        for record in state.records
        if key_of(record) in keys and (after := after_encounter_ended(record, cause)) is not record
    }
    return _with(state, closed)


def _with(state: PatientAlerts, changed: Mapping[str, AlertRecord]) -> PatientAlerts:
    known = {record.alert.id: record for record in state.records}
    if all(known.get(key) == record for key, record in changed.items()):
        return state
    new = _copy(state)
    del new.records[:]
    new.records.extend(_pruned(list((known | dict(changed)).values())))
    return new


def _pruned(records: list[AlertRecord]) -> list[AlertRecord]:
    surplus = len(records) - RECORDS_KEPT
    if surplus <= 0:
        return records
    newest = key_of(max(records, key=lambda record: record.alert.updated_at.seconds))
    over = [r for r in records if r.alert.state not in OPEN and key_of(r) != newest]
    over.sort(key=lambda record: record.alert.updated_at.seconds)
    dropped = {record.alert.id for record in over[:surplus]}
    return [record for record in records if record.alert.id not in dropped]


def _replaces(encounter: Encounter, held: Encounter) -> bool:
    return _order(encounter) > _order(held) and not _leaves_in_place(held, encounter)


def _leaves_in_place(held: Encounter, encounter: Encounter) -> bool:
    """Whether it plans, ends or describes another visit while this stay lasts. Fusion has the same rule."""
    here = EncounterStatus.ENCOUNTER_STATUS_IN_PROGRESS
    if held.status != here or encounter.status == here:
        return False
    keys = held.meta.encounter_key, encounter.meta.encounter_key
    return encounter.status == EncounterStatus.ENCOUNTER_STATUS_PLANNED or (all(keys) and keys[0] != keys[1])


def _order(encounter: Encounter) -> tuple[int, int, str, int]:
    """Event times may be whole minutes (HL7 EVN-2): within one, what reached Vigil last is the newer."""
    meta = encounter.meta
    return meta.event_time.ToNanoseconds(), meta.ingest_time.ToNanoseconds(), meta.message_id, meta.revision


def _copy(state: PatientAlerts) -> PatientAlerts:
    copied = PatientAlerts()
    copied.CopyFrom(state)
    return copied
