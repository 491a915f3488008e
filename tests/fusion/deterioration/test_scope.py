from math import nan

import numpy as np
import pytest

from services.fusion.deterioration.scope import MORTALITY, SEPSIS, abstain, is_stranger, outside
from services.fusion.deterioration.stay import Stay
from tests.fusion.deterioration.stays_of import stay_of

ENOUGH = ((30.0, "heart_rate", 80.0), (30.0, "sbp", 120.0), (30.0, "temperature", 37.0))


@pytest.mark.parametrize(
    ("stay", "minute", "reason"),
    [
        (stay_of(*ENOUGH), 60, ""),
        (stay_of(*ENOUGH, age=15), 60, "under 16 years"),
        (stay_of(*ENOUGH, age=104), 60, "over 100 years"),
        (stay_of(*ENOUGH, age=nan), 60, ""),
        (stay_of(*ENOUGH), 59, "less than an hour"),
        (stay_of(*ENOUGH), 2881, "more than 48 hours"),
        (stay_of(*ENOUGH[:2]), 60, "too little measured in the last 24 hours: heart rate, systolic pressure"),
        (Stay(age=50), 60, "nothing"),
        (stay_of(*ENOUGH), 30 + 1441, "nothing"),
        (stay_of((90, "heart_rate", 80), *ENOUGH[1:]), 60, "too little"),
    ],
)
def test_the_model_says_why_it_does_not_answer(stay: Stay, minute: float, reason: str) -> None:
    said = abstain(stay, minute, MORTALITY)
    assert reason in said
    assert bool(said) == bool(reason)


def test_sepsis_is_answered_for_two_weeks() -> None:
    late = stay_of(*((10_000.0, name, value) for _, name, value in ENOUGH))
    assert abstain(late, 10_000, SEPSIS) == ""
    assert abstain(late, 10_000, MORTALITY)


def test_an_age_observed_later_does_not_count_yet() -> None:
    assert abstain(stay_of(*ENOUGH, (120, "age", 12), age=40), 60) == ""
    assert abstain(stay_of(*ENOUGH, (60, "age", 12), age=40), 60)


def test_what_lies_outside_of_training_is_named() -> None:
    row, low, high = (np.array(some, np.float32) for some in ([1, np.nan, 9], [0, 0, 0], [2, 2, 2]))
    assert outside(row, low, high).tolist() == [2]
    assert is_stranger(row, low, high, 0.4)
    assert not is_stranger(row, low, high, 0.5)
