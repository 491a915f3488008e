"""One reader a resource type: FHIR R4 in, drafts out."""

import base64
import binascii
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from services.note_ingest.catalogue import quantity_of
from services.note_ingest.drafts import (
    LONGEST_WORDS,
    Code,
    Draft,
    Identity,
    Measurement,
    Measurements,
    MeasurementStatus,
    Note,
    Stay,
    StayStatus,
    Subject,
)
from services.note_ingest.fhir.narrative import words_of_narrative
from services.note_ingest.fhir.resources import (
    References,
    Resource,
    about_person,
    codes_of,
    identity_of,
    moment,
    patient_identity,
    words_of,
)
from services.note_ingest.hl7v2.kinds import kind_of
from services.note_ingest.refusals import BAD_VALUE, MISSING, NOT_READ, TOO_LARGE, Refused

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
PRELIMINARY = {"registered", "partial", "preliminary"}
CHANGED = {"amended", "corrected", "appended"}
NOT_TRUE = {"entered-in-error", "refuted"}
RADIOLOGY_CATEGORY = {"LP29684-5"}


@dataclass(frozen=True, slots=True)
class Reading:
    """What the readers are given beside the resource."""

    references: References
    arrived: datetime
    future: timedelta

    def time(self, resource: Resource, *paths: str) -> datetime:
        """The first of the elements ("effectivePeriod.start") that is there, else the time of arrival.

        Raises Refused when it lies too far ahead.
        """
        return self.stated_time(resource, *paths) or self.arrived

    def stated_time(self, resource: Resource, *paths: str) -> datetime | None:
        """As `time`; None where the resource tells no time."""
        for path in (*paths, "meta.lastUpdated"):
            value: Any = resource
            for step in path.split("."):
                value = value.get(step) if isinstance(value, Mapping) else None
            place = f"{resource['resourceType']}.{path}"
            found = moment(value, place)
            if found is not None:
                if found > self.arrived + self.future:
                    raise Refused(BAD_VALUE, "The time lies in the future", place)
                return found
        return None

    def subject(self, resource: Resource, element: str = "subject") -> Subject:
        """Patient and encounter of a resource. Raises Refused without a patient's identifier."""
        patient, _ = self.references.patient(resource, element)
        context = resource.get("context")
        encounters = (context or {}).get("encounter") if isinstance(context, Mapping) else None
        reference = resource.get("encounter") or (encounters[0] if encounters else {})
        return Subject(patient, self.references.visit(resource, reference))


Reader = Callable[[Resource, Reading], tuple[Draft, ...]]


def read_observation(resource: Resource, read: Reading) -> tuple[Draft, ...]:
    """Values of an Observation and its components; nothing when it has no result (yet)."""
    subject = read.subject(resource)
    status = OBSERVATION_STATUS.get(resource["status"])
    if status is None:
        if resource["status"] in NO_RESULT:
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


def read_document_reference(resource: Resource, read: Reading) -> tuple[Draft, ...]:
    """The document's text, which must be in the resource."""
    if resource["status"] == "entered-in-error":
        raise Refused(
            NOT_READ, "Taking a document back is not supported; send its replacement", "DocumentReference.status"
        )
    when = read.time(resource, "date", "context.period.start")
    attachments = [content["attachment"] for content in resource["content"]]
    replaced = [to["target"] for to in resource.get("relatesTo", ()) if to.get("code") in {"replaces", "appends"}]
    master = identity_of(resource.get("masterIdentifier") or {})
    return (
        Note(
            subject=read.subject(resource),
            event_time=when,
            text=_attached(attachments, "DocumentReference.content", ".attachment"),
            kind=_kind(resource.get("type") or {}, resource.get("category", ())),
            document_id=master.identifier if master else _own_id(resource),
            version=_version(resource.get("docStatus"), read.time(resource, "meta.lastUpdated", "date")),
            preliminary=resource.get("docStatus") in PRELIMINARY,
            type_code=_type_code(resource.get("type") or {}),
            language=_language(resource, attachments),
            replaces=next((i.identifier for t in replaced if (i := identity_of(t.get("identifier") or {}))), ""),
        ),
    )


