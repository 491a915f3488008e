"""One reader a resource type: FHIR R4 in, drafts out."""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from services.note_ingest.catalogue import quantity_of
from services.note_ingest.drafts import (
    LONGEST_WORDS,
    Code,
    Draft,
    Measurement,
    Measurements,
    MeasurementStatus,
    Stay,
    StayStatus,
    Subject,
)
from services.note_ingest.fhir.documents import read_composition, read_diagnostic_report, read_document_reference
from services.note_ingest.fhir.reading import Reading
from services.note_ingest.fhir.resources import (
    References,
    Resource,
    about_person,
    codes_of,
    identity_of,
    moment,
    own_number,
    required,
    words_of,
)
from services.note_ingest.refusals import BAD_VALUE, MISSING, TOO_LARGE, Refused

FINAL, CORRECTED, WITHDRAWN = MeasurementStatus.FINAL, MeasurementStatus.CORRECTED, MeasurementStatus.WITHDRAWN
OBSERVATION_STATUS = {
    "final": FINAL,
    "preliminary": FINAL,
    "amended": CORRECTED,
    "corrected": CORRECTED,
    "entered-in-error": WITHDRAWN,
}
EFFECTIVE = ("effectiveDateTime", "effectiveInstant", "effectivePeriod.end", "effectivePeriod.start", "issued")
NO_RESULT = {"registered", "cancelled", "unknown"}
STAY_STATUS = {
    "planned": StayStatus.PLANNED,
    "arrived": StayStatus.IN_PROGRESS,
    "triaged": StayStatus.IN_PROGRESS,
    "in-progress": StayStatus.IN_PROGRESS,
    "onleave": StayStatus.IN_PROGRESS,
    "finished": StayStatus.DISCHARGED,
    "cancelled": StayStatus.CANCELLED,
    "entered-in-error": StayStatus.CANCELLED,
    "unknown": StayStatus.UNSTATED,
}
PLACES = {"wa": "ward", "ro": "room", "bd": "bed"}  # location-physical-type
NOT_TRUE = {"entered-in-error", "refuted"}


Reader = Callable[[Resource, Reading], tuple[Draft, ...]]


def read_observation(resource: Resource, read: Reading) -> tuple[Draft, ...]:
    """Values of an Observation and its components; nothing when it has no result (yet)."""
    subject = read.subject(resource)
    stated_status = required(resource, "status")
    status = OBSERVATION_STATUS.get(stated_status)
    if status is None:
        if stated_status in NO_RESULT:
            return ()
        raise Refused(BAD_VALUE, "The status is none of FHIR R4's", "Observation.status")
    stated = read.stated_time(resource, *EFFECTIVE)
    when = stated or read.arrived
    own = next((i for entry in resource.get("identifier", ()) if (i := identity_of(entry))), None)
    parts = [(resource, "Observation")]
    parts += [(part, f"Observation.component[{n}]") for n, part in enumerate(resource.get("component", ()))]
    measured = [m for part, place in parts for m in _measured(part, place, when, status)]
    if own is not None or stated is None:
        measured = [replace(m, instance_id=own.identifier if own else _content_id(m)) for m in measured]
    _, person = read.references.patient(resource, "subject")
    return (Measurements(subject, when, tuple(measured), about_person(person)),) if measured else ()


def _content_id(sent: Measurement) -> str:
    """Of a value without a time or an id: sent again it arrives later, and must still be the same value."""
    content = (sent.codes, sent.value, sent.text, sent.unit, sent.comparator)
    return hashlib.sha256(repr(content).encode()).hexdigest()


def _measured(part: Resource, place: str, when: datetime, status: MeasurementStatus) -> Iterator[Measurement]:
    codes = codes_of(part.get("code") or {})
    if status is WITHDRAWN and codes and (not part.get("component") or quantity_of(codes)):
        yield Measurement(codes, when, status=status)
        return
    value, words, unit, comparator = _value(part)
    if value is None and not words:
        return
    if not codes:
        raise Refused(MISSING, "A code is needed", f"{place}.code")
    if value is not None and not math.isfinite(value):
        raise Refused(BAD_VALUE, "The value is no finite number", f"{place}.valueQuantity.value")
    if len(words) > LONGEST_WORDS:
        raise Refused(TOO_LARGE, f"The value is longer than {LONGEST_WORDS} characters", f"{place}.value")
    yield Measurement(codes, when, value, words, unit, comparator, status)


