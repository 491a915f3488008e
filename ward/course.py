"""What happens to a patient, as data: the vital signs' courses, laboratory values, notes, pictures and moves.

Hours count from the start of the ward's day. Stories in `ward.stories` are written in these words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Curve = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """An assigned location (PV1-3)."""

    ward: str
    room: str
    bed: str


@dataclass(frozen=True, slots=True)
class Move:
    """A patient movement: `trigger` is the HL7 event, "A01", "A02" or "A03"; `to` is where the patient is then."""

    hour: float
    trigger: str
    to: Place


@dataclass(frozen=True, slots=True)
class Note:
    """One clinical document. `kind`: "nursing", "progress", "consult", "emergency", "procedure", "discharge"."""

    hour: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Labs:
    """One laboratory result group; values by observation name, in the units of `ward.vocabulary`."""

    hour: float
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """One image by DICOM and, when `report` is set, its radiology report half an hour later by HL7.

    `source`: a file under `ward/pictures`, or "pydicom:NAME" for an instance that comes with pydicom.
    """

    hour: float
    source: str
    modality: str
    body_part: str
    description: str
    view: str = ""
    report: str = ""


@dataclass(frozen=True, slots=True)
class Truth:
    """What should be found. Patterns are regular expressions over `Alert.rule`.

    `must`: an alert that matches is expected, with what it stands for in words. `may`: alerts that are right, too,
    but not demanded. Any other alert is a false alarm.
    """

    must: Mapping[str, str] = field(default_factory=dict)
    may: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """A patient's day.

    vitals: a curve a name; values between the points are interpolated, except those of `STEPPED` names.
    calm: factor on the measurement noise, 0 for none.
    fhir: vital signs and notes come as FHIR instead of HL7 v2.
    """

    title: str
    age: int
    sex: str
    moves: tuple[Move, ...]
    vitals: Mapping[str, Curve]
    labs: tuple[Labs, ...] = ()
    notes: tuple[Note, ...] = ()
    pictures: tuple[Picture, ...] = ()
    truth: Truth = field(default_factory=Truth)
    calm: float = 1.0
    fhir: bool = False


STEPPED = frozenset({"gcs", "fio2", "spo2_scale"})


def value_at(name: str, curve: Curve, hour: float) -> float:
    """Value of a curve at `hour`; constant before its first and after its last point."""
    before = [point for point in curve if point[0] <= hour]
    after = [point for point in curve if point[0] > hour]
    if not before:
        return curve[0][1]
    if not after or name in STEPPED:
        return before[-1][1]
    (start, low), (end, high) = before[-1], after[0]
    return low + (high - low) * (hour - start) / (end - start)


def present(course: Course, hour: float) -> bool:
    """Whether the patient is in the ward at `hour`: admitted and not discharged."""
    done = [move.trigger for move in course.moves if move.hour <= hour]
    return bool(done) and done[-1] != "A03"
