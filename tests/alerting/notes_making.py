"""Coded notes for tests: what is said of medications, by sentences written as data."""

from datetime import timedelta

from vigil.v1.alerts_pb2 import NotePlace, PatientAlerts
from vigil.v1.notes_pb2 import Assertion, Entity, EntityAttribute, Experiencer, NoteCoded, Temporality

from services.alerting.handlers import place_of
from services.alerting.patient_alerts import after_note
from services.common.clock import to_timestamp
from tests.alerting.making import NOON, meta

PRESENT = Assertion.ASSERTION_PRESENT
ABSENT = Assertion.ASSERTION_ABSENT
CONDITIONAL = Assertion.ASSERTION_CONDITIONAL
POSSIBLE = Assertion.ASSERTION_POSSIBLE
PATIENT = Experiencer.EXPERIENCER_PATIENT
FAMILY = Experiencer.EXPERIENCER_FAMILY


def medication(
    name: str,
    start: int = 0,
    *,
    status: str = "",
    dose: str = "",
    route: str = "",
    assertion: Assertion.ValueType = PRESENT,
    experiencer: Experiencer.ValueType = PATIENT,
) -> Entity:
    """A mention at a character; parts stand right after it."""
    entity = Entity(
        type="medication",
        name=name,
        assertion=assertion,
        temporality=Temporality.TEMPORALITY_CURRENT,
        experiencer=experiencer,
        origin="drug names+model",
    )
    entity.span.start, entity.span.end = start, start + 10
    for part, value in (("status", status), ("dose", dose), ("route", route)):
        if value:
            attribute = entity.attributes.add(name=part, value=value)
            attribute.span.start, attribute.span.end = start + 11, start + 15
            if part == "dose":
                number, _, unit = value.partition(" ")
                attribute.amount, attribute.unit = float(number), unit
    return entity


def twice_a_day(entity: Entity) -> Entity:
    entity.attributes.append(EntityAttribute(name="frequency", value="2/d", times_per_day=2, times_per_day_high=2))
    return entity


def coded(
    note: str,
    *entities: Entity,
    minute: float = 0,
    revision: int = 0,
    document: str = "",
    replaces: str = "",
    text: str = "Some text.",
) -> NoteCoded:
    """A note of n minutes past noon."""
    made = NoteCoded(
        meta=meta(f"coded-{note}-{revision}", minute, revision=revision),
        note_message_id=note,
        document_id=document or f"document-{note}",
        replaces_document_id=replaces,
        kind="progress",
        text=text,
        entities=entities,
        entity_rules="note",
    )
    made.meta.event_time.CopyFrom(to_timestamp(NOON + timedelta(minutes=minute)))
    return made


def placed(*notes: NoteCoded) -> list[NotePlace]:
    """Where the notes lie, one after the other."""
    return [place_of(note, 0, offset) for offset, note in enumerate(notes)]


def state_of(*places: NotePlace) -> PatientAlerts:
    """A patient after notes in this order."""
    state = PatientAlerts(patient_key="a" * 32)
    for place in places:
        state = after_note(state, place)
    return state
