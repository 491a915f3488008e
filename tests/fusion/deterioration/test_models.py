"""The models as they are shipped, against the functions of the service. They run in ONNX Runtime, as in Triton."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from services.fusion.deterioration import explanation
from services.fusion.deterioration.drivers import drivers
from services.fusion.deterioration.explanation import Explanation
from services.fusion.deterioration.features import FEATURES_MORTALITY, FEATURES_SEPSIS, vector_mortality, vector_sepsis
from services.fusion.deterioration.scope import is_stranger
from services.fusion.deterioration.stay import Observed, Stay, with_observations
from tests.fusion.deterioration.stays_of import made_up, observed

MODELS = Path(__file__).resolve().parents[3] / "triton_models"
NAMES = {"icu_mortality": FEATURES_MORTALITY, "sepsis_onset": FEATURES_SEPSIS}
VECTOR = {"icu_mortality": vector_mortality, "sepsis_onset": vector_sepsis}
BOTH = pytest.mark.parametrize("name", sorted(NAMES))

USUAL = {
    "heart_rate": 84, "resp_rate": 18, "sbp": 122, "dbp": 62, "map": 80, "temperature": 37, "gcs": 15, "spo2": 97,
    "lactate": 1.4, "creatinine": 0.9, "bun": 17, "wbc": 9, "platelets": 210, "bilirubin": 0.7, "ph": 7.39, "paco2": 40,
    "pao2": 110, "fio2": 0.4, "bicarbonate": 24, "sodium": 139, "potassium": 4.1, "glucose": 120, "urine_output": 80,
}  # fmt: skip


@dataclass(frozen=True)
class Shipped:
    session: onnxruntime.InferenceSession
    assets: dict[str, Any]
    explained: Explanation

    def chances(self, rows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        said = self.session.run(["probability", "low", "high"], {"features": rows})
        return [np.asarray(one) for one in said]


@lru_cache
def shipped(name: str) -> Shipped:
    folder = MODELS / name
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return Shipped(
        onnxruntime.InferenceSession(str(folder / "1" / "model.onnx"), options),
        json.loads((folder / "assets" / "features.json").read_text()),
        Explanation.of(np.load(folder / "assets" / "model.npz")),
    )


def usual(**changed: float) -> list[Observed]:
    """A day of an adult with nothing much wrong, but for the last value of what is changed."""
    rows = [(60.0 * hour, name, value) for hour in range(0, 24, 4) for name, value in USUAL.items()]
    last = [(60.0 * 23, name, value) for name, value in changed.items()]
    return observed([(0, "age", 62), (0, "sex", 1), (0, "weight", 80), (0, "icu_type", 3), *rows, *last])


def stay(*changes: Observed, **changed: float) -> Stay:
    return with_observations(Stay(), [*usual(**changed), *changes])


@BOTH
def test_files_names_and_hashes_agree(name: str) -> None:
    folder, assets = MODELS / name, shipped(name).assets
    sha256 = hashlib.sha256((folder / "1" / "model.onnx").read_bytes()).hexdigest()
    assert assets["names"] == list(NAMES[name])
    assert assets["sha256"] == sha256
    assert sha256 in (folder / "config.pbtxt").read_text()
    assert json.loads((folder / "metrics.json").read_text())["sha256"] == sha256
    assert f"dims: [ {len(NAMES[name])} ]" in (folder / "config.pbtxt").read_text()


@BOTH
@pytest.mark.parametrize("seed", range(8))
def test_what_is_explained_is_what_the_model_says(name: str, seed: int) -> None:
    model = shipped(name)
    row = VECTOR[name](with_observations(Stay(), made_up(seed)), 1500)
    calibration = model.assets["calibration"]
    blended = explanation.log_odds(model.explained, row)
    early = exp(-25 / 12) * (calibration["early"] + calibration["early_slope"] * blended)
    said = calibration["slope"] * blended + calibration["offset"] + early
    chance = float(model.chances(row[None])[0][0, 0])
    assert log(chance / (1 - chance)) == pytest.approx(said, abs=1e-3)
    added = explanation.contributions(model.explained, row).sum()
    assert explanation.start(model.explained) + added == pytest.approx(blended, abs=2e-3)


@BOTH
def test_the_probability_lies_within_its_interval_whatever_is_missing(name: str) -> None:
    rng = np.random.default_rng(1)
    rows = np.stack([VECTOR[name](with_observations(Stay(), made_up(seed)), 1500) for seed in range(20)])
    rows[rng.random(rows.shape) < 0.5] = np.nan
    rows[:, 0] = 25
    chance, low, high = shipped(name).chances(np.vstack([rows, np.full((1, rows.shape[1]), np.nan, np.float32)]))[:3]
    known = slice(0, 20)
    assert np.isfinite(chance[known]).all()
    assert (low[known] < chance[known]).all()
    assert (chance[known] < high[known]).all()
    assert low[known].min() > 0
    assert high[known].max() < 1


def half_widths(name: str) -> NDArray[np.float32]:
    """Of stays of the same hour, in log-odds."""
    rows = np.stack([VECTOR[name](with_observations(Stay(), made_up(seed)), 1500) for seed in range(20)])
    chance, low, high = (np.log(one / (1 - one)) for one in shipped(name).chances(rows))
    np.testing.assert_allclose(high - chance, chance - low, atol=1e-3)
    return np.asarray(high - chance)


def covered(name: str, kind: str) -> list[float]:
    """Measured in cross-validation, of rows by how difficult they look."""
    found = json.loads((MODELS / name / "metrics.json").read_text())["interval"]["covered"]
    return [one[kind] for group, one in found.items() if group.endswith("fifth")]


def test_the_interval_of_dying_is_a_patients_own_and_covers_easy_and_hard_ones_alike() -> None:
    widths = half_widths("icu_mortality")
    assert widths.max() > 1.05 * widths.min()
    assert min(covered("icu_mortality", "adapted")) > 0.87
    assert max(covered("icu_mortality", "adapted")) < 0.93


def test_the_interval_of_sepsis_is_as_wide_for_all() -> None:
    widths = half_widths("sepsis_onset")
    np.testing.assert_allclose(widths, widths.mean(), atol=2e-3)
    assert min(covered("sepsis_onset", "one_for_all")) > 0.85


@BOTH
def test_a_row_is_judged_the_same_alone_and_among_others(name: str) -> None:
    rows = np.stack([VECTOR[name](with_observations(Stay(), made_up(seed)), 1500) for seed in range(5)])
    together = shipped(name).chances(rows)[0][:, 0]
    alone = [shipped(name).chances(row[None])[0][0, 0] for row in rows]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def risk(name: str, known: Stay, minute: float = 24 * 60) -> float:
    return float(shipped(name).chances(VECTOR[name](known, minute)[None])[0][0, 0])


def leading(name: str, known: Stay, other: Stay, minute: float = 24 * 60) -> str:
    """The quantity whose part in the prediction differs most between two stays."""
    parts = [
        {one.name: one.weight for one in drivers(each, minute, NAMES[name], contributed, shown=200)}
        for each in (known, other)
        for contributed in [explanation.contributions(shipped(name).explained, VECTOR[name](each, minute))]
    ]
    names = sorted({*parts[0], *parts[1]})
    return max(names, key=lambda one: abs(parts[0].get(one, 0.0) - parts[1].get(one, 0.0)))


@pytest.mark.parametrize(
    ("quantity", "value"), [("lactate", 9.0), ("bun", 95.0), ("bilirubin", 14.0), ("platelets", 18.0), ("ph", 7.05)]
)
def test_when_only_one_value_changes_it_leads_the_drivers_of_dying(quantity: str, value: float) -> None:
    changed = stay(**{quantity: value})
    assert leading("icu_mortality", changed, stay()) == quantity
    assert risk("icu_mortality", changed) > risk("icu_mortality", stay())


def test_a_deep_coma_raises_the_risk_of_dying() -> None:
    comatose = stay(*[Observed("gcs", 60.0 * hour, 3, f"coma{hour}") for hour in range(12, 24)])
    assert risk("icu_mortality", comatose) > 1.5 * risk("icu_mortality", stay())


def test_a_fever_with_a_fast_pulse_raises_the_risk_of_sepsis() -> None:
    feverish = stay(*[
        Observed(name, 60.0 * hour, value, f"{name}{hour}")
        for hour in range(18, 24)
        for name, value in (("temperature", 39.3), ("heart_rate", 128), ("resp_rate", 30), ("sbp", 92), ("map", 60))
    ])  # fmt: skip
    assert risk("sepsis_onset", feverish) > 1.5 * risk("sepsis_onset", stay())


@BOTH
@pytest.mark.parametrize(
    ("quantity", "mistaken"), [("temperature", 98.6), ("creatinine", 80.0), ("glucose", 6.7), ("fio2", 40.0)]
)
def test_a_last_value_in_another_unit_moves_no_risk_as_a_true_one_would(
    name: str, quantity: str, mistaken: float
) -> None:
    right = {"temperature": 37.0, "creatinine": 80 * 0.011312, "glucose": 6.7 * 18.0156, "fio2": 0.4}[quantity]
    assert risk(name, stay(**{quantity: mistaken})) == pytest.approx(risk(name, stay(**{quantity: right})), abs=1e-6)


@BOTH
def test_an_impossible_last_value_moves_nothing(name: str) -> None:
    assert risk(name, stay(heart_rate=0, temperature=20, ph=3)) == risk(name, stay())


@BOTH
def test_a_corrected_value_gives_the_risk_of_the_right_one(name: str) -> None:
    wrong = usual(lactate=9.0)
    corrected = [*wrong, replace(wrong[-1], value=1.4, rank=(1,))]
    assert risk(name, with_observations(Stay(), corrected)) == risk(name, stay(lactate=1.4))


@BOTH
def test_an_adult_with_nothing_much_wrong_is_no_stranger(name: str) -> None:
    assets = shipped(name).assets
    low, high = (np.array(assets[key], float).astype(np.float32) for key in ("low", "high"))
    share = assets["stranger_share"]
    assert not is_stranger(VECTOR[name](stay(), 1440), low, high, share)
    assert is_stranger(VECTOR[name](stay(), 1440) * 50, low, high, share)


def test_drivers_are_said_with_value_trend_and_age() -> None:
    known = stay(lactate=9.0)
    contributed = explanation.contributions(shipped("icu_mortality").explained, vector_mortality(known, 1440))
    said = drivers(known, 1440, FEATURES_MORTALITY, contributed)
    assert len(said) == 5
    lactate = next(one for one in drivers(known, 1440, FEATURES_MORTALITY, contributed, 99) if one.name == "lactate")
    assert lactate.words(1440) == "lactate 9 mmol/L, up 7.6, 60 min ago"
    assert lactate.weight > 0
