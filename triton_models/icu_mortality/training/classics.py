"""Bedside scores and models beside each other: discrimination, alarms at equal sensitivity, time before the event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import measures
import numpy as np
from measures import Floats, Labels
from numpy.typing import NDArray

# Features that are, or make, a score that people know. Where nothing was measured it is 0, as at the bedside.
SCORES = {
    "NEWS2": "news2.last",
    "qSOFA": "qsofa.last",
    "SIRS": "sirs.last",
    "SOFA, worst of 24 h": "sofa.worst24",
    "SAPS-I, worst of 24 h": "saps.worst24",
    "shock index": "shock_index.last",
}


def scores(x: NDArray[np.float32], names: tuple[str, ...]) -> dict[str, Floats]:
    """[rows] of each classic score."""
    return {said: np.nan_to_num(x[:, names.index(name)].astype(np.float64)) for said, name in SCORES.items()}


def compared(
    every: Mapping[str, Floats], label: Labels, patient: NDArray[np.int64], draws: int = measures.DRAWS
) -> dict[str, Any]:
    """Discrimination of each score on the same rows."""
    return {name: measures.discrimination(score, label, patient, draws) for name, score in every.items()}


def alarms(
    every: Mapping[str, Floats],
    patient: NDArray[np.int64],
    minute: NDArray[np.int64],
    wanted: NDArray[np.bool_],
    asked: float,
) -> dict[str, Any]:
    """At the threshold where `asked` of the patients with wanted rows have an alarm in one of them.

    wanted: rows in which an alarm is in time. alerts: beginnings of alarms, of all patients, for 100 patient-days.
    """  # fmt: skip
    starts = np.flatnonzero(np.r_[True, patient[1:] != patient[:-1]])
    days = (np.maximum.reduceat(minute, starts) - np.minimum.reduceat(minute, starts) + 60).sum() / 1440
    found = {}
    for name, score in every.items():
        highest = np.maximum.reduceat(np.where(wanted, score, -np.inf), starts)
        highest = highest[np.isfinite(highest)]
        threshold = float(np.quantile(highest, 1 - asked, method="lower"))
        alarm = score >= threshold
        found[name] = {
            "threshold": round(threshold, 4),
            "sensitivity_of_patients": round(float((highest >= threshold).mean()), 4),
            "alerts_per_100_patient_days": round(100 * measures.onsets(alarm, patient) / days, 2),
            "hours_in_alarm_share": round(float(alarm.mean()), 4),
        }
    return found


def first_alarms(alarm: NDArray[np.bool_], patient: NDArray[np.int64], minute: NDArray[np.int64]) -> Floats:
    """Minute of the first alarm of each patient, in order; NaN for none."""
    starts = np.flatnonzero(np.r_[True, patient[1:] != patient[:-1]])
    first = np.minimum.reduceat(np.where(alarm, minute, np.iinfo(np.int64).max), starts).astype(float)
    return np.where(np.maximum.reduceat(alarm, starts), first, np.nan)
