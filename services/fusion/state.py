"""What fusion remembers of one patient, and how a message changes it. Pure.

Taking the same message twice changes nothing, and the order in which messages arrive does not matter: of several
accounts of one thing the highest rank stays, whichever came first. (Of what is older than the history nothing is known
any more; so a correction must carry the event time of what it corrects, as ours do.)
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import chain
from math import isfinite
from typing import Self, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp
from vigil.v1.encounters_pb2 import Encounter, EncounterStatus
from vigil.v1.images_pb2 import ImageFindings
from vigil.v1.meta_pb2 import Meta
from vigil.v1.notes_pb2 import NoteCoded, ReportFinding
from vigil.v1.observations_pb2 import Observation, ObservationsReceived, ObservationStatus
from vigil.v1.risk_pb2 import PatientRisk, PatientState, StoredObservation

from services.fusion.denials import denied
from services.fusion.earlier import Earlier, with_left
from services.fusion.stated import filled, with_stated
from services.fusion.vitals import MICROSECONDS, SCORE_UNITS, WORDED, Lack, Measured

Input = ObservationsReceived | Encounter | NoteCoded | ImageFindings
Document = TypeVar("Document", NoteCoded, ImageFindings)

SEEN_KEPT = 256
REPLACED_KEPT = 64
PLACES = frozenset({"location", "laterality"})  # of what a report says of a finding
MOVEMENTS_KEPT = 16
REPLACING = frozenset({ObservationStatus.OBSERVATION_STATUS_CORRECTED, ObservationStatus.OBSERVATION_STATUS_WITHDRAWN})
WITHDRAWN = ObservationStatus.OBSERVATION_STATUS_WITHDRAWN
OBSERVATIONS_FIELD = PatientState.DESCRIPTOR.fields_by_name["observations"].number
LENGTH_DELIMITED = 2  # wire type of an embedded message
STAY_UNSTATED = EncounterStatus.ENCOUNTER_STATUS_UNSPECIFIED
HERE = EncounterStatus.ENCOUNTER_STATUS_IN_PROGRESS

Rank = tuple[int, bool, int, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept of a patient, and how far ahead of its arrival an event time is believed.

    models_history: what the models' rows reach back (`deterioration.summaries`). earlier: values a name, of those that
    only the models need.
    """

    history: timedelta = timedelta(hours=24)
    models_history: timedelta = timedelta(hours=48)
    future_tolerance: timedelta = timedelta(minutes=5)
    observations: int = 1500
    earlier: int = 500
    notes: int = 30
    images: int = 30


@dataclass(frozen=True, slots=True)
class Held:
    """An observation in the state.

    rank: of several accounts of one observation the highest counts. wire: the StoredObservation, encoded as a field of
    PatientState, so that a state of a thousand values is written without encoding each of them again.
    """

    measured: Measured
    rank: Rank
    wire: bytes

    @property
    def order(self) -> tuple[int, str]:
        """Event time, then id."""
        return self.measured.at, self.measured.observation_id


