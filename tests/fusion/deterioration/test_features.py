from collections.abc import Callable
from dataclasses import replace
from math import isnan

import numpy as np
import pytest
from numpy.typing import NDArray

from services.fusion.deterioration.features import (
    FEATURES_MORTALITY,
    FEATURES_SEPSIS,
    variable_of,
    vector_mortality,
    vector_sepsis,
)
from services.fusion.deterioration.stay import Stay, with_observations
from services.fusion.deterioration.variables import BY_NAME
from tests.fusion.deterioration.stays_of import made_up, stay_of, streamed

Vector = Callable[[Stay, float], NDArray[np.float32]]
BOTH = pytest.mark.parametrize("vector", [vector_mortality, vector_sepsis])


def named(stay: Stay, minute: float) -> dict[str, float]:
    return dict(zip(FEATURES_MORTALITY, vector_mortality(stay, minute).tolist(), strict=True))


def of_sepsis(stay: Stay, minute: float) -> dict[str, float]:
    return dict(zip(FEATURES_SEPSIS, vector_sepsis(stay, minute).tolist(), strict=True))


@pytest.mark.parametrize("part", range(10))
def test_500_stays_fed_one_value_at_a_time_in_any_order_give_the_rows_of_the_whole(part: int) -> None:
    for seed in range(50 * part, 50 * part + 50):
        whole, fed = with_observations(Stay(), made_up(seed)), streamed(made_up(seed), seed)
        for vector in (vector_mortality, vector_sepsis):
            for minute in (60 + seed, 1441, 2880):
                np.testing.assert_allclose(
                    vector(fed, minute), vector(whole, minute), rtol=0, atol=1e-6, err_msg=f"seed {seed}"
                )


@BOTH
@pytest.mark.parametrize("seed", range(10))
def test_nothing_of_the_future_is_in_a_row(vector: Vector, seed: int) -> None:
    cut = 1000
    stay = made_up(seed)
    past = with_observations(Stay(), [one for one in stay if one.minute <= cut])
    moved = [replace(one, minute=one.minute + 7, value=one.value + 1) if one.minute > cut else one for one in stay]
    for future in (stay, moved):
        np.testing.assert_array_equal(
            vector(with_observations(Stay(), future), cut), vector(past, cut), err_msg=f"seed {seed}"
        )


@BOTH
def test_a_row_has_a_value_for_every_name(vector: Vector) -> None:
    names = FEATURES_MORTALITY if vector is vector_mortality else FEATURES_SEPSIS
    assert len(set(names)) == len(names) == len(vector(Stay(), 60))
    assert vector(Stay(), 60).dtype == np.float32


@BOTH
def test_a_row_a_minute_later_differs_only_in_what_time_changes(vector: Vector) -> None:
    stay = stay_of((10, "heart_rate", 90), (10, "lactate", 2))
    names = FEATURES_MORTALITY if vector is vector_mortality else FEATURES_SEPSIS
    changed = ~np.isclose(vector(stay, 100), vector(stay, 101), equal_nan=True)
    assert {names[at] for at in np.flatnonzero(changed)} == {
        "clock.hours", "heart_rate.age", "lactate.age", "measured.laboratory_age",
    }  # fmt: skip


def test_a_vital_sign_is_summed_up_over_its_windows() -> None:
    row = named(stay_of((0, "heart_rate", 60), (600, "heart_rate", 80), (1000, "heart_rate", 100)), 1020)
    assert row["heart_rate.last"] == 100
    assert row["heart_rate.age"] == pytest.approx(20 / 60)
    assert (row["heart_rate.n6"], row["heart_rate.n24"]) == (1, 3)
    assert (row["heart_rate.mean6"], row["heart_rate.mean24"]) == (100, 80)
    assert (row["heart_rate.min24"], row["heart_rate.max24"]) == (60, 100)
    assert row["heart_rate.delta6"] == 20
    assert row["heart_rate.delta12"] == 40
    assert isnan(row["heart_rate.delta24"])
    assert row["heart_rate.slope24"] == pytest.approx(np.polyfit([0, 10, 1000 / 60], [60, 80, 100], 1)[0], abs=1e-5)
    assert row["heart_rate.sd24"] == pytest.approx(np.std([60, 80, 100]), abs=1e-4)


def test_a_laboratory_value_has_its_step_and_its_rise() -> None:
    row = named(stay_of((0, "lactate", 1), (100, "lactate", 2.5), (200, "lactate", 2)), 2000)
    assert row["lactate.step"] == -0.5
    assert row["lactate.rise"] == 1
    assert (row["lactate.n24"], row["lactate.n48"], row["lactate.max48"]) == (0, 3, 2.5)
    assert isnan(row["lactate.max24"])


def test_the_newest_value_stands_however_old() -> None:
    row = of_sepsis(stay_of((60, "lactate", 3), (6000, "heart_rate", 80)), 6000)
    assert row["lactate.last"] == 3
    assert row["lactate.age"] == 99
    assert row["lactate.n48"] == 0


def test_urine_is_added_up() -> None:
    row = named(stay_of((0, "Urine", 100), (60, "Urine", 50), (120, "Urine", 70)), 1000)
    assert row["urine_output.sum24"] == 220
    assert row["urine_output.rate"] == 60
    assert isnan(row["urine_output.sum6"])


def test_what_follows_from_several_quantities() -> None:
    row = named(stay_of((5, "HR", 110), (5, "SysABP", 100), (5, "DiasABP", 40), (5, "FiO2", 0.5), (5, "PaO2", 80)), 60)
    assert row["shock_index.last"] == pytest.approx(1.1)
    assert row["map_calculated.last"] == pytest.approx(60)
    assert row["pao2_fio2.last"] == 160
    assert row["news2.last"] == 1 + 2 + 2  # pulse 110, systolic 100, oxygen
    assert row["qsofa.last"] == 1
    assert row["sofa.last"] == 3


def test_nothing_is_assumed_of_what_was_not_measured() -> None:
    row = named(stay_of((5, "HR", 110)), 60)
    assert isnan(row["lactate.last"])
    assert row["lactate.n24"] == 0
    assert isnan(row["shock_index.last"])


def test_a_stated_age_counts_until_one_is_observed() -> None:
    assert named(stay_of((0, "HR", 80), age=33), 60)["age.last"] == 33
    assert named(stay_of((0, "HR", 80), (30, "Age", 34), age=33), 60)["age.last"] == 34
    assert named(stay_of((0, "HR", 80), (90, "Age", 34), age=33), 60)["age.last"] == 33


def test_every_feature_tells_of_a_quantity_or_of_something_derived() -> None:
    derived = {
        "clock", "measured", "shock_index", "pulse_pressure", "map_calculated", "spo2_fio2", "pao2_fio2", "news2",
        "bun_creatinine", "urine_per_kg", "qsofa", "sirs", "sofa", "saps", "body_mass_index",
    }  # fmt: skip
    assert {variable_of(name) for name in (*FEATURES_MORTALITY, *FEATURES_SEPSIS)} <= derived | set(BY_NAME)
