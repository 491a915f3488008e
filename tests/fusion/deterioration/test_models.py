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


def calibrated(name: str, blended: float, hours: float) -> float:
    """Log-odds, by the curve in the assets."""
    curve = shipped(name).assets["calibration"]
    if name == "icu_mortality":
        early = exp(-hours / 12) * (curve["early"] + curve["early_slope"] * blended)
        return float(curve["slope"] * blended + curve["offset"] + early)
    over = log(1 + exp(blended - curve["at"]))
    return float(curve["offset"] + curve["below"] * (blended - over) + curve["above"] * over)


@BOTH
@pytest.mark.parametrize("seed", range(8))
def test_what_is_explained_is_what_the_model_says(name: str, seed: int) -> None:
    model = shipped(name)
    row = VECTOR[name](with_observations(Stay(), made_up(seed)), 1500)
    blended = explanation.log_odds(model.explained, row)
    chance = float(model.chances(row[None])[0][0, 0])
    assert log(chance / (1 - chance)) == pytest.approx(calibrated(name, blended, 25), abs=1e-3)
    added = explanation.contributions(model.explained, row).sum()
    exact = {"icu_mortality": 2e-3, "sepsis_onset": 1e-9}[name]  # networks by integrated gradients; trees alone
    assert explanation.start(model.explained) + added == pytest.approx(blended, abs=exact)


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


def ends(name: str) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Of stays of the same hour: their rows, and the log-odds of what is said and of both ends of its interval."""
    rows = np.stack([VECTOR[name](with_observations(Stay(), made_up(seed)), 1500) for seed in range(20)])
    return rows, [np.log(one / (1 - one))[:, 0] for one in shipped(name).chances(rows)]


def covered(name: str, kind: str) -> list[float]:
    """Measured in cross-validation, of rows by how difficult they look."""
    found = json.loads((MODELS / name / "metrics.json").read_text())["interval"]["covered"]
    return [one[kind] for group, one in found.items() if group.endswith("fifth")]


def test_the_interval_of_dying_is_a_patients_own_and_covers_easy_and_hard_ones_alike() -> None:
    _, (chance, low, high) = ends("icu_mortality")
    np.testing.assert_allclose(high - chance, chance - low, atol=1e-3)
    assert (high - chance).max() > 1.05 * (high - chance).min()
    assert min(covered("icu_mortality", "adapted")) > 0.87
    assert max(covered("icu_mortality", "adapted")) < 0.93


def test_the_interval_of_sepsis_is_as_wide_for_all_before_calibration() -> None:
    rows, (_, low, high) = ends("sepsis_onset")
    model = shipped("sepsis_onset")
    width = model.assets["calibration"]["interval_factor"]
    blended = [explanation.log_odds(model.explained, row) for row in rows]
    np.testing.assert_allclose(low, [calibrated("sepsis_onset", one - width, 25) for one in blended], atol=1e-3)
    np.testing.assert_allclose(high, [calibrated("sepsis_onset", one + width, 25) for one in blended], atol=1e-3)
    assert min(covered("sepsis_onset", "one_for_all")) > 0.85


def test_the_calibration_of_sepsis_rises() -> None:
    curve = [calibrated("sepsis_onset", blended, 25) for blended in np.linspace(-12, 4, 50).tolist()]
    assert np.diff(curve).min() > 0


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
