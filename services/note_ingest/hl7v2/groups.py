"""What ORU and OUL hold: result groups (an OBR with its OBX), and what came of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from services.note_ingest.drafts import Measurement, Note
from services.note_ingest.hl7v2.context import Reading
from services.note_ingest.hl7v2.er7 import Segment
from services.note_ingest.refusals import Fault

REPORT_TYPES = {"TX", "FT"}
DOCUMENT_TYPES = {"ED"}
NO_RESULT = {"I", "N", "O", "X"}  # OBX-11, HL7 table 0085: not yet, or never


@dataclass(slots=True)
class Group:
    """One OBR with the OBX that follow it."""

    obr: Segment | None
    values: list[Segment] = field(default_factory=list)
    texts: list[Segment] = field(default_factory=list)

    @property
    def status(self) -> str:
        """OBR-25; empty without one."""
        return self.obr.text(25).upper() if self.obr is not None else ""


@dataclass(slots=True)
class Found:
    """What came of the OBX segments."""

    measurements: list[Measurement] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    unread: list[tuple[Segment, int, Fault, str]] = field(default_factory=list)
    waiting: int = 0


def groups(read: Reading) -> Iterator[Group]:
    """The groups of a message, in order; the first holds what comes before any OBR."""
    group = Group(None)
    for segment in read.message.segments:
        if segment.name == "OBR":
            yield group
            group = Group(segment)
        elif segment.name == "OBX":
            is_report = segment.text(2) in REPORT_TYPES | DOCUMENT_TYPES
            (group.texts if is_report else group.values).append(segment)
    yield group
