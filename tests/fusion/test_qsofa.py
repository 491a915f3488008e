import pytest

from services.fusion.qsofa import qsofa
from services.fusion.scores import Person
from services.fusion.vitals import Measured
from tests.fusion.making import HEALTHY, SEPTIC, inputs, measured

ADULT = Person(age_years=60)


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ({}, 0),
        ({"resp_rate": 21}, 0),
        ({"resp_rate": 22}, 1),
        ({"resp_rate": 21.5}, 0),
        ({"sbp": 101}, 0),
        ({"sbp": 100}, 1),
        ({"sbp": 100.4}, 0),
        ({"gcs": 14}, 1),
        ({"resp_rate": 22, "sbp": 100}, 2),
        (SEPTIC, 3),
    ],
)
def test_each_criterion_gives_one_point(values: dict[str, float | str], total: int) -> None:
    score = qsofa(inputs(HEALTHY | values), ADULT)
    assert (score.total, score.band) == (total, "positive" if total >= 2 else "negative")


@pytest.mark.parametrize(
    ("measured_values", "points"),
    [
        ([measured("avpu", "a"), measured("gcs", 13)], 1),
        ([measured("avpu", "alert", minutes_ago=60), measured("gcs", 13)], 1),
        ([measured("avpu", "voice", minutes_ago=60), measured("gcs", 15)], 0),
        ([measured("avpu", "voice"), measured("gcs", 15)], 0),
        ([measured("avpu", "voice"), measured("gcs", 15, minutes_ago=210)], 1),
        ([measured("avpu", "alert"), measured("gcs", 13, minutes_ago=60)], 0),
        ([measured("avpu", "voice"), measured("gcs", 15, minutes_ago=300)], 1),
        ([measured("avpu", "voice")], 1),
        ([measured("avpu", "alert")], 0),
    ],
)
def test_the_newer_of_coma_score_and_word_counts_and_of_one_time_the_coma_score(
    measured_values: list[Measured], points: int
) -> None:
    part = qsofa(inputs({}, *measured_values), ADULT).parts[2]
    assert (part.points, part.lack) == (points, None)


def test_missing_criteria_widen_the_range() -> None:
    score = qsofa(inputs({"resp_rate": 30}), ADULT)
    assert (score.lowest, score.total, score.highest) == (1, 1, 3)
    assert score.missing == {"sbp", "consciousness"}


def test_it_abstains_for_children() -> None:
    assert qsofa(inputs(SEPTIC), Person(age_years=9)).abstained
