"""One whole stay in, scores and risks at each asked minute out. Nothing is kept of it, and nothing looks ahead."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, isnan, nan

from vigil.v1.encounters_pb2 import Encounter
from vigil.v1.fusion_service_pb2 import ScoreStayRequest, ScoreStayResponse, StayObservation, StayScores
from vigil.v1.risk_pb2 import Score

from services.common.outcomes import Invalid
from services.fusion.deterioration.stay import EMPTY, Observed, Stay, with_observations
from services.fusion.deterioration.variables import read, sex_code, unit_type
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
    unknown = (one.name for one in request.observations if read(one.name, one.value) is None)
    answer = ScoreStayResponse(
        id=request.id, unknown_names=sorted({name for name in unknown if name not in BEDSIDE_ALONE})
    )
    for name, count in _with_all(request).impossible().items():
        answer.impossible[name] = count
    scored: dict[float, StayScores] = {}
    for chunk in _chunks(_known(request, staleness)):
        made = await scorer.estimates([(known.stay, known.minute) for known in chunk])
        for known, risks in zip(chunk, made, strict=True):
            lacking = sorted({name for score in known.scores for name in score.missing})
            never = sorted({name for risk in risks for name in risk.missing} - set(lacking))
            scored[known.minute] = StayScores(
                minute=known.minute,
                scores=[_without_parts(score) for score in known.scores],
                risks=risks,
                missing=[*lacking, *never],
            )
    answer.at.extend(scored[minute] for minute in request.at)
    return answer


def _check(request: ScoreStayRequest) -> None:
    if len(request.observations) > MOST_OBSERVATIONS:
        raise Invalid(f"a stay may have {MOST_OBSERVATIONS} observations at most")
    if len(request.at) > MOST_MINUTES:
        raise Invalid(f"a stay is judged at {MOST_MINUTES} minutes at most")
    minutes = (*request.at, *(one.minute for one in request.observations))
    if not all(isfinite(minute) and abs(minute) <= FURTHEST_MINUTE for minute in minutes):
        raise Invalid("a minute is not a number of minutes since admission")


def _with_all(request: ScoreStayRequest) -> Stay:
    return with_observations(Stay(), map(_observed, range(len(request.observations)), request.observations))


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


def _chunks(known: Iterator[_Known]) -> Iterator[list[_Known]]:
    chunk: list[_Known] = []
    for one in known:
        chunk.append(one)
        if len(chunk) == MINUTES_AT_A_TIME:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
