"""Rows of both PhysioNet challenges, made by the functions of the live service from one value after the other."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from services.fusion.deterioration import features
from services.fusion.deterioration.stay import Observed, Stay, with_observations

REPOSITORY = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("VIGIL_TRAINING_DATA", REPOSITORY.parent / "shared" / "data"))
CACHE = REPOSITORY / "var" / "risk"
SEED = 20261128
HOURS_REPORTED = (1, 2, 3, 6, 9, 12, 18, 24, 30, 36, 42, 48)
RANDOM_CUTS = 6
LAST_MINUTE = 2880
COLUMNS_2019 = [
    "HR", "O2Sat", "Temp", "SBP", "MAP", "DBP", "Resp", "EtCO2", "BaseExcess", "HCO3", "FiO2", "pH", "PaCO2", "SaO2",
    "AST", "BUN", "Alkalinephos", "Calcium", "Chloride", "Creatinine", "Bilirubin_direct", "Glucose", "Lactate",
    "Magnesium", "Phosphate", "Potassium", "Bilirubin_total", "TroponinI", "Hct", "Hgb", "PTT", "WBC", "Fibrinogen",
    "Platelets", "Age", "Gender", "Unit1", "Unit2", "HospAdmTime",
]  # fmt: skip
STATIC_2019 = frozenset({"Age", "Gender", "Unit1", "Unit2", "HospAdmTime"})


@dataclass(frozen=True, slots=True)
class Rows:
    """x: [rows, features] float32, NaN not measured. patient: of each row. minute: since admission. label: 0 or 1.

    drawn: whether the minute was drawn at random (training) or is one of the reported hours.
    """

    x: NDArray[np.float32]
    patient: NDArray[np.int64]
    minute: NDArray[np.int64]
    label: NDArray[np.int8]
    drawn: NDArray[np.bool_]

    def where(self, chosen: NDArray[np.bool_]) -> Rows:
        return Rows(self.x[chosen], self.patient[chosen], self.minute[chosen], self.label[chosen], self.drawn[chosen])


def mortality() -> Rows:
    """Sets a and b of 2012: the reported hours of each stay, and minutes drawn evenly from the first hour to 48 h."""
    return _cached("mortality", _mortality)


def sepsis() -> Rows:
    """Every hour of 2019. minute is 60 x ICULOS; label is SepsisLabel (from six hours before onset on)."""
    return _cached("sepsis", _sepsis)


def outcomes() -> pd.DataFrame:
    """Outcomes of 2012, by record_id: SAPS-I, SOFA (-1 where not given), In-hospital_death."""
    return pd.concat(pd.read_csv(DATA / "icu2012" / f"outcomes_{one}.csv") for one in "ab").set_index("RecordID")


def stays_2012() -> Iterator[tuple[int, Stay]]:
    """Record and its stay at 48 hours."""
    for one in "ab":
        table = pd.read_parquet(DATA / "icu2012" / f"set_{one}.parquet")
        for record, group in table.groupby("record_id", sort=True):
            rows = zip(group.minute.tolist(), group.parameter.tolist(), group.value.tolist(), strict=True)
            observed = (Observed(name, minute, value, str(at)) for at, (minute, name, value) in enumerate(rows))
            yield int(record), with_observations(Stay(), observed)


def hours_2019() -> Iterator[tuple[int, int, int, Stay]]:
    """Patient number, ICULOS, SepsisLabel, and the stay as it was known then, hour after hour."""
    table = pd.read_parquet(DATA / "sepsis2019" / "train.parquet")
    for patient, group in table.groupby("patient", sort=True):
        stay = Stay()
        hours, labels = group.ICULOS.astype(int).tolist(), group.SepsisLabel.astype(int).tolist()
        values = group[COLUMNS_2019].to_numpy(np.float64)
        for at, (hour, label) in enumerate(zip(hours, labels, strict=True)):
            stay = with_observations(stay, _hour(values[at], hour, first=at == 0))
            yield int(str(patient).lstrip("p")), hour, label, stay


def _hour(values: Sequence[float], hour: int, *, first: bool) -> Iterator[Observed]:
    for name, value in zip(COLUMNS_2019, values, strict=True):
        if value == value and (first or name not in STATIC_2019):  # noqa: PLR0124 - not NaN
            yield Observed(name, 60 * hour, float(value), f"{name}.{hour}")


def _mortality() -> Rows:
    died = outcomes()["In-hospital_death"]
    rng = np.random.default_rng(SEED)
    x, meta = [], []
    for record, stay in stays_2012():
        drawn = np.sort(rng.integers(60, LAST_MINUTE + 1, RANDOM_CUTS))
        minutes = [*((60 * hour, 0) for hour in HOURS_REPORTED), *((int(minute), 1) for minute in drawn)]
        for minute, is_drawn in minutes:
            x.append(features.vector_mortality(stay, minute))
            meta.append((record, minute, int(died[record]), is_drawn))
    return _rows(x, meta)


def _sepsis() -> Rows:
    x, meta = [], []
    for patient, hour, label, stay in hours_2019():
        x.append(features.vector_sepsis(stay, 60 * hour))
        meta.append((patient, 60 * hour, label, 1))
    return _rows(x, meta)


def _rows(x: list[NDArray[np.float32]], meta: list[tuple[int, int, int, int]]) -> Rows:
    patient, minute, label, drawn = np.array(meta).T
    return Rows(np.stack(x), patient, minute, label.astype(np.int8), drawn.astype(bool))


def _cached(name: str, make: object) -> Rows:
    """Rows of this state of the feature code, from the cache if it has them."""
    code = sorted(Path(features.__file__).parent.glob("*.py"))
    kept = [one for one in code if one.stem in {"variables", "stay", "summaries", "severity", "features"}]
    syntax = "".join(ast.dump(ast.parse(one.read_text(encoding="utf-8"))) for one in (*kept, Path(__file__)))
    digest = hashlib.sha256(syntax.encode()).hexdigest()[:12]
    path = CACHE / f"{name}-{digest}.npz"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        made = make()
        np.savez(path, x=made.x, patient=made.patient, minute=made.minute, label=made.label, drawn=made.drawn)
    with np.load(path) as held:
        return Rows(*(held[field] for field in ("x", "patient", "minute", "label", "drawn")))
