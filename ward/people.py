"""Who lies in the ward. Every person is invented, and every name and number says so.

A run has a short tag that is part of each number, so that a ward played twice is two wards.
"""

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from ward.course import Course
from ward.stories import brain_tumour, copd, ordinary, pneumothorax, septic_shock, stays_well

AUTHORITY = "VIGILSYN"
FAMILIES = (
    "Synthalder", "Synthbirch", "Synthcedar", "Synthdrake", "Synthelder", "Synthfinch", "Synthgrove", "Synthheron",
    "Synthiris", "Synthjasper", "Synthkestrel", "Synthlarch", "Synthmaple",
)  # fmt: skip
GIVEN = (
    "Examplia", "Inventelle", "Fictina", "Modelina", "Imaginella", "Testrude", "Specimella",
    "Examplo", "Inventold", "Fictor", "Modelio", "Imaginald", "Testolf", "Specimund",
)  # fmt: skip
_MALE = len(GIVEN) // 2


@dataclass(frozen=True, slots=True)
class Patient:
    """An invented patient. `bed`: where the story mostly takes place; `born` is as old as the course says."""

    number: int
    mrn: str
    visit: str
    family: str
    given: str
    born: date
    bed: str
    course: Course

    @property
    def identifiers(self) -> tuple[str, ...]:
        """What may never be seen outside a message: names, numbers, birth date as HL7 and FHIR write it."""
        return (self.family, self.given, self.mrn, self.visit, f"{self.born:%Y%m%d}", self.born.isoformat())


def roster(seed: int, run: str, start: datetime) -> tuple[Patient, ...]:
    """The patients of one run: same arguments, same people."""
    rng = random.Random(f"people-{seed}")
    families = rng.sample(FAMILIES, len(FAMILIES))
    women, men = rng.sample(GIVEN[:_MALE], _MALE), rng.sample(GIVEN[_MALE:], _MALE)
    courses = (
        septic_shock.COURSE, pneumothorax.COURSE, brain_tumour.COURSE, copd.COURSE, stays_well.COURSE,
        *ordinary.COURSES,
    )  # fmt: skip
    return tuple(
        Patient(
            number=number,
            mrn=f"SYN{run}{number:02d}",
            visit=f"SYNV{run}{number:02d}",
            family=family,
            given=(women if course.sex == "F" else men)[number % _MALE],
            born=start.date() - timedelta(days=365.25 * course.age + rng.randrange(20, 340)),
            bed=_home(course),
            course=course,
        )
        for number, (course, family) in enumerate(zip(courses, families, strict=True), start=1)
    )


def _home(course: Course) -> str:
    return next(move.to.bed for move in course.moves if move.to.ward == "AMU")
