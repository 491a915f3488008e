"""A FHIR request as drafts: a single resource, or a Bundle of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from services.note_ingest.drafts import (
    About,
    Arrival,
    Draft,
    Measurements,
    Note,
    Parsed,
    Protocol,
    Stay,
    StayStatus,
    Subject,
)
from services.note_ingest.fhir.readers import READERS
from services.note_ingest.fhir.reading import Reading
from services.note_ingest.fhir.resources import References, Resource, is_test, validate
from services.note_ingest.refusals import MISSING, NOT_READ, WRONG_TYPE, Refused

TOGETHER = {"transaction", "message", "collection", "document"}
WRITES = {"POST", "PUT"}


@dataclass(frozen=True, slots=True)
class Entry:
    """What came of one entry: drafts, or why it was refused. `supporting`: of a type that only others point at."""

    kind: str
    drafts: tuple[Draft, ...] = ()
    refused: Refused | None = None
    supporting: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was understood."""

    arrival: Arrival
    entries: tuple[Entry, ...]
    bundle_type: str = ""

    def parsed(self) -> Parsed:
        """All drafts of the request, put together a patient."""
        return Parsed(self.arrival, tuple(_together([d for entry in self.entries for d in entry.drafts])))


def read_single(resource: Resource, arrived: datetime, future: timedelta, id_authority: str = "") -> Request:
    """A resource posted alone. id_authority: as `References`. Raises Refused when nothing can be made of it."""
    kind = str(resource["resourceType"])
    reader = READERS.get(kind)
    if reader is None:
        known = ", ".join(sorted(READERS))
        raise Refused(WRONG_TYPE, f"Resources of this type are not used here; {known} and Bundle are", kind[:64])
    validate(resource)
    drafts = reader(resource, Reading(References(id_authority), arrived, future))
    return Request(_arrival(arrived, [resource]), (Entry(kind, drafts),))


def read_bundle(bundle: Resource, arrived: datetime, future: timedelta, id_authority: str = "") -> Request:
    """A Bundle. Of a batch each entry stands alone; of the other kinds one fault refuses the whole.

    Raises Refused for that, and for kinds of Bundle that are no message to a server.
    """
    kind = str(bundle.get("type", ""))
    if kind not in TOGETHER | {"batch"}:
        raise Refused(NOT_READ, f"Bundles of type {', '.join(sorted(TOGETHER))} and batch are taken", "Bundle.type")
    entries = bundle.get("entry")
    if not isinstance(entries, list) or not entries:
        raise Refused(MISSING, "The Bundle has no entry", "Bundle.entry")
    faults = _check(bundle, entries, kind)
    sound = [entry for entry, fault in zip(entries, faults, strict=True) if fault is None and "resource" in entry]
    reading = Reading(_references(sound, id_authority), arrived, future)
    read = tuple(
        Entry("", refused=fault) if fault is not None else _entry(entry, index, kind, reading)
        for index, (entry, fault) in enumerate(zip(entries, faults, strict=True))
    )
    return Request(_arrival(arrived, [bundle, *(entry["resource"] for entry in sound)]), read, kind)


def _check(bundle: Resource, entries: list[Any], kind: str) -> list[Refused | None]:
    """Hold the Bundle against FHIR; of a batch the resources apart, with the fault of each."""
    if kind in TOGETHER:
        validate(bundle)
        return [None] * len(entries)
    resources = [entry.get("resource") if isinstance(entry, Mapping) else None for entry in entries]
    envelope = [
        {name: part for name, part in entry.items() if name != "resource"} if isinstance(entry, Mapping) else entry
        for entry in entries
    ]
    validate({**bundle, "entry": envelope})
    return [
        _fault(resource, f"Bundle.entry[{index}].resource") if "resource" in entries[index] else None
        for index, resource in enumerate(resources)
    ]


def _fault(resource: Any, place: str) -> Refused | None:
    if not isinstance(resource, Mapping) or not isinstance(resource.get("resourceType"), str):
        return Refused(MISSING, "The entry's resource has no resourceType", place)
    try:
        validate(resource)
    except Refused as refused:
        return _placed(refused, place)
    return None


