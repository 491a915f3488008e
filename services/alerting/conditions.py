"""What a patient's risk says about each rule of the policy. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vigil.v1.alerts_pb2 import Severity
from vigil.v1.meta_pb2 import Evidence
from vigil.v1.risk_pb2 import CriticalFinding, PatientRisk, Score, ScoreComponent

from services.alerting.policy import ANY, Clears, Looks, Policy, Rule

NEWS2 = "news2"

# Names of NEWS2 parameters as a clinician says them; others are shown with blanks for underscores.
SPOKEN = {
    "resp_rate": "respirations",
    "spo2": "SpO₂",
    "oxygen": "supplemental oxygen",
    "sbp": "systolic pressure",
    "heart_rate": "pulse",
}
NAMED_AT_MOST = 4  # parameters in a sentence, worst first
CLINICAL_UNITS = {"Cel": "°C", "mm[Hg]": "mmHg"}
# Parameters whose value adds nothing to their name.
SAYS_IT_ALL = frozenset({"oxygen"})


@dataclass(frozen=True, slots=True)
class Condition:
    """A rule that holds for a patient now.

    rule: `Alert.rule`, e.g. "critical_finding:pneumothorax". level: grows when it gets worse (see `AlertRecord`).
    contributors: parameters of scores that it rests on; while one is missing nobody knows that it ended.
    """

    rule: str
    severity: Severity.ValueType
    sentence: str
    basis: str
    evidence: tuple[Evidence, ...]
    level: int
    contributors: frozenset[str]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a risk says: the conditions that hold, by rule, and the parameters of scores that it knows."""

    conditions: dict[str, Condition]
    known: frozenset[str]
    abstained: bool


def spoken_value(value: str) -> str:
    """A value with its UCUM unit as a clinician writes it, e.g. "39.2 °C" for "39.2 Cel"."""
    number, blank, unit = value.partition(" ")
    return f"{number}{blank}{CLINICAL_UNITS.get(unit, unit)}"


def judge(risk: PatientRisk, policy: Policy) -> Judged:
    """Hold every rule of the policy against the risk."""
    news2 = next((score for score in risk.scores if score.name == NEWS2), Score())
    found: dict[str, Condition] = {}
    for rule in policy.rules:
        for condition in _holding(rule, risk, news2, policy):
            found.setdefault(condition.rule, condition)
    known = frozenset(part.name for score in risk.scores for part in score.components if not part.missing)
    return Judged(found, known, abstained=bool(news2.abstained))


def clears(rule_name: str, policy: Policy) -> Clears:
    """How alerts of a rule end, by `Alert.rule`. Rules that are no longer in the policy end when absent."""
    name, _, subject = rule_name.partition(":")
    matching = (rule for rule in policy.rules if rule.name == name and rule.subject in {ANY, subject})
    return next((rule.clears for rule in matching), Clears.ABSENT)


def _holding(rule: Rule, risk: PatientRisk, news2: Score, policy: Policy) -> Iterator[Condition]:
    if rule.looks is Looks.NEWS2_TOTAL:
        yield from _news2(rule, risk, news2, holds=news2.total >= rule.threshold, named=_scoring(news2, 1))
    elif rule.looks is Looks.NEWS2_SINGLE:
        red = _scoring(news2, rule.threshold)
        holds = bool(red) and (rule.below is None or news2.total < rule.below)
        yield from _news2(rule, risk, news2, holds=holds, named=red)
    elif rule.looks is Looks.CRITICAL_FINDING:
        yield from _findings(rule, risk)
    else:
        yield from _syndromes(rule, risk, policy)


def _news2(
    rule: Rule, risk: PatientRisk, score: Score, *, holds: bool, named: Sequence[ScoreComponent]
) -> Iterator[Condition]:
    if not holds or score.abstained:
        return
    yield Condition(
        rule=rule.name,
        severity=rule.severity,
        sentence=rule.sentence.format(total=score.total, because=_because(named)),
        basis=rule.basis,
        evidence=tuple(_measured(named, risk)),
        level=score.total,
        contributors=frozenset(part.name for part in named),
    )


def _findings(rule: Rule, risk: PatientRisk) -> Iterator[Condition]:
    by_label: dict[str, list[CriticalFinding]] = {}
    for finding in risk.critical_findings:
        if rule.subject in {ANY, finding.label}:
            by_label.setdefault(finding.label, []).append(finding)
    for label, stated in by_label.items():
        evidence = tuple(item for finding in stated for item in finding.evidence)
        yield Condition(
            rule=f"{rule.name}:{label}",
            severity=rule.severity,
            sentence=rule.sentence.format(sentence=stated[0].sentence),
            basis=rule.basis,
            evidence=evidence,
            level=max((item.event_time.seconds for item in evidence), default=0),
            contributors=frozenset(),
        )


def _syndromes(rule: Rule, risk: PatientRisk, policy: Policy) -> Iterator[Condition]:
    for syndrome in risk.syndromes:
        for_the_ward = syndrome.name not in policy.not_for_the_ward
        agreeing = len(set(syndrome.sources))
        if for_the_ward and rule.subject in {ANY, syndrome.name} and agreeing >= rule.threshold:
            yield Condition(
                rule=f"{rule.name}:{syndrome.name}",
                severity=rule.severity,
                sentence=rule.sentence.format(sentence=syndrome.sentence),
                basis=syndrome.basis or rule.basis,
                evidence=tuple(syndrome.evidence),
                level=agreeing,
                contributors=_measuring(syndrome.evidence, risk),
            )


def _measuring(evidence: Iterable[Evidence], risk: PatientRisk) -> frozenset[str]:
    """Parameters whose measurements are among the evidence."""
    ids = {item.observation_id for item in evidence} - {""}
    return frozenset(part.name for score in risk.scores for part in score.components if part.observation_id in ids)


def _scoring(score: Score, points: int) -> list[ScoreComponent]:
    """Parameters with at least so many points, worst first."""
    scoring = [part for part in score.components if not part.missing and part.points >= points]
    return sorted(scoring, key=lambda part: -part.points)


def _because(parts: Iterable[ScoreComponent]) -> str:
    """E.g. "respirations 28 /min, SpO₂ 90 %, pulse 118 /min and 2 more"."""
    spoken = [_spoken(part) for part in parts]
    more = len(spoken) - NAMED_AT_MOST
    return ", ".join(spoken[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def _spoken(part: ScoreComponent) -> str:
    if part.value.startswith("gcs "):
        return part.value.replace("gcs", "GCS")
    name = SPOKEN.get(part.name, part.name.replace("_", " "))
    return name if part.name in SAYS_IT_ALL or not part.value else f"{name} {spoken_value(part.value)}"


def _measured(parts: Iterable[ScoreComponent], risk: PatientRisk) -> Iterator[Evidence]:
    """Evidence of each parameter: fusion's own where it gives one, else made from the score."""
    given = {driver.evidence.observation_id: driver.evidence for driver in risk.drivers}
    for part in parts:
        made = Evidence(
            kind="observation",
            observation_id=part.observation_id,
            event_time=part.measured_at if part.HasField("measured_at") else None,
            statement=f"{part.name} {part.value}".strip(),
        )
        yield given.get(part.observation_id, made) if part.observation_id else made
