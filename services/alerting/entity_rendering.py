"""Entities of a note, and a patient's medications over time, as JSON."""

from typing import Any

from vigil.v1.alerts_pb2 import NotePlace
from vigil.v1.meta_pb2 import Span
from vigil.v1.notes_pb2 import Assertion, Entity, EntityAttribute, Experiencer, Temporality

from services.alerting.medications import Disagreement, Row, Statement, Timeline
from services.alerting.prescription_words import spoken
from services.alerting.times import time_of

Json = dict[str, Any]
ASSERTIONS = {number: name.removeprefix("ASSERTION_").lower() for name, number in Assertion.items()}
TEMPORALITIES = {number: name.removeprefix("TEMPORALITY_").lower() for name, number in Temporality.items()}
EXPERIENCERS = {number: name.removeprefix("EXPERIENCER_").lower() for name, number in Experiencer.items()}


def entity_json(entity: Entity) -> Json:
    """A mention with how it reads and what is said of it; spans count code points of the text as received."""
    return {
        "type": entity.type,
        "span": span_json(entity.span),
        **reading_json(entity),
        "code": entity.code,
        "name": entity.name,
        "concept": entity.concept,
        "origin": entity.origin,
        "attributes": [attribute_json(one) for one in entity.attributes],
    }


def reading_json(entity: Entity) -> Json:
    """How sure a mention is, of when, and of whom."""
    return {
        "assertion": ASSERTIONS[entity.assertion],
        "temporality": TEMPORALITIES[entity.temporality],
        "experiencer": EXPERIENCERS[entity.experiencer],
    }


def attribute_json(attribute: EntityAttribute) -> Json:
    """A part of what is said of a mention: `value` normalised, `spoken` as a clinician writes it, numbers if set."""
    shown: Json = {
        "name": attribute.name,
        "span": span_json(attribute.span),
        "value": attribute.value,
        "spoken": spoken(attribute),
    }
    for field in ("amount", "amount_high", "times_per_day", "times_per_day_high"):
        if attribute.HasField(field):
            shown[field] = getattr(attribute, field)
    if attribute.unit:
        shown["unit"] = attribute.unit
    if attribute.as_needed:
        shown["as_needed"] = True
    return shown


def span_json(span: Span) -> list[int]:
    """Start and end, half open."""
    return [span.start, span.end]


def timeline_json(patient_key: str, timeline: Timeline) -> Json:
    """As `GET /patients/{key}/medications` answers."""
    read = [note for note in timeline.notes if note.medications_read == "whole"]
    return {
        "patient_key": patient_key,
        "notes": {
            "standing": len(timeline.notes),
            "read_whole": len(read),
            "newest": time_of(timeline.notes[-1].event_time) if timeline.notes else None,
            "not_whole": [
                _note_json(note) | {"read": note.medications_read or "before"}
                for note in timeline.notes
                if note.medications_read != "whole"
            ],
        },
        "allergies": [_row_json(row) for row in timeline.allergies],
        "medications": [_row_json(row) for row in timeline.medications],
        "unnamed": [_statement_json(one) for one in timeline.unnamed],
    }


def _row_json(row: Row) -> Json:
    return {
        "name": row.name,
        "statements": [_statement_json(one) for one in row.statements],
        "disagreements": [_disagreement_json(one) for one in row.disagreements],
    }


def _statement_json(one: Statement) -> Json:
    return {
        "at": time_of(one.note.event_time),
        "note": _note_json(one.note),
        "span": span_json(one.entity.span),
        "product": one.entity.name,
        "status": one.status,
        **reading_json(one.entity),
        "attributes": [attribute_json(attribute) for attribute in one.entity.attributes],
    }


def _disagreement_json(one: Disagreement) -> Json:
    return {
        "kind": one.kind,
        "sentence": one.sentence,
        "statements": [
            {"message_id": said.note.note_message_id, "span": span_json(said.entity.span)} for said in one.statements
        ],
    }


def _note_json(note: NotePlace) -> Json:
    return {"message_id": note.note_message_id, "kind": note.kind, "event_time": time_of(note.event_time)}
