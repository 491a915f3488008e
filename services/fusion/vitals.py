"""Which measurement of each parameter counts now. Pure; times are microseconds of event time since 1970, UTC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

MICROSECONDS = 1_000_000
CONSCIOUSNESS = frozenset({"gcs", "avpu"})
# UCUM units that the scores' tables are defined in; the edge converts to them. A value in another one is not used.
SCORE_UNITS = {
    "resp_rate": "/min",
    "spo2": "%",
    "sbp": "mm[Hg]",
    "heart_rate": "/min",
    "temperature": "Cel",
}
# How sentences for clinicians put names and UCUM units.
SPOKEN = {
    "resp_rate": "respirations",
    "spo2": "SpO2",
    "sbp": "systolic",
    "heart_rate": "pulse",
    "gcs": "GCS",
    "avpu": "AVPU",
}
SPOKEN_UNITS = {"mm[Hg]": "mmHg", "Cel": "°C"}
# Names whose result may be a word.
WORDED = frozenset({"avpu", "on_oxygen", "supplemental_oxygen"})


class Lack(StrEnum):
    """Why a parameter counts as missing."""

    ABSENT = "absent"
    STALE = "stale"
    FUTURE = "future"
    OUT_OF_RANGE = "out_of_range"
    UNIT = "unit"


# Reasons that a person should hear of instead of "absent".
FAULTS = frozenset({Lack.OUT_OF_RANGE, Lack.UNIT})


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement. at: event time. text: set instead of a value for a word, lower case.

    unusable: why no score may use it; ABSENT for one that was withdrawn or is a word where a number belongs.
    """

    name: str
    value: float
    at: int
    unit: str = ""
    text: str = ""
    observation_id: str = ""
    message_id: str = ""
    unusable: Lack | None = None

    @property
    def shown(self) -> str:
        """Value with unit as a person reads it, e.g. "28 /min", "36.6 Cel", "alert"."""
        unit = "" if self.unit.startswith("{") or self.unit == "1" else self.unit
        return self.text or f"{self.value:.10g} {unit}".strip()

    @property
    def spoken(self) -> str:
        """Name, value and unit as a clinician says them, e.g. "systolic 84 mmHg"."""
        shown = self.shown
        for unit, said in SPOKEN_UNITS.items():
            shown = shown.replace(unit, said)
        return f"{SPOKEN.get(self.name, self.name.replace('_', ' '))} {shown}"


@dataclass(frozen=True, slots=True)
class Staleness:
    """How long before the moment of judging a measurement may lie and still count."""

    vitals: timedelta = timedelta(hours=1)
    consciousness: timedelta = timedelta(hours=4)

    def limit(self, name: str) -> int:
        """Microseconds for a parameter."""
        chosen = self.consciousness if name in CONSCIOUSNESS else self.vitals
        return chosen // timedelta(microseconds=1)


class Inputs:
    """The newest measurements of a patient, judged at one moment.

    A value measured after `as_of` is not used: its time is wrong, or it would already have moved `as_of`. Where
    there is nothing fresh to use instead, that is said.
    """

    def __init__(self, measured: Sequence[Measured], as_of: int, staleness: Staleness) -> None:
        """measured: oldest first, so that the newest of a name is the one that stays in a dictionary."""
        self.as_of = as_of
        self._staleness = staleness
        self._newest = {one.name: one for one in measured if one.unusable is None and one.at <= as_of}
        self._ahead = {one.name for one in measured if one.unusable is None and one.at > as_of}
        self._faulty = {one.name: one for one in measured if one.unusable in FAULTS and one.at <= as_of}

    def newest(self, name: str) -> Measured | None:
        """The newest usable value however old."""
        return self._newest.get(name)

    def fresh(self, name: str) -> Measured | Lack:
        """The newest usable value that is not stale, or why there is none."""
        newest, faulty = self._newest.get(name), self._faulty.get(name)
        if newest is not None and self._is_fresh(newest):
            return newest
        if faulty is not None and faulty.unusable is not None and self._is_fresh(faulty):
            return faulty.unusable
        if name in self._ahead:
            return Lack.FUTURE
        return Lack.ABSENT if newest is None else Lack.STALE

    def _is_fresh(self, one: Measured) -> bool:
        return self.as_of - one.at <= self._staleness.limit(one.name)

    def ages(self) -> Mapping[str, int]:
        """Microseconds since each parameter was last measured."""
        return {name: self.as_of - one.at for name, one in sorted(self._newest.items())}