def _arrival(arrived: datetime, resources: Sequence[Resource]) -> Arrival:
    return Arrival(Protocol.FHIR, "fhir", arrived, is_test(resources))


def _references(entries: Sequence[Any], id_authority: str) -> References:
    references = References(id_authority)
    for entry in entries:
        references.add(entry["resource"], str(entry.get("fullUrl", "")))
    return references


def _entry(entry: Resource, index: int, bundle_type: str, reading: Reading) -> Entry:
    place = f"Bundle.entry[{index}]"
    try:
        return _read_entry(entry, place, bundle_type, reading)
    except Refused as refused:
        placed = refused if refused.location.startswith("Bundle") else _placed(refused, f"{place}.resource")
        if bundle_type in TOGETHER:
            raise placed from None
        return Entry("", refused=placed)


def _placed(refused: Refused, place: str) -> Refused:
    """The refusal with its expression counted from the Bundle."""
    kind, _, element = refused.location.partition(".")
    refused.location = f"{place}.ofType({kind}).{element}" if element else place
    return refused


def _read_entry(entry: Resource, place: str, bundle_type: str, reading: Reading) -> Entry:
    if "resource" not in entry:
        raise Refused(MISSING, "The entry has no resource", f"{place}.resource")
    method = str((entry.get("request") or {}).get("method", "POST"))
    if bundle_type in {"transaction", "batch"} and method not in WRITES:
        raise Refused(NOT_READ, "Only POST and PUT are taken", f"{place}.request.method")
    resource = entry["resource"]
    kind = str(resource["resourceType"])
    reader = READERS.get(kind)
    return Entry(kind, reader(resource, reading)) if reader is not None else Entry(kind, supporting=True)


def _together(drafts: Sequence[Draft]) -> list[Draft]:
    """One group of measurements and one stay a patient; diagnoses go with the patient's notes where there are any."""
    notes = [draft for draft in drafts if isinstance(draft, Note)]
    diagnoses = [d for d in drafts if isinstance(d, Stay) and d.trigger == "Condition"]
    noted = {note.subject.patient for note in notes if not note.withdrawn}
    out: list[Draft] = [_with_codes(note, diagnoses) for note in notes]
    groups: dict[Subject, list[Measurements]] = {}
    for draft in drafts:
        if isinstance(draft, Measurements):
            groups.setdefault(draft.subject, []).append(draft)
    for subject, group in groups.items():
        latest = max(part.event_time for part in group)
        about = next((part.about for part in group if part.about != About()), About())
        out.append(Measurements(subject, latest, tuple(m for part in group for m in part.measurements), about))
    stays = [d for d in drafts if isinstance(d, Stay) and not (d in diagnoses and d.subject.patient in noted)]
    return [*_stays(stays, out), *out]


def _with_codes(note: Note, diagnoses: Sequence[Stay]) -> Note:
    if note.withdrawn:
        return note
    codes = (code for d in diagnoses if d.subject.patient == note.subject.patient for code in d.assigned_codes)
    return replace(note, assigned_codes=tuple(dict.fromkeys((*note.assigned_codes, *codes))))


def _stays(stays: Sequence[Stay], others: Sequence[Draft]) -> list[Stay]:
    """A Patient beside an Encounter says nothing new; alone it is as old as what came with it."""
    staying = {stay.subject.patient for stay in stays if stay.status is not StayStatus.UNSTATED}
    out = []
    for stay in stays:
        if stay.trigger == "Patient":
            if stay.subject.patient in staying:
                continue
            own = [o for o in others if o.subject.patient == stay.subject.patient]
            out.append(_dated_like(stay, own) if own else stay)
        else:
            out.append(stay)
    return out


def _dated_like(stay: Stay, others: Sequence[Draft]) -> Stay:
    """A person's record as of the newest of `others`, and of the same visit."""
    visit = next((other.subject.visit for other in others if other.subject.visit), None)
    subject = replace(stay.subject, visit=stay.subject.visit or visit)
    return replace(stay, subject=subject, event_time=max(other.event_time for other in others))
