"""Rows of real stays, where the training data are at hand: a minute's work, and so not among the fast tests."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from services.fusion.deterioration.features import vector_mortality, vector_sepsis
from services.fusion.deterioration.stay import Observed, Stay, with_observations
from tests.fusion.deterioration.stays_of import DATA, NO_DATA, real_stays, real_stays_2019, streamed

Vector = Callable[[Stay, float], NDArray[np.float32]]
Stays = Callable[[int], Mapping[int, list[Observed]]]
REAL = pytest.mark.parametrize(
    ("stays", "vector"), [(real_stays, vector_mortality), (real_stays_2019, vector_sepsis)], ids=["2012", "2019"]
)


@pytest.mark.skipif(not DATA.exists(), reason=NO_DATA)
@REAL
def test_500_real_stays_fed_one_value_at_a_time_give_the_rows_that_training_takes(stays: Stays, vector: Vector) -> None:
    for record, observations in stays(500).items():
        fed, whole = streamed(observations, record), with_observations(Stay(), observations)
        newest = max(one.minute for one in observations)
        for minute in (newest - 42 * 60, newest):
            np.testing.assert_allclose(
                vector(fed, minute), vector(whole, minute), rtol=0, atol=1e-6, err_msg=str(record)
            )


@pytest.mark.skipif(not DATA.exists(), reason=NO_DATA)
@REAL
def test_no_row_of_500_real_stays_knows_the_future(stays: Stays, vector: Vector) -> None:
    for record, observations in stays(500).items():
        cut = max(one.minute for one in observations) - 60 * (1 + record % 47)
        moved = [
            replace(one, value=one.value * 1.1, minute=one.minute + 3) if one.minute > cut else one
            for one in observations
        ]
        past = [one for one in observations if one.minute <= cut]
        rows = [vector(with_observations(Stay(), some), cut) for some in (observations, moved, past)]
        np.testing.assert_array_equal(rows[0], rows[1], err_msg=str(record))
        np.testing.assert_array_equal(rows[0], rows[2], err_msg=str(record))
