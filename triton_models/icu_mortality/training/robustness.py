"""How icu_mortality bears what goes wrong: other units than it knows, panels never sent, late values, unit errors.

Writes robustness.json; `make train MODEL=icu_mortality ARGS=--robustness` runs it after training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import blend
import card
import measures
import numpy as np
import rows
from numpy.typing import NDArray

from services.fusion.deterioration.features import FEATURES_MORTALITY as NAMES
from services.fusion.deterioration.features import vector_mortality
from services.fusion.deterioration.stay import Held, Observed, Stay, with_observations

HOUR = 48
PANELS = {
    "no blood gas": {"ph", "paco2", "pao2", "sao2_gas", "bicarbonate", "lactate"},
    "no liver panel": {"bilirubin", "ast", "alt", "alp", "albumin", "cholesterol"},
    "no kidney panel": {"creatinine", "bun", "urine_output"},
    "no laboratory at all": {
        "ph", "paco2", "pao2", "sao2_gas", "bicarbonate", "lactate", "bilirubin", "ast", "alt", "alp", "albumin",
        "cholesterol", "creatinine", "bun", "potassium", "sodium", "magnesium", "glucose", "wbc", "haematocrit",
        "platelets", "troponin_i", "troponin_t",
    },
    "no coma scale": {"gcs"},
    "no blood pressure": {"sbp", "dbp", "map"},
}  # fmt: skip
LATE_MINUTES = 180
DISTURBED = 1000  # stays
Observations = list[Observed]
Change = Callable[[Observations], Iterable[Observed]]


def measure(recipe: blend.Recipe, task: blend.Task, fold: NDArray[np.int64]) -> dict[str, Any]:
    """The first fold's patients, disturbed, judged by a model of the other folds; kinds of unit left out in turn."""
    model = blend.fit(task, fold != 0, recipe)
    tested = set(np.unique(task.patient[fold == 0])[:DISTURBED].tolist())
    stays = {record: _observations(stay) for record, stay in rows.stays_2012() if record in tested}
    died = rows.outcomes()["In-hospital_death"]
    label = np.array([died[record] for record in stays], np.int8)
    plain = _chances(model, stays.values())
    found = {"as measured": _against(plain, plain, label)}
    for name, change in CHANGES.items():
        found[name] = _against(_chances(model, [list(change(one)) for one in stays.values()]), plain, label)
    return {"disturbed_at_48_h": found, "unit_left_out": _units(recipe, task, fold)}


def _observations(stay: Stay) -> Observations:
    return [Observed(one.name, one.minute, one.value, key) for key, one in stay.held.items() if _usable(one)]


def _usable(one: Held) -> bool:
    return bool(one.value == one.value)


def _chances(model: blend.Model, stays: Iterable[Observations]) -> NDArray[np.float64]:
    x = np.stack([vector_mortality(with_observations(Stay(), one), 60 * HOUR) for one in stays])
    return model.parts(x).blended(model.recipe.trees_part)


def _against(said: NDArray[np.float64], plain: NDArray[np.float64], label: NDArray[np.int8]) -> dict[str, float]:
    moved = np.abs(said - plain)
    return {
        "auroc": round(measures.auroc(said, label), 4),
        "median_change_of_log_odds": round(float(np.median(moved)), 4),
        "largest_change_of_log_odds": round(float(moved.max()), 4),
    }


def _without(names: set[str]) -> Change:
    return lambda stay: [one for one in stay if one.name not in names]


def _scaled(name: str, change: Callable[[float], float]) -> Change:
    return lambda stay: [replace(one, value=change(one.value)) if one.name == name else one for one in stay]


def _late(stay: Observations) -> Iterable[Observed]:
    return [one for one in stay if one.minute <= 60 * HOUR - LATE_MINUTES]


def _last_is(name: str, value: float) -> Change:
    """A last value that is a slip of a finger or of a probe."""
    return lambda stay: [*stay, Observed(name, 60 * HOUR - 1, value, "slip")]


CHANGES: dict[str, Change] = {
    **{name: _without(names) for name, names in PANELS.items()},
    f"what came in the last {LATE_MINUTES // 60} hours is late": _late,
    "temperatures in degrees Fahrenheit": _scaled("temperature", lambda value: value * 1.8 + 32),
    "glucose in mmol/L": _scaled("glucose", lambda value: value / 18.0156),
    "creatinine in umol/L": _scaled("creatinine", lambda value: value * 88.4),
    "inspired oxygen in percent": _scaled("fio2", lambda value: value * 100),
    "PaCO2 in kPa": _scaled("paco2", lambda value: value / 7.50062),
    "a last pulse of 0": _last_is("heart_rate", 0),
    "a last temperature of 20 degrees": _last_is("temperature", 20),
}


def _units(recipe: blend.Recipe, task: blend.Task, fold: NDArray[np.int64]) -> dict[str, Any]:
    """AUROC at 48 hours in each kind of unit: of a model that never saw the kind, and of the model of all kinds."""
    unit = task.x[:, NAMES.index("icu_type.last")]
    last = ~task.learn & (task.x[:, 0] == HOUR)
    found = {}
    for name, code in (("coronary", 1), ("cardiac surgery", 2), ("medical", 3), ("surgical", 4)):
        tested = last & (unit == code)
        strange = blend.fit(task, unit != code, recipe).parts(task.x[tested]).blended(recipe.trees_part)
        alone = blend.fit(task, (unit == code) & (fold != 0), recipe)
        others = last & (unit != code)
        found[name] = {
            "stays": int(tested.sum()),
            "deaths": int(task.label[tested].sum()),
            "trained_on_the_others": round(measures.auroc(strange, task.label[tested]), 4),
            "trained_on_it_alone_tested_on_the_others": round(
                measures.auroc(alone.parts(task.x[others]).blended(recipe.trees_part), task.label[others]), 4
            ),
        }
    return found


def write(found: dict[str, Any], folder: Path) -> None:
    (folder / "robustness.json").write_text(json.dumps(found, indent=1) + "\n")
    card.fill(folder / "MODEL_CARD.md", {"robustness": _disturbed(found), "units": _left_out(found)})


def _disturbed(found: dict[str, Any]) -> list[str]:
    header = ("", "AUROC, 48 h", "median change of log-odds", "largest")
    return card.table(header, ((name, *one.values()) for name, one in found["disturbed_at_48_h"].items()))


def _left_out(found: dict[str, Any]) -> list[str]:
    header = (
        "kind of unit",
        "stays",
        "deaths",
        "AUROC in it, trained on the others",
        "AUROC in the others, trained on it",
    )
    return card.table(header, ((name, *one.values()) for name, one in found["unit_left_out"].items()))
