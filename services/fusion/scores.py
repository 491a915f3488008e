"""What bedside scores have in common."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from services.fusion.vitals import Inputs, Lack, Measured

ADULT_YEARS = 16
AMBIENT_OXYGEN = 0.21  # FiO2 of room air
FLOWS = ("oxygen_flow", "o2_flow")
STATEMENTS = ("on_oxygen", "supplemental_oxygen")
AIR_WORDS = frozenset({"no", "air", "room air", "ra", "n", "false", "none", "off"})
ALERT_WORDS = frozenset({"alert", "a"})
FULL_GCS = 15

# Rising upper limits, each with the points up to and including it.
Bands = tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One parameter of a score. `measured` is None when missing; it then counts 0 and could have given `worst`."""

    name: str
    points: int
    worst: int
    measured: Measured | None = None
    lack: Lack | None = None


@dataclass(frozen=True, slots=True)
class BedsideScore:
    """A score as it stands. `lowest` and `highest`: everything missing normal, and everything missing worst.

    abstained: why the score does not apply; the rest then means nothing.
    """

    name: str
    total: int = 0
    lowest: int = 0
    highest: int = 0
    band: str = ""
    parts: tuple[Part, ...] = ()
    abstained: str = ""

    @property
    def missing(self) -> frozenset[str]:
        """Names of the parameters that were absent, too old or unusable and therefore counted 0."""
        return frozenset(part.name for part in self.parts if part.lack is not None)


@dataclass(frozen=True, slots=True)
class Person:
    """What the scores need to know of the patient. age_years: None when not known."""

    age_years: int | None = None
    pregnant: bool = False

    def out_of_scope(self) -> str:
        """Why scores for adults do not apply; empty when they do."""
        if self.age_years is not None and self.age_years < ADULT_YEARS:
            return f"under {ADULT_YEARS} years of age"
        return "pregnancy" if self.pregnant else ""


def rounded(value: float, decimals: int = 0) -> float:
    """`value` at the printed precision of a score's table, halves away from zero."""
    return float(Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))


def points(value: float, bands: Bands) -> int:
    """Points of a value that is already at the table's precision."""
    return next(given for limit, given in bands if value <= limit)


def banded(inputs: Inputs, name: str, bands: Bands, decimals: int = 0) -> Part:
    """The part of a score that one measured parameter gives."""
    worst = max(given for _, given in bands)
    found = inputs.fresh(name)
    if isinstance(found, Lack):
        return Part(name, 0, worst, lack=found)
    return Part(name, points(rounded(found.value, decimals), bands), worst, found)


def consciousness(inputs: Inputs) -> Measured | Lack:
    """The newer of AVPU and GCS; AVPU when both are of the same time."""
    found = [inputs.fresh(name) for name in ("avpu", "gcs")]
    usable = [one for one in found if isinstance(one, Measured)]
    if usable:
        return max(usable, key=lambda one: one.at)
    return _why_none(found)


def _why_none(found: Iterable[Measured | Lack]) -> Lack:
    """The most telling reason among those of several alternatives."""
    lacks = [one for one in found if isinstance(one, Lack)]
    return next((lack for lack in lacks if lack is not Lack.ABSENT), Lack.ABSENT)


def is_alert(measured: Measured) -> bool:
    """Whether AVPU or GCS says fully alert. Without AVPU a GCS of 15 counts as alert."""
    return measured.text in ALERT_WORDS if measured.text else measured.value >= FULL_GCS


def oxygen(inputs: Inputs) -> Measured | Lack:
    """The newest statement about supplemental oxygen; of several of one time, one that says there is."""
    names = ("fio2", *FLOWS, *STATEMENTS)
    found = [inputs.fresh(name) for name in names]
    usable = [one for one in found if isinstance(one, Measured)]
    if usable:
        return max(usable, key=lambda one: (one.at, breathes_oxygen(one)))
    return _why_none(found)


def breathes_oxygen(measured: Measured) -> bool:
    """FiO2 above that of room air, any flow, or a statement that is not "air"."""
    if measured.text:
        return measured.text not in AIR_WORDS
    if measured.name == "fio2":
        fraction = measured.value / 100 if measured.unit == "%" or measured.value > 1 else measured.value
        return rounded(fraction, 2) > AMBIENT_OXYGEN
    return measured.value > 0


def total_of(parts: Iterable[Part]) -> tuple[int, int]:
    """Sum of points, and of what it could be with everything missing at its worst."""
    listed = tuple(parts)
    total = sum(part.points for part in listed)
    return total, total + sum(part.worst for part in listed if part.lack is not None)
