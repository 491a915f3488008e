"""One row of numbers a stay and minute: what both models read. Pure.

Only measurements of the asked minute or earlier have a part in a row; the order in which they arrived has none. NaN is
"not measured", which the models read as such: nothing is imputed.
"""

from collections.abc import Callable, Mapping
from math import nan

import numpy as np
from numpy.typing import NDArray

from services.fusion.deterioration import severity
from services.fusion.deterioration.stay import EMPTY, Series, Stay
from services.fusion.deterioration.summaries import (
    HOUR,
    LABORATORY,
    OUTPUT,
    SUPPORT,
    VITAL,
    Summary,
    laboratory,
    output,
    support,
    vital,
)
from services.fusion.deterioration.variables import BY_NAME

_KINDS: Mapping[str, tuple[tuple[str, ...], Callable[[Series, float], Summary]]] = {
    "vital": (VITAL, vital),
    "laboratory": (LABORATORY, laboratory),
    "output": (OUTPUT, output),
    "support": (SUPPORT, support),
}
_VITALS = ("heart_rate", "resp_rate", "sbp", "dbp", "map", "temperature", "fio2")
_LABORATORY = (
    "ph", "paco2", "pao2", "sao2_gas", "bicarbonate", "lactate", "potassium", "magnesium", "creatinine", "bun",
    "glucose", "bilirubin", "ast", "alp", "wbc", "haematocrit", "platelets", "troponin_i",
)  # fmt: skip
_KIND_OF_MORTALITY = {
    **dict.fromkeys((*_VITALS, "gcs"), "vital"),
    "urine_output": "output",
    "mech_vent": "support",
    **dict.fromkeys((*_LABORATORY, "sodium", "albumin", "alt", "cholesterol", "troponin_t"), "laboratory"),
}
_KIND_OF_SEPSIS = {
    **dict.fromkeys((*_VITALS, "spo2", "etco2"), "vital"),
    **dict.fromkeys(
        (*_LABORATORY, "base_excess", "chloride", "calcium", "calcium_ionised", "phosphate", "bilirubin_direct",
         "haemoglobin", "ptt", "fibrinogen"),
        "laboratory",
    ),
}  # fmt: skip
_PERSON = ("age", "sex", "icu_type", "weight", "height", "body_mass_index", "hours_in_hospital")
_DERIVED = (
    "shock_index.last", "shock_index.mean24", "pulse_pressure.last", "map_calculated.last", "spo2_fio2.last",
    "pao2_fio2.last", "pao2_fio2.worst24", "bun_creatinine.last", "urine_per_kg.rate24",
    "news2.last", "news2.worst24", "qsofa.last", "qsofa.worst24", "sirs.last", "sirs.worst24", "sofa.last",
    "sofa.worst24", "saps.worst24",
    "measured.names6", "measured.names24", "measured.values6", "measured.values24", "measured.laboratory24",
    "measured.laboratory_age",
)  # fmt: skip
CLOCK = "clock.hours"


def _names(kinds: Mapping[str, str]) -> tuple[str, ...]:
    measured = [f"{name}.{part}" for name, kind in kinds.items() for part in _KINDS[kind][0]]
    return (CLOCK, *(f"{name}.last" for name in _PERSON), *_DERIVED, *measured)


FEATURES_MORTALITY = _names(_KIND_OF_MORTALITY)
FEATURES_SEPSIS = _names(_KIND_OF_SEPSIS)


def vector_mortality(stay: Stay, minute: float) -> NDArray[np.float32]:
    """[len(FEATURES_MORTALITY)] of the stay at a minute since admission."""
    return _vector(_KIND_OF_MORTALITY, stay, minute)


def vector_sepsis(stay: Stay, minute: float) -> NDArray[np.float32]:
    """[len(FEATURES_SEPSIS)] of the stay at a minute since admission."""
    return _vector(_KIND_OF_SEPSIS, stay, minute)


def variable_of(feature: str) -> str:
    """The quantity that a feature tells of: "lactate" of "lactate.slope48"."""
    return feature.partition(".")[0]


