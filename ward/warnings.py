"""When the models warned of those who deteriorated, beside the hour at which NEWS2 called for an emergency."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from vigil.v1.risk_pb2 import PatientRisk

from services.common.clock import from_timestamp
from services.common.identity import PatientKeys
from ward.people import AUTHORITY, Patient

EMERGENCY = 7  # NEWS2, Royal College of Physicians 2017
DETERIORATES = ("news2_high", "news2_single_red")  # rules of alerts that a story of deterioration must bring


@dataclass(slots=True)
class Warned:
    """First event times of one patient, seconds since 1970. models: every one that was asked, with its first alarm.

    silent: why a model last gave no number, by model. answers: how many numbers it gave; highest: the highest of them.
    """

    news2: float | None = None
    models: dict[str, float | None] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    highest: dict[str, float] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)

    def take(self, risk: PatientRisk) -> None:
        """Take in one risk; the order does not matter."""
        totals = [score.total for score in risk.scores if score.name == "news2" and not score.abstained]
        if totals and totals[0] >= EMERGENCY:
            self.news2 = _earlier(self.news2, from_timestamp(risk.as_of).timestamp())
        for estimate in risk.estimates:
            known = self.models.setdefault(estimate.name, None)
            if estimate.alarm:
                self.models[estimate.name] = _earlier(known, from_timestamp(estimate.as_of).timestamp())
            if estimate.HasField("probability"):
                self.answers[estimate.name] = self.answers.get(estimate.name, 0) + 1
                self.highest[estimate.name] = max(self.highest.get(estimate.name, 0.0), estimate.probability)
            else:
                self.silent[estimate.name] = estimate.abstained or estimate.degraded_reason


def _earlier(one: float | None, other: float) -> float:
    return other if one is None else min(one, other)


@dataclass(frozen=True, slots=True)
class Lead:
    """One patient, and when they were warned of."""

    patient: Patient
    warned: Warned

    @property
    def worsens(self) -> bool:
        """Whether the story is one of deterioration."""
        return any(rule in self.patient.course.truth.must for rule in DETERIORATES)

    @property
    def ahead(self) -> tuple[str, ...]:
        """Models that gave the alarm before NEWS2 reached 7, or although it never did."""
        limit = self.warned.news2
        first = ((name, at) for name, at in self.warned.models.items() if at is not None)
        return tuple(name for name, at in first if limit is None or at < limit)


def leads(patients: Iterable[Patient], warned: Mapping[str, Warned], keys: PatientKeys) -> list[Lead]:
    """One a patient."""
    return [Lead(one, warned.get(keys.key(AUTHORITY, one.mrn), Warned())) for one in patients]


def lines(found: Iterable[Lead]) -> Iterator[str]:
    """For the summary: of those who deteriorate when the models warned, and of the others whether they did."""
    everyone = list(found)
    listed = [lead for lead in everyone if lead.worsens]
    if not listed:
        return
    yield f"Did the models warn before NEWS2 reached {EMERGENCY}?"
    for lead in listed:
        reached = "never reached" if lead.warned.news2 is None else f"at {_clock(lead.warned.news2)}"
        mark = "ok  " if lead.ahead else "NO  "
        yield f"  {mark} bed {lead.patient.bed}, {lead.patient.course.title}: NEWS2 of {EMERGENCY} {reached}"
        for name in sorted(lead.warned.models):
            yield f"         {name}: {_said(lead.warned, name)}"
    caught = sum(bool(lead.ahead) for lead in listed)
    alarmed = sum(any(lead.warned.models.values()) for lead in everyone if not lead.worsens)
    others = f"{alarmed} of {len(everyone) - len(listed)} others"
    yield f"A model warned first in {caught} of {len(listed)} stories of deterioration, and in {others}."


def _said(warned: Warned, name: str) -> str:
    at = warned.models[name]
    highest = f", highest {warned.highest[name]:.0%}" if name in warned.highest else ""
    if at is None:
        because = f"; no answer at times: {warned.silent[name]}" if name in warned.silent else ""
        return f"no alarm in {warned.answers.get(name, 0)} answers{highest}{because}"
    if warned.news2 is None:
        return f"alarm at {_clock(at)}"
    minutes = round((warned.news2 - at) / 60)
    return f"alarm at {_clock(at)}, {abs(minutes)} min {'before' if minutes > 0 else 'after'} it{highest}"


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M}"
