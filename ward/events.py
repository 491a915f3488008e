"""What the ward sends: one timed event a message, with the exact bytes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Protocol(StrEnum):
    """How an event travels."""

    MLLP = "mllp"
    FHIR = "fhir"
    DICOM = "dicom"


class Kind(StrEnum):
    """What an event is, named as the topic that it first appears on."""

    ENCOUNTER = "encounters"
    OBSERVATIONS = "observations-received"
    NOTE = "notes-received"
    IMAGE = "images-received"


@dataclass(frozen=True, slots=True)
class Event:
    """One message of a sender.

    at: when it happened (event time), whole seconds, different for every message of one kind and patient.
    document: the document id of a note, the SOP instance UID of an image, the trigger of a movement, else empty.
    text: the note's text; empty for other kinds.
    """

    number: int
    at: datetime
    protocol: Protocol
    kind: Kind
    patient: int
    mrn: str
    document: str
    payload: bytes
    text: str = ""
