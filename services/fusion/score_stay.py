"""One whole stay in, scores and risks at each asked minute out. Nothing is kept of it, and nothing looks ahead."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, isnan, nan

from vigil.v1.encounters_pb2 import Encounter
from vigil.v1.fusion_service_pb2 import ScoreStayRequest, ScoreStayResponse, StayObservation, StayScores
from vigil.v1.risk_pb2 import RiskEstimate, Score

from services.common.outcomes import Invalid
from services.fusion.deterioration.stay import EMPTY, Observed, Stay, with_observations
from services.fusion.deterioration.variables import IMPOSSIBLE, read, sex_code, unit_type
from services.fusion.risk import as_score, bedside_scores
from services.fusion.scores import FLOWS, STATEMENTS, BedsideScore
from services.fusion.scoring import Scorer
from services.fusion.stays import MINUTE
from services.fusion.vitals import SCORE_UNITS, WORDED, Inputs, Lack, Measured, Staleness

MOST_OBSERVATIONS = 200_000
MOST_MINUTES = 10_000
MINUTES_AT_A_TIME = 32
FURTHEST_MINUTE = 60 * 24 * 366 * 10
# What only the bedside scores read.
BEDSIDE_ALONE = frozenset({"avpu", "spo2_scale", *FLOWS, *STATEMENTS})
BEDSIDE = frozenset({*SCORE_UNITS, "gcs", "fio2", *BEDSIDE_ALONE})


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known at a minute."""

    minute: float
    stay: Stay
    scores: Sequence[BedsideScore]


async def score_stay(request: ScoreStayRequest, scorer: Scorer, staleness: Staleness) -> ScoreStayResponse:
    """Raises Invalid for what is no stay."""
    _check(request)
    answer = _noted(request)
    scored: dict[float, StayScores] = {}
    chunk: list[_Known] = []
    for known in _known(request, staleness):
        chunk.append(known)
        await asyncio.sleep(0)  # live patients have their turn
        if len(chunk) == MINUTES_AT_A_TIME:
            scored |= await _scored(chunk, scorer)
            chunk = []
    scored |= await _scored(chunk, scorer)
    answer.at.extend(scored[minute] for minute in request.at)
    return answer


async def _scored(chunk: Sequence[_Known], scorer: Scorer) -> dict[float, StayScores]:
    """By minute."""
    made = await scorer.estimates([(known.stay, known.minute) for known in chunk])
    return {known.minute: _as_message(known, risks) for known, risks in zip(chunk, made, strict=True)}


def _as_message(known: _Known, risks: Sequence[RiskEstimate]) -> StayScores:
    lacking = sorted({name for score in known.scores for name in score.missing})
    never = sorted({name for risk in risks for name in risk.missing} - set(lacking))
    return StayScores(
        minute=known.minute,
        scores=[_without_parts(score) for score in known.scores],
        risks=risks,
        missing=[*lacking, *never],
    )


def _noted(request: ScoreStayRequest) -> ScoreStayResponse:
    """The answer with what is to be said of the observations themselves."""
    answer = ScoreStayResponse(id=request.id)
    unknown: set[str] = set()
    for one in request.observations:
        taken = None if one.name in BEDSIDE_ALONE else read(one.name, nan if one.text else one.value)
        if taken is not None and taken.remark == IMPOSSIBLE:
            answer.impossible[taken.name] += 1
        elif taken is None and one.name not in BEDSIDE_ALONE:
            unknown.add(one.name)
    answer.unknown_names.extend(sorted(unknown))
    return answer


def _check(request: ScoreStayRequest) -> None:
    if len(request.observations) > MOST_OBSERVATIONS:
        raise Invalid(f"a stay may have {MOST_OBSERVATIONS} observations at most")
    if len(request.at) > MOST_MINUTES:
        raise Invalid(f"a stay is judged at {MOST_MINUTES} minutes at most")
    minutes = (*request.at, *(one.minute for one in request.observations))
    if not all(isfinite(minute) and abs(minute) <= FURTHEST_MINUTE for minute in minutes):
        raise Invalid("a minute is not a number of minutes since admission")


def _observed(number: int, one: StayObservation) -> Observed:
    return Observed(one.name, one.minute, nan if one.text else one.value, f"o{number}")


def _known(request: ScoreStayRequest, staleness: Staleness) -> Iterator[_Known]:
    """What is known at each asked minute, earliest first: later observations are not even added to the stay."""
    stay = Stay(
        age=_possible("age", request.age) if request.HasField("age") else nan,
        sex=sex_code(request.sex),
        unit=unit_type(request.unit),
    )
    waiting = sorted(enumerate(request.observations), key=lambda one: _order(one[1]))
    newest: dict[tuple[str, Lack | None], Measured] = {}
    begin = 0
    for minute in sorted(set(request.at)):
        end = next((at for at in range(begin, len(waiting)) if waiting[at][1].minute > minute), len(waiting))
        new = waiting[begin:end]
        begin = end
        stay = with_observations(stay, (_observed(number, one) for number, one in new))
        for measured in _measured(one for _, one in new):
            newest[measured.name, measured.unusable] = measured
        yield _Known(minute, stay, _scores(stay, minute, newest.values(), staleness))


def _order(one: StayObservation) -> tuple[float, bool, float, str]:
    """By time; of one minute the highest value is the newest, as in a stay, whatever the order of arrival."""
    return one.minute, not isnan(one.value), 0.0 if isnan(one.value) else one.value, one.text


def _possible(name: str, value: float) -> float:
    taken = read(name, value)
    return nan if taken is None else taken.value


def _measured(observations: Iterable[StayObservation]) -> Iterator[Measured]:
    """What the bedside scores read, in the order given."""
    for one in observations:
        at = round(one.minute * MINUTE)
        if one.name in BEDSIDE_ALONE:
            is_word = bool(one.text) and one.name in WORDED
            unusable = None if is_word or (not one.text and isfinite(one.value)) else Lack.ABSENT
            yield Measured(one.name, one.value, at, text=one.text.strip().lower(), unusable=unusable)
            continue
        taken = read(one.name, nan if one.text else one.value)
        if taken is not None and taken.name in BEDSIDE:
            lack = Lack.OUT_OF_RANGE if taken.remark else Lack.ABSENT
            unit = SCORE_UNITS.get(taken.name, "")
            yield Measured(taken.name, taken.value, at, unit, unusable=lack if isnan(taken.value) else None)


def _scores(
    stay: Stay, minute: float, newest: Iterable[Measured], staleness: Staleness
) -> tuple[BedsideScore, BedsideScore]:
    age = (stay.series.get("age", EMPTY).values or (stay.age,))[-1]
    person = Encounter(age_years=None if isnan(age) else int(age))
    return bedside_scores(Inputs(list(newest), round(minute * MINUTE), staleness), person)


def _without_parts(score: BedsideScore) -> Score:
    message = as_score(score)
    del message.components[:]
    return message