@dataclass(frozen=True, slots=True)
class PatientRecord:
    """State of one patient. Read and written as `PatientState`. Times are microseconds since 1970, UTC.

    as_of: newest event time seen, at which the patient is judged. first_event: oldest one of results, 0 before any.
    observations: by observation id, oldest first. earlier: by name, what left them and the models still need.
    movements, notes, images: oldest first. stated: what came with results about the person and the place. replaced:
    what notes say that they replace. revision: messages taken in.
    """

    patient_key: str
    as_of: int = 0
    first_event: int = 0
    observations: dict[str, Held] = field(default_factory=dict)
    earlier: Earlier = field(default_factory=dict)
    movements: tuple[Encounter, ...] = ()
    stated: tuple[Encounter, ...] = ()
    notes: tuple[NoteCoded, ...] = ()
    replaced: tuple[str, ...] = ()
    images: tuple[ImageFindings, ...] = ()
    seen: tuple[str, ...] = ()
    revision: int = 0
    risk: PatientRisk = field(default_factory=PatientRisk)

    def measured(self) -> Sequence[Measured]:
        """All values, oldest first; withdrawn and impossible ones are marked unusable."""
        return [held.measured for held in self.observations.values()]

    def with_risk(self, risk: PatientRisk) -> Self:
        """The same state with the risk that was judged from it."""
        return replace(self, risk=risk)

    def SerializeToString(self) -> bytes:  # noqa: N802 - what a table keeps looks like a protobuf message
        """The record as PatientState. A message's encoding is that of its fields, one after the other."""
        rest = PatientState(
            patient_key=self.patient_key,
            encounter=stay(self.movements),
            as_of=timestamp(self.as_of),
            notes=self.notes,
            images=self.images,
            seen_message_ids=self.seen,
            revision=self.revision,
            risk=self.risk,
            movements=self.movements,
            stated=self.stated,
            replaced_document_ids=self.replaced,
            earlier=self.earlier.values(),
            first_event=timestamp(self.first_event),
        )
        return b"".join(chain((rest.SerializeToString(),), (held.wire for held in self.observations.values())))

    @classmethod
    def FromString(cls, encoded: bytes) -> Self:  # noqa: N802 - as above
        """Raises DecodeError for bytes that are no PatientState."""
        state = PatientState.FromString(encoded)
        return cls(
            patient_key=state.patient_key,
            as_of=microseconds(state.as_of),
            first_event=microseconds(state.first_event),
            earlier={values.name: values for values in state.earlier},
            observations={stored.observation.observation_id: _held(stored) for stored in state.observations},
            movements=tuple(state.movements),
            stated=tuple(state.stated),
            notes=tuple(state.notes),
            replaced=tuple(state.replaced_document_ids),
            images=tuple(state.images),
            seen=tuple(state.seen_message_ids),
            revision=state.revision,
            risk=state.risk,
        )


def microseconds(stamp: Timestamp) -> int:
    """Since 1970, UTC; 0 when unset."""
    return stamp.seconds * MICROSECONDS + stamp.nanos // 1000


