"""The utility of alarms about sepsis, from its definition (Reyna et al., Crit Care Med 2020;48:210, supplement).

Sepsis begins six hours after the first positive label. An alarm is worth nothing until twelve hours before that, then
rises to 1 six hours before and falls to 0 three hours after; earlier, and in patients without sepsis, it costs 0.05.
Silence costs nothing until six hours before onset, then up to 2 three hours after. Later hours do not count. Normalised
so that silence is 0 and the best possible alarms are 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EARLIEST, BEST, LATEST = -12.0, -6.0, 3.0  # hours from onset
MOST, COST_OF_SILENCE, COST_OF_FALSE_ALARM = 1.0, -2.0, -0.05

Floats = NDArray[np.float64]


def worth(labels: NDArray[np.int8]) -> tuple[Floats, Floats]:
    """Of each hour of one patient, in order: what an alarm is worth, and what silence is. labels: SepsisLabel."""
    hours = np.arange(len(labels))
    if not labels.any():
        return np.full(len(labels), COST_OF_FALSE_ALARM), np.zeros(len(labels))
    since = hours - (int(np.argmax(labels)) - BEST)
    rising = np.maximum(MOST * (since - EARLIEST) / (BEST - EARLIEST), COST_OF_FALSE_ALARM)
    falling = MOST * (LATEST - since) / (LATEST - BEST)
    alarm = np.where(since <= BEST, rising, falling)
    silence = np.where(since <= BEST, 0.0, COST_OF_SILENCE * (since - BEST) / (LATEST - BEST))
    counts = since <= LATEST
    return np.where(counts, alarm, 0.0), np.where(counts, silence, 0.0)


def table(patient: NDArray[np.int64], label: NDArray[np.int8]) -> tuple[Floats, Floats]:
    """`worth` of rows that are sorted by patient and hour."""
    starts = np.flatnonzero(np.r_[True, patient[1:] != patient[:-1]])
    parts = [worth(label[a:b]) for a, b in zip(starts, [*starts[1:], len(patient)], strict=True)]
    return np.concatenate([one for one, _ in parts]), np.concatenate([other for _, other in parts])


def utility(alarms: NDArray[np.bool_], alarm: Floats, silence: Floats) -> float:
    """Normalised utility of alarms; alarm, silence: of `table`."""
    best, inaction = float(np.maximum(alarm, silence).sum()), float(silence.sum())
    return (float(np.where(alarms, alarm, silence).sum()) - inaction) / (best - inaction)


def best_threshold(score: Floats, alarm: Floats, silence: Floats) -> tuple[float, float]:
    """The threshold (alarm from it on) with the highest utility on these rows, and that utility."""
    order = np.argsort(-score, kind="stable")
    gained = np.cumsum((alarm - silence)[order])
    ends = np.flatnonzero(np.r_[score[order][1:] != score[order][:-1], True])
    at = ends[int(np.argmax(gained[ends]))]
    best, inaction = float(np.maximum(alarm, silence).sum()), float(silence.sum())
    return float(score[order][at]), float(gained[at]) / (best - inaction)
