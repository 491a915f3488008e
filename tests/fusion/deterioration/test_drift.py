import numpy as np
import pytest

from services.fusion.deterioration.drift import OTHER_POPULATION, STABLE, bins_of, counts, stability

RNG = np.random.default_rng(1)
THEN = RNG.normal(80, 10, 5000).astype(np.float32)


def test_the_same_population_is_stable() -> None:
    bins = bins_of(THEN)
    now = RNG.normal(80, 10, 3000).astype(np.float32)
    assert stability(bins.shares, counts(now, bins.edges)) < STABLE


def test_another_population_is_told() -> None:
    bins = bins_of(THEN)
    now = RNG.normal(95, 10, 3000).astype(np.float32)
    assert stability(bins.shares, counts(now, bins.edges)) > OTHER_POPULATION


def test_what_is_no_longer_measured_is_told() -> None:
    bins = bins_of(THEN)
    now = np.where(RNG.random(3000) < 0.5, np.nan, THEN[:3000]).astype(np.float32)
    assert stability(bins.shares, counts(now, bins.edges)) > OTHER_POPULATION


def test_two_bins_shifted_by_a_tenth_have_the_index_of_the_formula() -> None:
    expected = 0.1 * np.log(0.6 / 0.5) - 0.1 * np.log(0.4 / 0.5)
    assert stability([0.5, 0.5], [60, 40]) == pytest.approx(expected)


def test_a_feature_that_was_never_measured_has_one_bin_for_that() -> None:
    bins = bins_of(np.full(10, np.nan, np.float32))
    assert bins.edges == ()
    assert bins.shares == (0, 1)
    assert stability(bins.shares, []) == 0
