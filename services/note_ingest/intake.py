"""The one intake: what any protocol understood becomes messages on topics. Pure; transports call it, then publish."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from vigil.v1.encounters_pb2 import Encounter, EncounterStatus, Sex
from vigil.v1.meta_pb2 import Meta
from vigil.v1.notes_pb2 import AssignedCode, NoteReceived
from vigil.v1.observations_pb2 import Observation, ObservationsReceived, ObservationStatus

from services.common.bus import Publish
from services.common.clock import Clock, to_timestamp
from services.common.icd10cm import is_icd10cm, written
from services.common.identity import PatientKeys, authority_of, message_id
from services.common.meta import SCHEMA_VERSION, new_trace_parent
from services.common.topics import Topic
from services.note_ingest.catalogue import WORDS, Quantity, is_loinc, quantity_of
from services.note_ingest.derived import one_by_one
from services.note_ingest.drafts import (
    LONGEST_WORDS,
    Arrival,
    Code,
    Draft,
    Identity,
    Measurement,
    Measurements,
    MeasurementStatus,
    Note,
    Parsed,
    Stay,
    StayStatus,
    Subject,
)
from services.note_ingest.refusals import MISSING, TOO_LARGE, Refused
from services.note_ingest.units import Units


@dataclass(frozen=True, slots=True)
class Intake:
    """What the intake works with.

    authorities: other names of assigning authorities, as `canonical_aliases` gives them.
    max_note_chars: limit of a note's text.
    """

    keys: PatientKeys
    units: Units
    clock: Clock
    default_authority: str
    max_note_chars: int
    authorities: Mapping[str, str] = field(default_factory=dict)

    def authority(self, identity: Identity) -> str:
        """The name of the authority that keys are made with."""
        return authority_of(identity.authority, self.authorities, self.default_authority)

    def key(self, identity: Identity | None) -> str:
        """Key of an identifier; empty for none."""
        return self.keys.key(self.authority(identity), identity.identifier) if identity is not None else ""


def take_in(parsed: Parsed, intake: Intake) -> list[Publish]:
    """The messages that follow from `parsed`, in order; the same input gives the same message ids.

    Raises Refused for a note without text or longer than the limit, and for a result in words that is too long.
    """
    drafts = [one for draft in parsed.drafts for one in (draft, *_ended_by_merge(draft, intake))]
    return [_publish(draft, parsed.arrival, intake) for draft in drafts]


def _ended_by_merge(draft: Draft, intake: Intake) -> list[Stay]:
    """The end of the stay under the number that a merge gave up; nothing when both numbers are one patient's key."""
    if not isinstance(draft, Stay) or intake.key(draft.merged) in {"", intake.key(draft.subject.patient)}:
        return []
    assert draft.merged is not None
    return [Stay(Subject(draft.merged), draft.event_time, draft.trigger, StayStatus.CANCELLED)]


def _publish(draft: Draft, arrival: Arrival, intake: Intake) -> Publish:
    match draft:
        case Note():
            return _to(Topic.NOTES_RECEIVED, note_received(draft, arrival, intake))
        case Measurements():
            return _to(Topic.OBSERVATIONS_RECEIVED, observations_received(draft, arrival, intake))
        case Stay():
            return _to(Topic.ENCOUNTERS, encounter(draft, arrival, intake))


def _to(topic: Topic, message: NoteReceived | ObservationsReceived | Encounter) -> Publish:
    return Publish(to=topic, key=message.meta.patient_key, message=message)


def note_received(note: Note, arrival: Arrival, intake: Intake) -> NoteReceived:
    """One version of one document. Without a document id its content is its identity.

    Raises Refused for an empty text of what was not taken back, or one over the limit.
    """
    text = note.text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip() and not note.withdrawn:
        raise Refused(MISSING, "the note has no text")
    if len(text) > intake.max_note_chars:
        raise Refused(TOO_LARGE, f"the note is longer than {intake.max_note_chars} characters")
    authority = intake.authority(note.subject.patient)
    content = hashlib.sha256(text.encode()).hexdigest()[:32]
    document_id = note.document_id or content
    # Without the sender's own id, the same words about two patients are two notes.
    owner = () if note.document_id else (intake.key(note.subject.patient),)
    state = ("preliminary",) if note.preliminary else ()
    # Senders change a text and forget to say so: other words are never a repeat.
    identity = message_id("note", authority, *owner, document_id, str(note.version), *state, content)
    return NoteReceived(
        meta=_meta(identity, note.subject, note.event_time, arrival, intake, revision=note.version),
        document_id=document_id,
        kind=note.kind,
        type_code=note.type_code,
        text=text,
        language=note.language,
        accession_key=intake.key(note.accession),
        assigned_codes=_assigned(note.assigned_codes),
        replaces_document_id=note.replaces if note.replaces != document_id else "",
    )


def observations_received(group: Measurements, arrival: Arrival, intake: Intake) -> ObservationsReceived:
    """All values of one message about one patient. Its id is made of their content, so a repeat changes nothing.

    Raises Refused for a value, code or unit over `LONGEST_WORDS` characters.
    """
    patient_key, about = intake.key(group.subject.patient), group.about
    message = ObservationsReceived(
        observations=_observations(one_by_one(group.measurements), patient_key, intake.units),
        age_years=age_at(about.born, group.event_time) if about.born else None,
        pregnant=about.pregnant,
        ward=about.ward,
        room=about.room,
        bed=about.bed,
        sex=Sex.ValueType(about.sex.value),
    )
    content = hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()
    identity = message_id("observations", patient_key, content)
    message.meta.CopyFrom(_meta(identity, group.subject, group.event_time, arrival, intake))
    return message