def read_diagnostic_report(resource: Resource, read: Reading) -> tuple[Draft, ...]:
    """The report's text: presentedForm, else the conclusion. Its results are Observations of their own."""
    forms = resource.get("presentedForm", ())
    text = _attached(forms, "DiagnosticReport.presentedForm") if forms else str(resource.get("conclusion", ""))
    if not text.strip():
        if resource.get("result"):
            return ()
        raise Refused(MISSING, "The report has no text", "DiagnosticReport.presentedForm")
    if resource["status"] in NOT_TRUE:
        raise Refused(NOT_READ, "Taking a report back is not supported; send its correction", "DiagnosticReport.status")
    when = read.time(resource, "effectiveDateTime", "effectivePeriod.end", "issued")
    ordered = [i for order in resource.get("basedOn", ()) if (i := identity_of(order.get("identifier") or {}))]
    document_id = _own_id(resource)
    accession = Identity("", ordered[0].identifier if ordered else document_id)
    return (
        Note(
            subject=read.subject(resource),
            event_time=when,
            text=text,
            kind=_kind(resource.get("code") or {}, resource.get("category", ())),
            document_id=document_id,
            version=_version(resource["status"], read.time(resource, "issued")),
            preliminary=resource["status"] in PRELIMINARY,
            type_code=_type_code(resource.get("code") or {}),
            language=_language(resource, forms),
            accession=accession if accession.identifier else None,
        ),
    )


def read_composition(resource: Resource, read: Reading) -> tuple[Draft, ...]:
    """The narrative of the sections, each under its title."""
    text = "\n\n".join(_sections(resource.get("section", ()))).strip()
    if not text:
        raise Refused(MISSING, "The document has no text in its sections", "Composition.section")
    replaced = [to.get("targetIdentifier") or {} for to in resource.get("relatesTo", ())]
    own = identity_of(resource.get("identifier") or {})
    return (
        Note(
            subject=read.subject(resource),
            event_time=read.time(resource, "date"),
            text=text,
            kind=_kind(resource.get("type") or {}, resource.get("category", ())),
            document_id=own.identifier if own else "",
            version=_version(resource["status"], read.time(resource, "date")),
            preliminary=resource["status"] in PRELIMINARY,
            type_code=_type_code(resource.get("type") or {}),
            language=str(resource.get("language", "")),
            replaces=next((i.identifier for r in replaced if (i := identity_of(r))), ""),
        ),
    )


def read_encounter(resource: Resource, read: Reading) -> tuple[Draft, ...]:
    """Where the patient is. Locations by the Location resources of the request, else by identifier or display."""
    patient, person = read.references.patient(resource, "subject")
    about = about_person(person)
    visit = next((i for entry in resource.get("identifier", ()) if (i := identity_of(entry))), None)
    status = STAY_STATUS.get(resource["status"])
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
            subject=Subject(patient_identity(resource)),
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


def _attached(attachments: Any, place: str, below: str = "") -> str:
    """Text of the first attachment that is plain text. Raises Refused when none is, or it is only linked."""
    for index, attachment in enumerate(attachments):
        kind, _, parameters = str(attachment.get("contentType", "text/plain")).partition(";")
        if kind.strip().lower() != "text/plain":
            continue
        where = f"{place}[{index}]{below}"
        if not attachment.get("data"):
            raise Refused(MISSING, "The text must be in data; links are not followed", f"{where}.data")
        charset = parameters.partition("charset=")[2].strip().strip('"') or "utf-8"
        try:
            return base64.b64decode("".join(str(attachment["data"]).split()), validate=True).decode(charset)
        except (binascii.Error, ValueError, LookupError):
            raise Refused(BAD_VALUE, "The text cannot be decoded", f"{where}.data") from None
    raise Refused(NOT_READ, "Only text/plain is read", f"{place}[0]{below}.contentType")


def _own_id(resource: Resource) -> str:
    return next((i.identifier for entry in resource.get("identifier", ()) if (i := identity_of(entry))), "")


def _type_code(concept: Resource) -> str:
    return next((code.code for code in codes_of(concept) if code.system), "")


def _kind(concept: Resource, categories: Any) -> str:
    sections = {code.code for category in categories for code in codes_of(category)}
    if sections & RADIOLOGY_CATEGORY:
        return "radiology"
    kinds = [kind_of(code.code, section=section) for code in codes_of(concept) for section in ("", *sorted(sections))]
    return next((kind for kind in kinds if kind != "other"), kind_of("", words_of(concept)))


def _version(status: Any, changed: datetime) -> int:
    return int(changed.timestamp()) if status in CHANGED else 0


def _language(resource: Resource, attachments: Any) -> str:
    stated = next((str(a["language"]) for a in attachments if a.get("language")), resource.get("language", ""))
    return str(stated or "")


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
            found.setdefault(_physical(location), _own_id(location) or str(location.get("name", "")))
            location = references.resolve(location.get("partOf") or {}, location)
    return found


def _physical(location: Resource) -> str:
    types = (code.code for code in codes_of(location.get("physicalType") or {}))
    return next((PLACES[kind] for kind in types if kind in PLACES), "ward")


def _sections(sections: Any) -> Iterator[str]:
    for section in sections:
        text = words_of_narrative(str((section.get("text") or {}).get("div", "")))
        if text:
            yield f"{section['title']}\n{text}" if section.get("title") else text
        yield from _sections(section.get("section", ()))
