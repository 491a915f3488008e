"""When a model does not answer, and why: adults, from the first hour on, with something measured. Pure."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.fusion.deterioration.stay import EMPTY, Stay
from services.fusion.deterioration.variables import BY_NAME

ADULT_YEARS = 16
OLDEST_YEARS = 100
DAY = 1440
NOT_MEASURED = frozenset({"age", "sex", "weight", "height", "icu_type", "hours_in_hospital"})


@dataclass(frozen=True, slots=True)
class Scope:
    """What a model was trained on.

    first, last: minutes since admission. names: how many quantities measured in the last 24 hours it takes to answer.
    """

    model: str
    first: int
    last: int
    names: int


MORTALITY = Scope("icu_mortality", first=60, last=48 * 60, names=3)
SEPSIS = Scope("sepsis_onset", first=60, last=336 * 60, names=3)
SCOPES: Mapping[str, Scope] = {one.model: one for one in (MORTALITY, SEPSIS)}


def abstain(stay: Stay, minute: float, scope: Scope = MORTALITY) -> str:
    """Why the model does not answer for this minute, as a person reads it; empty when it does."""
    age = _age(stay, minute)
    if age < ADULT_YEARS:
        return f"under {ADULT_YEARS} years of age"
    if age > OLDEST_YEARS:
        return f"over {OLDEST_YEARS} years of age: nobody of that age was in the training data"
    if minute < scope.first:
        return "less than an hour since admission"
    if minute > scope.last:
        return f"more than {scope.last // 60} hours since admission: the training data end there"
    return _too_little(stay, minute, scope)


def _age(stay: Stay, minute: float) -> float:
    series = stay.series.get("age", EMPTY)
    end = bisect_right(series.minutes, minute)
    return series.values[end - 1] if end else stay.age


def _too_little(stay: Stay, minute: float, scope: Scope) -> str:
    measured = [name for name in BY_NAME if name not in NOT_MEASURED and _measured(stay, name, minute)]
    if len(measured) >= scope.names:
        return ""
    heard = ", ".join(BY_NAME[name].spoken for name in measured) or "nothing"
    return f"too little measured in the last 24 hours: {heard}"


def _measured(stay: Stay, name: str, minute: float) -> bool:
    """Whether within the last 24 hours."""
    minutes = stay.series.get(name, EMPTY).minutes
    return bisect_right(minutes, minute - DAY) < bisect_right(minutes, minute)


def outside(row: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32]) -> NDArray[np.intp]:
    """Columns whose value lies outside what the training population had. row, low, high: [n]; NaN is inside."""
    return np.flatnonzero((row < low) | (row > high))


def is_stranger(row: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32], share: float) -> bool:
    """Whether more than `share` of what was measured lies outside of the training population."""
    known = np.count_nonzero(~np.isnan(row))
    return bool(known) and len(outside(row, low, high)) > share * known