def encounter(stay: Stay, arrival: Arrival, intake: Intake) -> Encounter:
    """What became known about a stay; age instead of the birth date."""
    message = Encounter(
        status=EncounterStatus.ValueType(stay.status.value),
        trigger=stay.trigger,
        ward=stay.ward,
        room=stay.room,
        bed=stay.bed,
        admitted_at=to_timestamp(stay.admitted_at) if stay.admitted_at else None,
        discharged_at=to_timestamp(stay.discharged_at) if stay.discharged_at else None,
        age_years=age_at(stay.born, stay.event_time) if stay.born else None,
        sex=Sex.ValueType(stay.sex.value),
        pregnant=stay.pregnant,
        merged_patient_key=intake.key(stay.merged),
        assigned_codes=_assigned(stay.assigned_codes),
    )
    content = hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()
    patient_key, visit_key = intake.key(stay.subject.patient), intake.key(stay.subject.visit)
    identity = message_id("encounter", patient_key, visit_key, stay.event_time.isoformat(), content)
    message.meta.CopyFrom(_meta(identity, stay.subject, stay.event_time, arrival, intake))
    return message


def age_at(born: date, moment: datetime) -> int | None:
    """Completed years; None when not born yet."""
    day = moment.date()
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    return years if years >= 0 else None


def _observations(sent: Sequence[Measurement], patient_key: str, units: Units) -> list[Observation]:
    """Values that nothing tells apart (left and right arm) are told apart by their order; the first keeps its id."""
    seen: Counter[tuple[str, bool]] = Counter()
    observations = [_observation(measurement, patient_key, units) for measurement in sent]
    for observation, measurement in zip(observations, sent, strict=True):
        # A value that is withdrawn and given anew in one message stays one value.
        place = observation.observation_id, measurement.status is MeasurementStatus.WITHDRAWN
        if seen[place]:
            observation.observation_id = message_id("observation", place[0], str(seen[place]))
        seen[place] += 1
    return observations


def _observation(sent: Measurement, patient_key: str, units: Units) -> Observation:
    if any(len(part) > LONGEST_WORDS for part in (sent.text, sent.unit, *(code.code for code in sent.codes))):
        raise Refused(TOO_LARGE, f"a value, code or unit is longer than {LONGEST_WORDS} characters")
    quantity = quantity_of(sent.codes)
    loinc = next((code.code for code in sent.codes if is_loinc(code)), "")
    name = quantity.name if quantity is not None else sent.codes[0].code.lower()
    observation = Observation(
        loinc=loinc or (quantity.loinc[0] if quantity is not None and quantity.loinc else ""),
        name=name,
        event_time=to_timestamp(sent.event_time),
        status=ObservationStatus.ValueType(sent.status.value),
        comparator=sent.comparator,
        observation_id=_observation_id(sent, patient_key, name),
    )
    if sent.value is not None:
        _set_value(observation, sent.value, sent.unit, quantity, units)
    elif sent.status is not MeasurementStatus.WITHDRAWN:
        _set_words(observation, sent.text, quantity)
    return observation


def _observation_id(sent: Measurement, patient_key: str, name: str) -> str:
    """Stable over corrections: from the sender's own id, else from when it was measured."""
    own = sent.instance_id or f"{sent.event_time.isoformat()}/{sent.sub_id}"
    return message_id("observation", patient_key, name, own)


def _set_value(observation: Observation, value: float, unit: str, quantity: Quantity | None, units: Units) -> None:
    if quantity is None:
        observation.value, observation.unit = value, unit
        return
    converted = units.convert(value, unit, quantity)
    observation.value, observation.unit = converted.value, converted.unit
    observation.sent_unit = unit if converted.ok and unit not in {"", converted.unit} else ""
    possible = quantity.low <= converted.value <= quantity.high
    observation.out_of_range = not converted.ok or not possible


def _set_words(observation: Observation, text: str, quantity: Quantity | None) -> None:
    if quantity is None:
        observation.text_value = text
        return
    canonical = WORDS.get(quantity.name, {}).get(text.strip().lower())
    observation.text_value = canonical or text
    # A word where a number belongs, or none of the known words, must not reach a score.
    observation.out_of_range = canonical is None


def _assigned(codes: Sequence[Code]) -> list[AssignedCode]:
    """In upper case, and with its dot where the code is ICD-10-CM."""
    return [
        AssignedCode(
            code=written(code.code) if is_icd10cm(code.code, code.system) else code.code.upper(),
            code_system=code.system,
        )
        for code in codes
    ]


def _meta(
    identity: str, subject: Subject, event_time: datetime, arrival: Arrival, intake: Intake, *, revision: int = 0
) -> Meta:
    return Meta(
        message_id=identity,
        event_time=to_timestamp(event_time),
        ingest_time=to_timestamp(arrival.ingest_time),
        source=arrival.source,
        patient_key=intake.key(subject.patient),
        encounter_key=intake.key(subject.visit),
        revision=revision,
        schema_version=SCHEMA_VERSION,
        trace_parent=new_trace_parent(),
        synthetic=arrival.synthetic,
        produced_time=to_timestamp(intake.clock()),
    )
