"""The risk of a patient from the record: scores, drivers, critical findings and syndromes. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from vigil.v1.encounters_pb2 import Encounter
from vigil.v1.meta_pb2 import Evidence, Meta
from vigil.v1.risk_pb2 import CriticalFinding, Driver, PatientRisk, Score, ScoreComponent, Syndrome

from services.fusion.comparison import comparisons
from services.fusion.news2 import news2
from services.fusion.qsofa import qsofa
from services.fusion.rules import CRITICAL, SYNDROMES, CriticalRule, SyndromeRule, Term
from services.fusion.scores import BedsideScore, Part, Person
from services.fusion.state import PatientRecord, present_stay, timestamp
from services.fusion.statements import IMAGE, TEXT, Sources, supporting
from services.fusion.vitals import Inputs, Measured, Staleness

PHYSIOLOGY = "physiology"
SOURCE_WORDS = {TEXT: "in the notes", IMAGE: "on the image"}
SHOWN_STATEMENTS = 3


@dataclass(frozen=True, slots=True)
class Judging:
    """Settings of judging."""

    staleness: Staleness = field(default_factory=Staleness)
    evidence_window: timedelta = timedelta(hours=48)
    report_window: timedelta = timedelta(hours=24)


def judge(record: PatientRecord, meta: Meta, caused_by: str, judging: Judging) -> PatientRisk:
    """The risk as of the newest event time of the record. caused_by: message id of the input."""
    known = present_stay(record)
    inputs = Inputs(record.measured(), record.as_of, judging.staleness)
    scores = bedside_scores(inputs, known)
    window = judging.evidence_window // timedelta(microseconds=1)
    sources = Sources(record.notes, record.images).since(record.as_of - window)
    return PatientRisk(
        meta=meta,
        as_of=timestamp(record.as_of),
        scores=[as_score(score) for score in scores],
        drivers=drivers(scores[0]),
        syndromes=_syndromes(sources, scores[1], inputs),
        critical_findings=_critical_findings(sources),
        caused_by=[caused_by],
        ward=known.ward,
        bed=known.bed,
        encounter_status=known.status,
        report_comparisons=comparisons(sources.notes, sources.images, judging.report_window),
    )


def bedside_scores(inputs: Inputs, known: Encounter) -> tuple[BedsideScore, BedsideScore]:
    """NEWS2 and qSOFA."""
    age = known.age_years if known.HasField("age_years") else None
    person = Person(age, known.pregnant)
    return news2(inputs, person), qsofa(inputs, person)


def as_score(score: BedsideScore) -> Score:
    """The score as a message."""
    return Score(
        name=score.name,
        total=score.total,
        lowest=score.lowest,
        highest=score.highest,
        partial=bool(score.missing),
        band=score.band,
        components=[_component(part) for part in score.parts],
        abstained=score.abstained,
    )


def _component(part: Part) -> ScoreComponent:
    if part.measured is None:
        return ScoreComponent(name=part.name, missing=True, missing_reason=part.lack or "")
    return ScoreComponent(
        name=part.name,
        points=part.points,
        value=_shown(part),
        measured_at=timestamp(part.measured.at),
        observation_id=part.measured.observation_id,
    )


def _shown(part: Part) -> str:
    """The value used; where another measurement stands for the parameter, with its name."""
    assert part.measured is not None
    measured = part.measured
    return measured.shown if measured.name == part.name else f"{measured.name} {measured.shown}"


def drivers(score: BedsideScore) -> list[Driver]:
    """Parameters that give points, the most first."""
    scoring = sorted((part for part in score.parts if part.points), key=lambda part: -part.points)
    return [_driver(part, part.measured) for part in scoring if part.measured is not None]


def _driver(part: Part, measured: Measured) -> Driver:
    return Driver(
        name=part.name,
        value=_shown(part),
        weight=part.points,
        measured_at=timestamp(measured.at),
        evidence=of_measurement(measured),
    )


def of_measurement(measured: Measured) -> Evidence:
    """A measurement as what a statement rests on."""
    return Evidence(
        kind="observation",
        message_id=measured.message_id,
        observation_id=measured.observation_id,
        event_time=timestamp(measured.at),
        statement=f"{measured.name} {measured.shown}",
    )


def _critical_findings(sources: Sources) -> list[CriticalFinding]:
    found = ((rule, supporting(rule.term, sources)) for rule in CRITICAL)
    return [_critical(rule, evidence) for rule, evidence in found if evidence]


def _critical(rule: CriticalRule, by_source: dict[str, list[Evidence]]) -> CriticalFinding:
    evidence = [one for listed in by_source.values() for one in listed]
    where = " and ".join(SOURCE_WORDS[source] for source in by_source)
    sentence = rule.sentence.format(where=where, what=_listed(evidence))
    return CriticalFinding(label=rule.term.name, sentence=sentence, evidence=evidence)


def _syndromes(sources: Sources, quick_sofa: BedsideScore, inputs: Inputs) -> list[Syndrome]:
    found = []
    for rule in SYNDROMES:
        signs = _signs(rule, quick_sofa, inputs)
        stated = _stated(rule.terms, sources) if signs else {}
        if signs and stated:
            found.append(_syndrome(rule, stated, signs, quick_sofa))
    return found


def _signs(rule: SyndromeRule, quick_sofa: BedsideScore, inputs: Inputs) -> list[Measured]:
    """Measurements that agree with the rule; empty when they do not."""
    if rule.qsofa is not None:
        if quick_sofa.total < rule.qsofa:
            return []
        return [part.measured for part in quick_sofa.parts if part.points and part.measured is not None]
    fresh = [(limit, inputs.fresh(limit.name)) for limit in rule.limits]
    agreeing = [one for limit, one in fresh if isinstance(one, Measured) and limit.holds(one.value)]
    return agreeing if len(agreeing) == len(rule.limits) else []


def _stated(terms: Iterable[Term], sources: Sources) -> dict[str, list[Evidence]]:
    by_source: dict[str, list[Evidence]] = {}
    for term in terms:
        for source, evidence in supporting(term, sources).items():
            by_source.setdefault(source, []).extend(evidence)
    return by_source


def _syndrome(
    rule: SyndromeRule, stated: dict[str, list[Evidence]], signs: Sequence[Measured], quick_sofa: BedsideScore
) -> Syndrome:
    what = " and ".join(f"{_listed(evidence)} {SOURCE_WORDS[source]}" for source, evidence in stated.items())
    measured = ", ".join(one.spoken for one in signs)
    shown = measured if rule.qsofa is None else f"qSOFA {quick_sofa.total} ({measured})"
    return Syndrome(
        name=rule.name,
        sentence=rule.sentence.format(what=what, signs=shown),
        sources=[*stated, PHYSIOLOGY],
        evidence=[*(one for listed in stated.values() for one in listed), *map(of_measurement, signs)],
        basis=rule.basis,
    )


def _listed(evidence: Sequence[Evidence]) -> str:
    """The statements of the evidence, newest first, each once, a few at most."""
    statements = list(dict.fromkeys(one.statement for one in reversed(evidence)))
    more = len(statements) - SHOWN_STATEMENTS
    shown = ", ".join(statements[:SHOWN_STATEMENTS])
    return f"{shown} and {more} more" if more > 0 else shown