def _vector(kinds: Mapping[str, str], stay: Stay, minute: float) -> NDArray[np.float32]:
    series = stay.series
    summaries = {name: _KINDS[kind][1](series.get(name, EMPTY), minute) for name, kind in kinds.items()}
    person = _person(stay, minute)
    row = [minute / HOUR, *person.values(), *_derived(kinds, summaries, person)]
    for summary in summaries.values():
        row.extend(summary)
    return np.array(row, np.float32)


def _person(stay: Stay, minute: float) -> dict[str, float]:
    stated = {"age": stay.age, "sex": stay.sex, "icu_type": stay.unit}
    known = {}
    for name in _PERSON:
        series = stay.series.get(name, EMPTY)
        known[name] = _newest(series, minute, stated.get(name, nan))
    known["body_mass_index"] = _ratio(known["weight"], (known["height"] / 100) ** 2)
    return known


def _newest(series: Series, minute: float, otherwise: float) -> float:
    for at, value in zip(reversed(series.minutes), reversed(series.values), strict=True):
        if at <= minute:
            return value
    return otherwise


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else nan


def _derived(kinds: Mapping[str, str], summaries: Mapping[str, Summary], person: Mapping[str, float]) -> list[float]:
    """Values of _DERIVED, in order."""
    part = {name: dict(zip(_KINDS[kind][0], summaries[name], strict=True)) for name, kind in kinds.items()}
    last = {name: of["last"] for name, of in part.items()}
    fio2 = last["fio2"] if last["fio2"] == last["fio2"] else 0.21
    gas = _ratio(last["pao2"], fio2)
    worst_gas = _ratio(part["pao2"]["min24"], part["fio2"]["max24"] if part["fio2"]["n24"] else 0.21)
    urine = part["urine_output"]["rate"] if "urine_output" in part else nan
    return [
        _ratio(last["heart_rate"], last["sbp"]),
        _ratio(part["heart_rate"]["mean24"], part["sbp"]["mean24"]),
        last["sbp"] - last["dbp"],
        last["dbp"] + (last["sbp"] - last["dbp"]) / 3,
        _ratio(last["spo2"], fio2) if "spo2" in last else _ratio(last["sao2_gas"], fio2),
        gas,
        worst_gas,
        _ratio(last["bun"], last["creatinine"]),
        _ratio(urine, person["weight"]),
        *_scores(part, last, gas, worst_gas, person["age"]),
        *_measured(kinds, part),
    ]


def _scores(
    part: Mapping[str, Mapping[str, float]], last: Mapping[str, float], gas: float, worst_gas: float, age: float
) -> list[float]:
    now = {name: (value, value) for name, value in last.items()} | {"pao2_fio2": (gas, gas)}
    day = {name: (of["min24"], of["max24"]) for name, of in part.items() if "min24" in of}
    day |= {"pao2_fio2": (worst_gas, worst_gas), "age": (age, age)}
    if "urine_output" in part:
        day["urine"] = (part["urine_output"]["sum24"],) * 2
    tables = (severity.NEWS2, severity.QSOFA, severity.SIRS, severity.SOFA)
    both = [severity.total(table, bounds) for table in tables for bounds in (now, day)]
    return [*both, severity.total(severity.SAPS, day)]


def _measured(kinds: Mapping[str, str], part: Mapping[str, Mapping[str, float]]) -> list[float]:
    """How much was measured: of how many names, how many values, and how long ago laboratory values came."""
    quick = [of["n6"] for of in part.values() if "n6" in of]
    slow = [part[name] for name, kind in kinds.items() if kind == "laboratory"]
    recent = [of for of in slow if of["age"] < 6]  # noqa: PLR2004 - hours
    ages = [of["age"] for of in slow if of["n48"]]
    return [
        float(sum(count > 0 for count in quick) + len(recent)),
        float(sum(of["n24"] > 0 for of in part.values())),
        float(sum(quick) + len(recent)),
        float(sum(of["n24"] for of in part.values())),
        float(sum(of["n24"] for of in slow)),
        min(ages, default=nan),
    ]


assert all(name in BY_NAME for name in (*_KIND_OF_MORTALITY, *_KIND_OF_SEPSIS))