def _value(part: Resource) -> tuple[float | None, str, str, str]:
    """Number, words, unit, comparator."""
    if quantity := part.get("valueQuantity"):
        number = quantity.get("value")
        unit = str(quantity.get("code") or quantity.get("unit") or "")
        return (_float(number) if number is not None else None), "", unit, str(quantity.get("comparator", ""))
    if "valueInteger" in part:
        return float(part["valueInteger"]), "", "", ""
    if "valueBoolean" in part:
        return float(part["valueBoolean"]), "", "", ""
    if concept := part.get("valueCodeableConcept"):
        return None, words_of(concept), "", ""
    return None, str(part.get("valueString", "")), "", ""


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # JSON has integers of any length
        return math.inf


def read_encounter(resource: Resource, read: Reading) -> tuple[Draft, ...]:
    """Where the patient is. Locations by the Location resources of the request, else by identifier or display."""
    patient, person = read.references.patient(resource, "subject")
    about = about_person(person)
    visit = next((i for entry in resource.get("identifier", ()) if (i := identity_of(entry))), None)
    status = STAY_STATUS.get(required(resource, "status"))
    if status is None:
        raise Refused(BAD_VALUE, "The status is none of FHIR R4's", "Encounter.status")
    period = resource.get("period") or {}
    left = moment(period.get("end"), "Encounter.period.end")
    places = _places(resource, read.references)
    # An end without a time is told when it was recorded: dated by the beginning, it would look older than the stay.
    endings: dict[StayStatus, tuple[str, ...]] = {StayStatus.DISCHARGED: ("period.end",), StayStatus.CANCELLED: ()}
    paths = endings.get(status, ("meta.lastUpdated", "period.start"))
    return (
        Stay(
            subject=Subject(patient, visit),
            event_time=read.time(resource, *paths),
            trigger="Encounter",
            status=status,
            ward=places.get("ward", ""),
            room=places.get("room", ""),
            bed=places.get("bed", ""),
            admitted_at=moment(period.get("start"), "Encounter.period.start"),
            discharged_at=left if status is StayStatus.DISCHARGED else None,
            born=about.born,
            sex=about.sex,
        ),
    )


def read_patient(resource: Resource, read: Reading) -> tuple[Draft, ...]:
    """What the record says of the person: age and sex."""
    about = about_person(resource)
    return (
        Stay(
            subject=Subject(read.references.identity(resource)),
            event_time=read.time(resource),
            trigger="Patient",
            status=StayStatus.UNSTATED,
            born=about.born,
            sex=about.sex,
        ),
    )


def read_condition(resource: Resource, read: Reading) -> tuple[Draft, ...]:
    """A diagnosis; nothing when it is refuted or was entered in error."""
    subject = read.subject(resource)
    if {code.code for code in codes_of(resource.get("verificationStatus") or {})} & NOT_TRUE:
        return ()
    codes = tuple(Code(c.code, c.system) for c in codes_of(resource.get("code") or {}) if c.system)
    if not codes:
        raise Refused(MISSING, "The diagnosis has no code", "Condition.code")
    when = read.time(resource, "recordedDate", "onsetDateTime")
    return (Stay(subject, when, "Condition", StayStatus.UNSTATED, assigned_codes=codes),)


READERS: Mapping[str, Reader] = {
    "Observation": read_observation,
    "DocumentReference": read_document_reference,
    "DiagnosticReport": read_diagnostic_report,
    "Composition": read_composition,
    "Encounter": read_encounter,
    "Patient": read_patient,
    "Condition": read_condition,
}


def _places(encounter: Resource, references: References) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in encounter.get("location", ()):
        if entry.get("status", "active") != "active":
            continue
        reference = entry["location"]
        location = references.resolve(reference, encounter)
        if location is None:
            identity = identity_of(reference.get("identifier") or {})
            found.setdefault("ward", identity.identifier if identity else str(reference.get("display", "")))
        for _ in range(len(PLACES)):
            if location is None:
                break
            found.setdefault(_physical(location), own_number(location) or str(location.get("name", "")))
            location = references.resolve(location.get("partOf") or {}, location)
    return found


def _physical(location: Resource) -> str:
    types = (code.code for code in codes_of(location.get("physicalType") or {}))
    return next((PLACES[kind] for kind in types if kind in PLACES), "ward")
