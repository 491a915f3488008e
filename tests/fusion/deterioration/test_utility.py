"""The utility that the sepsis model is trained for, against its definition written out hour by hour."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray


def loaded() -> ModuleType:
    path = Path(__file__).resolve().parents[3] / "triton_models" / "icu_mortality" / "training" / "utility.py"
    spec = spec_from_file_location("utility", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


utility = loaded()


def worth_of_hour(hour: int, onset: float, *, septic: bool, alarm: bool) -> float:
    """Reyna et al. 2020, figure 1: of one hour of one patient."""
    since = hour - onset
    if not septic:
        return -0.05 if alarm else 0.0
    if since > 3:
        return 0.0
    if since <= -6:
        return max((since + 12) / 6, -0.05) if alarm else 0.0
    return (3 - since) / 9 if alarm else -2 * (since + 6) / 9


@pytest.mark.parametrize("first", [None, 0, 3, 20, 47])
@pytest.mark.parametrize("alarm", [True, False])
def test_each_hour_is_worth_what_the_definition_says(first: int | None, *, alarm: bool) -> None:
    labels = np.array([first is not None and hour >= first for hour in range(48)], np.int8)
    onset = np.inf if first is None else first + 6
    expected = [worth_of_hour(hour, onset, septic=first is not None, alarm=alarm) for hour in range(48)]
    np.testing.assert_allclose(utility.worth(labels)[0 if alarm else 1], expected, atol=1e-12)


def cohort() -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    patient = np.repeat([1, 2, 3], 30)
    label = np.zeros(90, np.int8)
    label[20:30] = 1
    return patient, label


def test_silence_is_worth_0_and_the_best_alarms_1() -> None:
    alarm, silence = utility.table(*cohort())
    assert utility.utility(np.zeros(90, bool), alarm, silence) == 0
    assert utility.utility(alarm > silence, alarm, silence) == pytest.approx(1)


def test_an_alarm_at_every_hour_costs() -> None:
    alarm, silence = utility.table(*cohort())
    assert utility.utility(np.ones(90, bool), alarm, silence) < 1


def test_the_best_threshold_has_the_highest_utility_of_all() -> None:
    rng = np.random.default_rng(2)
    alarm, silence = utility.table(*cohort())
    score = np.round(rng.normal(size=90) + (alarm > silence), 1)
    threshold, best = utility.best_threshold(score, alarm, silence)
    every = [utility.utility(score >= at, alarm, silence) for at in np.unique(score)]
    assert best == pytest.approx(max(every))
    assert utility.utility(score >= threshold, alarm, silence) == pytest.approx(best)
