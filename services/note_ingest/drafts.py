"""What was received, before keys and units: the same shapes whichever protocol it came by."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

LONGEST_WORDS = 1000  # characters of a result in words, of its code and its unit; longer is a report


class Protocol(Enum):
    """How it came; the value names it in metrics, dead letters and `meta.source`."""

    HL7V2 = "hl7v2"
    FHIR = "fhir"
    GRPC = "grpc"


@dataclass(frozen=True, slots=True)
class Identity:
    """An identifier as sent. An empty authority stands for the site's default one."""

    authority: str
    identifier: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom it is about."""

    patient: Identity
    visit: Identity | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """A code and the system as sent ("LN", "http://loinc.org", "MDC", "I10", ...)."""

    code: str
    system: str


@dataclass(frozen=True, slots=True)
class Note:
    """One version of one document. An empty `document_id` means that the sender gave none.

    withdrawn: the sender took the document back; there is no text. replaces: id of another document that this one
    stands for from now on.
    """

    subject: Subject
    event_time: datetime
    text: str
    kind: str = "other"
    document_id: str = ""
    version: int = 0
    preliminary: bool = False
    type_code: str = ""
    language: str = ""
    accession: Identity | None = None
    assigned_codes: tuple[Code, ...] = ()
    replaces: str = ""
    withdrawn: bool = False


def version_at(changed: datetime) -> int:
    """Version of a document that was changed at that moment; above the 0 of the first one, whatever the clock said."""
    return max(1, int(changed.timestamp()))


class MeasurementStatus(Enum):
    """As ObservationStatus of the contract."""

    FINAL = 1
    CORRECTED = 2
    WITHDRAWN = 3


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value as sent. `codes` are alternatives; exactly one of `value` and `text` is set unless withdrawn."""

    codes: tuple[Code, ...]
    event_time: datetime
    value: float | None = None
    text: str = ""
    unit: str = ""
    comparator: str = ""
    status: MeasurementStatus = MeasurementStatus.FINAL
    instance_id: str = ""
    sub_id: str = ""


class StayStatus(Enum):
    """As EncounterStatus of the contract."""

    UNSTATED = 0
    PLANNED = 1
    IN_PROGRESS = 2
    DISCHARGED = 3
    CANCELLED = 4


class Sex(Enum):
    """As Sex of the contract."""

    UNSTATED = 0
    FEMALE = 1
    MALE = 2
    OTHER = 3


@dataclass(frozen=True, slots=True)
class About:
    """What a message states of the patient beside its own subject. Empty means not stated."""

    ward: str = ""
    room: str = ""
    bed: str = ""
    born: date | None = None
    sex: Sex = Sex.UNSTATED
    pregnant: bool = False


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything that was measured in one message about one patient."""

    subject: Subject
    event_time: datetime
    measurements: tuple[Measurement, ...]
    about: About = About()


@dataclass(frozen=True, slots=True)
class Stay:
    """What became known about a patient's stay or record. Empty means not stated."""

    subject: Subject
    event_time: datetime
    trigger: str
    status: StayStatus
    ward: str = ""
    room: str = ""
    bed: str = ""
    admitted_at: datetime | None = None
    discharged_at: datetime | None = None
    born: date | None = None
    sex: Sex = Sex.UNSTATED
    pregnant: bool = False
    merged: Identity | None = None
    assigned_codes: tuple[Code, ...] = ()


Draft = Note | Measurements | Stay


@dataclass(frozen=True, slots=True)
class Arrival:
    """How and when a message arrived.

    ingest_time: when its first byte reached us. source: e.g. "hl7v2:MONITOR". synthetic: test traffic.
    """

    protocol: Protocol
    source: str
    ingest_time: datetime
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class Parsed:
    """A message that was understood. `remark` tells the sender what was not used, or why nothing came of it."""

    arrival: Arrival
    drafts: tuple[Draft, ...]
    remark: str = ""
