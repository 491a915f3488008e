from dataclasses import replace
from math import isnan, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.fusion.deterioration.stay import KEPT_MINUTES, Observed, Stay, with_observation, with_observations
from tests.fusion.deterioration.stays_of import made_up, observed, shuffled, stay_of

TEMPERATURE = Observed("temperature", 60, 38.2, "t1", (0,))


def one_by_one(observations: list[Observed]) -> Stay:
    stay = Stay(age=70)
    for one in observations:
        stay = with_observation(stay, one)
    return stay


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_arrival_does_not_matter(seed: int) -> None:
    observations = made_up(seed, hours=200)
    assert one_by_one(list(shuffled(observations, seed))) == with_observations(Stay(age=70), observations)


def test_the_same_observation_twice_changes_nothing() -> None:
    once = with_observations(Stay(), made_up(3))
    assert with_observations(once, made_up(3)) is once


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_the_account_of_highest_rank_counts_in_any_order(order: tuple[int, ...]) -> None:
    accounts = [TEMPERATURE, replace(TEMPERATURE, value=37.1, rank=(1,)), replace(TEMPERATURE, value=36.0, rank=(2,))]
    stay = one_by_one([accounts[at] for at in order])
    assert stay.series["temperature"].values == (36.0,)


def test_a_corrected_name_moves_the_value_to_the_right_quantity() -> None:
    stay = one_by_one([Observed("sbp", 5, 60, "b", (0,)), Observed("dbp", 5, 60, "b", (1,))])
    assert stay.series["sbp"].values == ()
    assert stay.series["dbp"].values == (60,)


def test_a_withdrawn_value_is_gone_and_stays_gone() -> None:
    withdrawn = one_by_one([TEMPERATURE, replace(TEMPERATURE, value=nan, rank=(1,)), TEMPERATURE])
    assert withdrawn.series["temperature"].values == ()
    assert withdrawn.remarks() == {"withdrawn": 1}


def test_impossible_values_are_kept_out_and_counted() -> None:
    stay = stay_of((0, "heart_rate", 0), (1, "heart_rate", 900), (2, "heart_rate", 80), (3, "pH", 1))
    assert stay.series["heart_rate"].values == (80,)
    assert stay.impossible() == {"heart_rate": 2, "ph": 1}


def test_names_that_no_model_reads_change_nothing() -> None:
    stay = Stay()
    assert with_observation(stay, Observed("favourite_colour", 0, 1, "x")) is stay


def test_old_values_go_but_for_the_newest_of_each_name() -> None:
    late = KEPT_MINUTES + 500
    stay = stay_of((0, "lactate", 1), (10, "lactate", 2), (20, "lactate", 3), (0, "sbp", 100), (late, "sbp", 90))
    assert stay.series["lactate"].values == (3,)
    assert stay.series["sbp"].values == (100, 90)
    assert set(stay.held) == {"o2", "o3", "o4"}


def test_what_is_observed_of_the_person_is_held_as_any_value() -> None:
    assert isnan(Stay().age)
    assert stay_of((0, "Age", 44)).series["age"].values == (44,)


values = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(-10, 400))
names = st.sampled_from(["HR", "Temp", "lactate", "pH", "FiO2", "Unit1", "Weight", "Gender", "nonsense", "map"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e6), names, values), max_size=12), st.integers(0, 1000))
def test_any_values_in_any_order_give_one_stay(rows: list[tuple[float, str, float]], seed: int) -> None:
    there = with_observations(Stay(), observed(rows))
    back = with_observations(Stay(), shuffled(observed(rows), seed))
    assert there.series == back.series
    assert there.remarks() == back.remarks()
