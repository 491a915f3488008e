"""The whole ward as a list of timed messages. Pure: the same plan gives the same bytes."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ward import dicom, fhir, hl7v2
from ward.course import Course, Note, Picture, Place, present, value_at
from ward.events import Event, Kind, Protocol
from ward.hl7v2 import Header
from ward.people import Patient, roster
from ward.vocabulary import REPORT_TYPES, VITALS

DAY = 24.0
REPORT_DELAY_H = 0.5
ROUND_STAGGER_S = 47  # each patient's round begins a little after the neighbour's
WITHOUT_NOISE = frozenset({"gcs", "fio2", "spo2_scale"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What makes a ward.

    start: aware, the beginning of the day. run: short tag that keeps one run's patients from another's.
    hours: how much of the day is played, 0 to 24. vitals_every: between two rounds.
    """

    seed: int
    start: datetime
    run: str
    hours: float = DAY
    vitals_every: timedelta = timedelta(minutes=15)

    def at(self, hour: float) -> datetime:
        """Time of an hour of the day, to the second."""
        return (self.start + timedelta(hours=hour)).astimezone(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Ward:
    """A generated ward: its plan, its patients, and its messages in the order of event time."""

    plan: Plan
    patients: tuple[Patient, ...]
    events: tuple[Event, ...]

    def patient(self, number: int) -> Patient:
        """Patient by number, from 1."""
        return self.patients[number - 1]


@dataclass(frozen=True, slots=True)
class _Draft:
    """An event before it is numbered."""

    at: datetime
    protocol: Protocol
    kind: Kind
    patient: Patient
    payload: bytes
    document: str = ""
    text: str = ""


def generate(plan: Plan) -> Ward:
    """All messages of the plan's day, ordered by event time. Raises ValueError for a start without zone."""
    if plan.start.tzinfo is None:
        raise ValueError("the start of a ward needs a time zone")
    patients = roster(plan.seed, plan.run, plan.start)
    drafts = [draft for patient in patients for draft in _patient_day(plan, patient)]
    until = plan.at(plan.hours)
    return Ward(plan, patients, _numbered([draft for draft in drafts if draft.at <= until]))


def discharges(ward: Ward, at: datetime) -> tuple[Event, ...]:
    """A discharge at `at` for every patient of an earlier ward who is still in: the beds of the next one."""
    drafts = [
        _moved(ward.plan, patient, "A03", _place(patient.course, ward.plan.hours), at.replace(microsecond=0))
        for patient in ward.patients
        if present(patient.course, ward.plan.hours)
    ]
    return _numbered(drafts)


def _numbered(drafts: list[_Draft]) -> tuple[Event, ...]:
    drafts.sort(key=lambda draft: (draft.at, draft.patient.number, draft.kind))
    return tuple(
        Event(
            number=number,
            at=draft.at,
            protocol=draft.protocol,
            kind=draft.kind,
            patient=draft.patient.number,
            mrn=draft.patient.mrn,
            document=draft.document,
            payload=draft.payload,
            text=draft.text,
        )
        for number, draft in enumerate(drafts, start=1)
    )


def _patient_day(plan: Plan, patient: Patient) -> Iterator[_Draft]:
    course = patient.course
    for move in course.moves:
        yield _moved(plan, patient, move.trigger, move.to, plan.at(move.hour))
    yield from _rounds(plan, patient)
    for group in course.labs:
        at = plan.at(group.hour) + timedelta(seconds=1)  # never the second of a round
        header = _header("LAB", "ORU^R01^ORU_R01", patient, "L", at)
        payload = hl7v2.labs(header, patient, _place(course, group.hour), group.values)
        yield _Draft(at, Protocol.MLLP, Kind.OBSERVATIONS, patient, payload)
    for number, note in enumerate(course.notes, start=1):
        yield _note(plan, patient, note, number)
    for number, picture in enumerate(course.pictures, start=1):
        yield from _picture(plan, patient, picture, number)


def _moved(plan: Plan, patient: Patient, trigger: str, place: Place, at: datetime) -> _Draft:
    admitted = plan.at(patient.course.moves[0].hour)
    header = _header("ADT", f"ADT^{trigger}", patient, trigger, at)
    payload = hl7v2.admission(header, patient, trigger, place, admitted)
    return _Draft(at, Protocol.MLLP, Kind.ENCOUNTER, patient, payload, document=trigger)


def _rounds(plan: Plan, patient: Patient) -> Iterator[_Draft]:
    rng = random.Random(f"vitals-{plan.seed}-{patient.number}")
    step = plan.vitals_every / timedelta(hours=1)
    hour = patient.course.moves[0].hour + 0.05 + patient.number * ROUND_STAGGER_S / 3600
    while hour <= plan.hours:
        values = measured(patient.course, hour, rng)
        if present(patient.course, hour):
            yield _round(plan, patient, hour, values)
        hour += step


def _round(plan: Plan, patient: Patient, hour: float, values: Mapping[str, float]) -> _Draft:
    at = plan.at(hour)
    at += timedelta(seconds=at.second % 2)  # even seconds; laboratory results come at odd ones
    header = _header("MONITOR", "ORU^R01^ORU_R01", patient, "V", at)
    if patient.course.fhir:
        payload = fhir.vitals(patient, at, values, header.control_id)
        return _Draft(at, Protocol.FHIR, Kind.OBSERVATIONS, patient, payload)
    payload = hl7v2.vitals(header, patient, _place(patient.course, hour), values)
    return _Draft(at, Protocol.MLLP, Kind.OBSERVATIONS, patient, payload)


def measured(course: Course, hour: float, rng: random.Random) -> dict[str, float]:
    """One round of vital signs: the course with noise, rounded as it is printed."""
    values = {}
    for name, curve in course.vitals.items():
        measure = VITALS[name]
        noise = 0.0 if name in WITHOUT_NOISE else rng.uniform(-1, 1) * measure.noise * course.calm
        values[name] = round(value_at(name, curve, hour) + noise, measure.decimals)
    values["spo2"] = min(values["spo2"], 100.0)
    return values


def _note(plan: Plan, patient: Patient, note: Note, number: int) -> _Draft:
    at, document = plan.at(note.hour), f"{patient.mrn}N{number}"
    if patient.course.fhir:
        payload = fhir.note(patient, at, note.kind, document, note.text)
        return _Draft(at, Protocol.FHIR, Kind.NOTE, patient, payload, document, note.text)
    header = _header("NOTES", "MDM^T02^MDM_T02", patient, f"N{number}", at)
    payload = hl7v2.note(
        header, patient, _place(patient.course, note.hour), kind=note.kind, document=document, text=note.text
    )
    return _Draft(at, Protocol.MLLP, Kind.NOTE, patient, payload, document, note.text)


def _picture(plan: Plan, patient: Patient, picture: Picture, number: int) -> Iterator[_Draft]:
    at, accession = plan.at(picture.hour), f"{patient.mrn}P{number}"
    sop, payload = dicom.instance(patient, picture, at, accession)
    yield _Draft(at, Protocol.DICOM, Kind.IMAGE, patient, payload, sop)
    hour = picture.hour + REPORT_DELAY_H
    document = f"{patient.mrn}R{number}"
    header = _header("RIS", "ORU^R01^ORU_R01", patient, f"R{number}", plan.at(hour))
    service = REPORT_TYPES[picture.modality]
    place = _place(patient.course, hour)
    message = hl7v2.report(
        header, patient, place, service=service, document=document, accession=accession, text=picture.report
    )
    yield _Draft(plan.at(hour), Protocol.MLLP, Kind.NOTE, patient, message, document, picture.report)


def _place(course: Course, hour: float) -> Place:
    done = [move.to for move in course.moves if move.hour <= hour]
    return done[-1] if done else course.moves[0].to


def _header(application: str, message: str, patient: Patient, what: str, at: datetime) -> Header:
    return Header(application, message, f"{patient.mrn}{what}{at:%H%M%S}", at)