def timestamp(at: int) -> Timestamp:
    """Protobuf time of microseconds since 1970, UTC."""
    return Timestamp(seconds=at // MICROSECONDS, nanos=at % MICROSECONDS * 1000)


def seen_id(meta: Meta) -> str:
    """What marks a message as taken in: a correction has the same message id and a higher revision."""
    return f"{meta.message_id}#{meta.revision}" if meta.revision else meta.message_id


def take_in(record: PatientRecord, message: Input, limits: Limits) -> PatientRecord:
    """The record after `message`; the very same record when it was taken in before."""
    if seen_id(message.meta) in record.seen:
        return record
    changed = replace(
        record,
        as_of=max(record.as_of, _believable(message, limits)),
        first_event=_first_event(record, message),
        seen=(*record.seen, seen_id(message.meta))[-SEEN_KEPT:],
        revision=record.revision + 1,
    )
    return _pruned(_with(changed, message, limits), limits)


def _believable(message: Input, limits: Limits) -> int:
    """Event time of the message, but not further after its arrival than is tolerated."""
    claimed = microseconds(message.meta.event_time)
    if isinstance(message, ObservationsReceived):
        claimed = max([claimed, *(microseconds(one.event_time) for one in message.observations)])
    if not message.meta.HasField("ingest_time"):
        return claimed
    latest = microseconds(message.meta.ingest_time) + limits.future_tolerance // timedelta(microseconds=1)
    return min(claimed, latest)


def _first_event(record: PatientRecord, message: Input) -> int:
    """Notes and movements tell of other days too; results do not."""
    if not isinstance(message, ObservationsReceived):
        return record.first_event
    at = microseconds(message.meta.event_time)
    return min(record.first_event, at) if record.first_event else at


def _with(record: PatientRecord, message: Input, limits: Limits) -> PatientRecord:
    if isinstance(message, ObservationsReceived):
        observations = _with_observations(record.observations, message)
        return replace(record, observations=observations, stated=with_stated(record.stated, message))
    if isinstance(message, Encounter):
        return replace(record, movements=_with_movement(record.movements, message))
    if isinstance(message, NoteCoded):
        return _with_note(record, message, limits)
    return replace(record, images=_with_document(record.images, message, limits.images))


def _with_observations(kept: dict[str, Held], group: ObservationsReceived) -> dict[str, Held]:
    observations = dict(kept)
    newest = kept[next(reversed(kept))].order if kept else (0, "")
    in_order = True
    for held in sorted((_held(stored) for stored in _stored(group)), key=lambda held: held.order):
        known = kept.get(held.measured.observation_id)
        if known is None or known.rank < held.rank:
            observations[held.measured.observation_id] = held
            in_order = in_order and known is None and held.order > newest
    if in_order:
        return observations
    return dict(sorted(observations.items(), key=lambda item: item[1].order))


def _stored(group: ObservationsReceived) -> Iterator[StoredObservation]:
    for observation in group.observations:
        yield StoredObservation(
            observation=observation,
            message_id=group.meta.message_id,
            revision=group.meta.revision,
            ingest_time=group.meta.ingest_time,
        )


def _held(stored: StoredObservation) -> Held:
    observation = stored.observation
    encoded = stored.SerializeToString()
    return Held(
        measured=Measured(
            name=observation.name,
            value=observation.value,
            at=microseconds(observation.event_time),
            unit=observation.unit,
            text=observation.text_value.strip().lower(),
            observation_id=observation.observation_id,
            message_id=stored.message_id,
            unusable=_unusable(observation),
        ),
        rank=(
            stored.revision,
            observation.status in REPLACING,
            microseconds(stored.ingest_time),
            stored.message_id,
        ),
        wire=_varint(OBSERVATIONS_FIELD << 3 | LENGTH_DELIMITED) + _varint(len(encoded)) + encoded,
    )


def _unusable(observation: Observation) -> Lack | None:
    if observation.status == WITHDRAWN:
        return Lack.ABSENT
    if observation.out_of_range or not isfinite(observation.value):
        return Lack.OUT_OF_RANGE
    if observation.text_value and observation.name not in WORDED:
        return Lack.ABSENT
    expected = SCORE_UNITS.get(observation.name)
    return Lack.UNIT if expected and observation.unit not in {expected, ""} else None


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _document_rank(meta: Meta) -> tuple[int, int, str]:
    return meta.revision, microseconds(meta.ingest_time), meta.message_id


def _order(meta: Meta) -> tuple[int, int, str]:
    """Event times may be whole minutes (HL7 EVN-2): within one, what reached Vigil last is the newer."""
    return microseconds(meta.event_time), microseconds(meta.ingest_time), meta.message_id


def _document_order(document: NoteCoded | ImageFindings) -> tuple[int, int, str]:
    return _order(document.meta)


def _identity(document: NoteCoded | ImageFindings) -> str:
    if isinstance(document, NoteCoded):
        return document.document_id or document.note_message_id or document.meta.message_id
    return document.image.sop_instance_uid or document.image_message_id or document.meta.message_id


def _with_document(kept: tuple[Document, ...], new: Document, limit: int) -> tuple[Document, ...]:
    identity = _identity(new)
    known = next((one for one in kept if _identity(one) == identity), None)
    if known is not None and _document_rank(known.meta) >= _document_rank(new.meta):
        return kept
    together: list[Document] = [one for one in kept if one is not known]
    together.append(new)
    together.sort(key=_document_order)
    return tuple(together[-limit:])


def _with_note(record: PatientRecord, new: NoteCoded, limits: Limits) -> PatientRecord:
    """A note that another one replaces is not kept, whichever of them comes first."""
    named = new.replaces_document_id
    is_known = named in {"", new.document_id, *record.replaced}
    replaced = record.replaced if is_known else (*record.replaced, named)[-REPLACED_KEPT:]
    notes = _with_document(record.notes, without_text(new), limits.notes)
    standing = tuple(note for note in notes if not {note.document_id, note.note_message_id} & set(replaced))
    return replace(record, notes=standing, replaced=replaced)


def without_text(note: NoteCoded) -> NoteCoded:
    """A copy with what fusion reads: codes that were selected, diseases that were denied, findings and their places."""
    slim = NoteCoded(
        meta=note.meta,
        document_id=note.document_id,
        note_message_id=note.note_message_id,
        kind=note.kind,
        models=note.models,
        code_set_version=note.code_set_version,
        degraded=note.degraded,
        degraded_reason=note.degraded_reason,
        truncated=note.truncated,
        abstained=note.abstained,
        threshold=note.threshold,
        accession_key=note.accession_key,
        report_modality=note.report_modality,
    )
    slim.codes.extend(code for code in note.codes if code.selected)
    slim.entities.extend(denied(note))
    slim.findings.extend(_slim(finding) for finding in note.findings if finding.status != "not_mentioned")
    return slim


def _slim(finding: ReportFinding) -> ReportFinding:
    """With the places of the mentions that decided its status."""
    slim = ReportFinding(label=finding.label, status=finding.status, spans=finding.spans)
    for mention in finding.mentions:
        places = [detail for detail in mention.details if detail.name in PLACES]
        if places and mention.status == finding.status:
            slim.mentions.add(span=mention.span, status=mention.status, details=places)
    return slim


def _with_movement(kept: tuple[Encounter, ...], new: Encounter) -> tuple[Encounter, ...]:
    ids = {movement.meta.message_id: movement for movement in kept}
    known = ids.get(new.meta.message_id)
    if known is None or known.meta.revision < new.meta.revision:
        ids[new.meta.message_id] = new
    in_order = sorted(ids.values(), key=lambda one: _order(one.meta))
    older, newest = in_order[:-MOVEMENTS_KEPT], in_order[-MOVEMENTS_KEPT:]
    if any(one.status == HERE for one in newest):
        return tuple(newest)
    return (*[one for one in older if one.status == HERE][-1:], *newest)  # what the others are held against


def stay(movements: Iterable[Encounter]) -> Encounter | None:
    """What is known of the newest stay: each field from the newest movement that states it."""
    known: Encounter | None = None
    for movement in movements:
        if known is None:
            known = Encounter()
            known.CopyFrom(movement)
        elif _leaves_in_place(known, movement):
            _keep_age(known, movement)
        elif _is_another_stay(known, movement):
            person, known = known, Encounter()
            known.CopyFrom(movement)
            _keep_age(known, person)
        else:
            _update(known, movement)
    return known


def present_stay(record: PatientRecord) -> Encounter:
    """What is known of the stay; where no movement states it, as results do."""
    return filled(stay(record.movements) or Encounter(), stay(record.stated))


def _leaves_in_place(known: Encounter, movement: Encounter) -> bool:
    """Whether it plans, ends or describes another visit while this stay lasts. Alerting has the same rule."""
    if known.status != HERE or movement.status == HERE:
        return False
    return movement.status == EncounterStatus.ENCOUNTER_STATUS_PLANNED or _is_another_stay(known, movement)


def _keep_age(known: Encounter, person: Encounter) -> None:
    """The age is the person's, whichever visit stated it."""
    if person.HasField("age_years") and not known.HasField("age_years"):
        known.age_years = person.age_years


def _is_another_stay(known: Encounter, movement: Encounter) -> bool:
    keys = known.meta.encounter_key, movement.meta.encounter_key
    return all(keys) and keys[0] != keys[1]


def _update(known: Encounter, movement: Encounter) -> None:
    pregnant = known.pregnant or movement.pregnant  # stays in scope only when nobody says so
    location = known.ward, known.room, known.bed
    status = known.status
    encounter_key = known.meta.encounter_key
    merged = known.merged_patient_key
    known.MergeFrom(movement)
    for name in ("admitted_at", "discharged_at"):
        if movement.HasField(name):
            getattr(known, name).CopyFrom(getattr(movement, name))
    if movement.status == HERE:
        known.ClearField("discharged_at")  # the discharge was cancelled
    known.pregnant = pregnant
    known.meta.CopyFrom(movement.meta)
    known.meta.encounter_key = movement.meta.encounter_key or encounter_key
    known.merged_patient_key = movement.merged_patient_key or merged
    if movement.status == STAY_UNSTATED:
        known.status = status
    if not (movement.ward or movement.bed):
        known.ward, known.room, known.bed = location
    else:
        known.ward, known.room, known.bed = movement.ward, movement.room, movement.bed


def _pruned(record: PatientRecord, limits: Limits) -> PatientRecord:
    """Without values older than the history or over the limit; the newest of each name stays however old."""
    oldest = record.as_of - limits.history // timedelta(microseconds=1)
    excess = len(record.observations) - limits.observations
    first = next(iter(record.observations.values()), None)
    if first is None or (excess <= 0 and first.measured.at >= oldest):
        return record
    newest = {held.measured.name: key for key, held in record.observations.items()}
    pinned = set(newest.values())
    kept = {
        key: held
        for index, (key, held) in enumerate(record.observations.items())
        if key in pinned or (held.measured.at >= oldest and index >= excess)
    }
    left = (held for key, held in record.observations.items() if key not in kept)
    oldest_of_models = record.as_of - limits.models_history // timedelta(microseconds=1)
    earlier = with_left(record.earlier, left, kept.values(), oldest_of_models, limits.earlier)
    return replace(record, observations=kept, earlier=earlier)
