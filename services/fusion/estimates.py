"""What a model says of a stay, as a message: probability, interval, drivers, what is missing, why it abstains. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from vigil.v1.meta_pb2 import Evidence
from vigil.v1.risk_pb2 import RiskDriver, RiskEstimate, RiskPoint

from services.fusion.deterioration.drivers import Driver, drivers
from services.fusion.deterioration.explanation import contributions
from services.fusion.deterioration.features import variable_of
from services.fusion.deterioration.scope import abstain, outside
from services.fusion.deterioration.stay import EMPTY, Stay
from services.fusion.deterioration.variables import BY_NAME
from services.fusion.models import Answers, Floats, RiskModel
from services.fusion.state import microseconds, timestamp

HOUR = 3_600_000_000  # microseconds
TREND_HOURS = 24
SHOWN_STRANGE = 3
YOUNGEST_YEARS = 15  # of the patients in both sets of training
# Reasons to abstain by how they begin, for metrics. In those of an unknown population a number would mean nothing.
UNKNOWN_POPULATION = {"under": "age", "over": "age", "more than": "after_training"}
_KINDS = UNKNOWN_POPULATION | {"less than": "first_hour", "too little": "too_little", "unlike": "unlike_training"}


@dataclass(frozen=True, slots=True)
class Judged:
    """A stay at a minute since admission, read by one model.

    row: [features]. abstained: why the model does not answer. has_meaning: whether the training data have such patients
    at such times, so that a number can at least be held against outcomes.
    """

    stay: Stay
    minute: float
    row: Floats
    abstained: str
    has_meaning: bool


def judged(model: RiskModel, stay: Stay, minute: float) -> Judged:
    """The row that the model reads, and whether it may."""
    row = model.vector(stay, minute)
    abstained = abstain(stay, minute, model.scope)
    age = float(row[model.features.index("age.last")])
    has_meaning = not abstained.startswith(tuple(UNKNOWN_POPULATION)) or (
        abstained.startswith("under") and age >= YOUNGEST_YEARS
    )
    return Judged(stay, minute, row, abstained or _unlike(model, row), has_meaning)


def _unlike(model: RiskModel, row: Floats) -> str:
    strange = outside(row, model.low, model.high)
    if len(strange) <= model.stranger_share * np.count_nonzero(~np.isnan(row)):
        return ""
    names = dict.fromkeys(variable_of(model.features[column]) for column in strange)
    spoken = [BY_NAME[name].spoken for name in names if name in BY_NAME] or ["what is read off several values"]
    return f"unlike the patients of training: {', '.join(spoken[:SHOWN_STRANGE])}"


def kind_of(abstained: str) -> str:
    """One of a few words for a reason, e.g. "too_little"."""
    return next(kind for begins, kind in _KINDS.items() if abstained.startswith(begins))


def blank(model: RiskModel, one: Judged) -> RiskEstimate:
    """Everything but the model's answer."""
    return RiskEstimate(
        name=model.name,
        operating_point=model.operating_point,
        missing=[name for name in model.measured if not _is_known(one.stay, name)],
        abstained=one.abstained,
    )


def _is_known(stay: Stay, name: str) -> bool:
    stated = {"age": stay.age, "sex": stay.sex, "icu_type": stay.unit}.get(name)
    return bool(stay.series.get(name, EMPTY).minutes) or (stated is not None and not isnan(stated))


def degraded(model: RiskModel, one: Judged, reason: str) -> RiskEstimate:
    """The estimate of a model that did not answer."""
    estimate = blank(model, one)
    estimate.degraded, estimate.degraded_reason = True, reason
    return estimate


def answered(model: RiskModel, one: Judged, answers: Answers, place: int) -> RiskEstimate:
    """The estimate with the answer in that place. Of one that abstains, the number without an alarm and drivers."""
    estimate = blank(model, one)
    probability = float(answers.probability[place])
    estimate.probability = probability
    estimate.low, estimate.high = float(answers.low[place]), float(answers.high[place])
    estimate.model.CopyFrom(answers.version)
    if not one.abstained:
        estimate.alarm = probability >= model.operating_point
        estimate.drivers.extend(_drivers(model, one))
    return estimate


def without_number(estimate: RiskEstimate) -> RiskEstimate:
    """As a clinician sees an estimate that abstains."""
    for field in ("probability", "low", "high"):
        estimate.ClearField(field)
    return estimate


def _drivers(model: RiskModel, one: Judged) -> list[RiskDriver]:
    contributed = contributions(model.explanation, one.row)
    return [_driver(driver, one.minute) for driver in drivers(one.stay, one.minute, model.features, contributed)]


def _driver(driver: Driver, minute: float) -> RiskDriver:
    shown = RiskDriver(name=driver.name, weight=driver.weight, unit=driver.unit, sentence=driver.words(minute))
    for field, value in (("value", driver.value), ("change", driver.change), ("age_minutes", minute - driver.minute)):
        if not isnan(value):
            setattr(shown, field, value)
    if driver.observation_id:
        shown.evidence.kind = "observation"
        shown.evidence.observation_id = driver.observation_id
    return shown


def with_evidence(estimate: RiskEstimate, evidence: Callable[[str], Evidence | None]) -> RiskEstimate:
    """Drivers with the measurement that each rests on. evidence: of an observation id."""
    for driver in estimate.drivers:
        found = evidence(driver.evidence.observation_id) if driver.evidence.observation_id else None
        if found is not None:
            driver.evidence.CopyFrom(found)
    return estimate


def with_trend(estimate: RiskEstimate, as_of: int, since: int, before: Sequence[RiskPoint]) -> RiskEstimate:
    """The estimate as of a time, with the last probability of each hour since `since`. before: the trend until then."""
    estimate.as_of.CopyFrom(timestamp(as_of))
    oldest = max(as_of - TREND_HOURS * HOUR, since)
    points = [point for point in before if microseconds(point.at) > oldest]
    if estimate.HasField("probability"):
        if points and microseconds(points[-1].at) // HOUR == as_of // HOUR:
            points.pop()
        points.append(RiskPoint(at=estimate.as_of, probability=estimate.probability))
    estimate.trend.extend(points)
    return estimate
