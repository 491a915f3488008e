"""Which quantities carried a prediction, in a clinician's words. Pure."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

from services.fusion.deterioration.attribution import Floats, by_group
from services.fusion.deterioration.features import variable_of
from services.fusion.deterioration.stay import EMPTY, Stay
from services.fusion.deterioration.variables import BY_NAME, UNITS_SPOKEN

SHOWN = 5
TREND_MINUTES = 24 * 60
_DERIVED_SPOKEN = {
    "clock": "time since admission",
    "shock_index": "shock index",
    "pulse_pressure": "pulse pressure",
    "map_calculated": "mean arterial pressure",
    "spo2_fio2": "saturation over inspired oxygen",
    "pao2_fio2": "PaO2 over inspired oxygen",
    "bun_creatinine": "urea nitrogen over creatinine",
    "urine_per_kg": "urine for the body's weight",
    "body_mass_index": "body mass index",
    "news2": "vital signs as NEWS2 counts them",
    "qsofa": "signs as qSOFA counts them",
    "sirs": "signs as SIRS counts them",
    "sofa": "organ functions as SOFA counts them",
    "saps": "signs as SAPS counts them",
    "measured": "how much was measured",
}
_UNITS_SPOKEN = {"mm[Hg]": "mmHg", "Cel": "°C", "10*9/L": "10⁹/L", "a": "years", "1": ""}


@dataclass(frozen=True, slots=True)
class Driver:
    """One quantity's part in a prediction. weight: log-odds, above 0 towards the event.

    value: newest, in `unit`; NaN for what is not one measurement. minute: when it was measured. change: since the
    newest of 24 hours earlier, or since the first one; NaN without another. observation_id: of the newest measurement.
    """

    name: str
    spoken: str
    weight: float
    value: float = nan
    unit: str = ""
    minute: float = nan
    change: float = nan
    observation_id: str = ""

    def words(self, now: float) -> str:
        """As "lactate 6.2 mmol/L, up 2.1, 40 min ago"; for what was not measured, that it was not."""
        if self.value != self.value:
            return f"{self.spoken} not measured" if self.name in BY_NAME else self.spoken
        if self.name == "sex":
            return "male" if self.value else "female"
        if self.name == "icu_type":
            return f"{UNITS_SPOKEN[self.value]} intensive care"
        shown = f"{self.spoken} {self.value:.4g} {_UNITS_SPOKEN.get(self.unit, self.unit)}".strip()
        shown = shown.removesuffix(" {score}").removesuffix(" [pH]").removesuffix(" {bool}")
        return ", ".join(part for part in (shown, self._trend(), self._ago(now)) if part)

    def _trend(self) -> str:
        if self.change != self.change or not self.change:
            return ""
        return f"{'up' if self.change > 0 else 'down'} {abs(self.change):.3g}"

    def _ago(self, now: float) -> str:
        if self.name in {"age", "weight", "height", "hours_in_hospital"}:
            return ""
        minutes = now - self.minute
        return f"{minutes:.0f} min ago" if minutes < 120 else f"{minutes / 60:.0f} h ago"  # noqa: PLR2004 - two hours


def drivers(stay: Stay, minute: float, names: Sequence[str], contributed: Floats, shown: int = SHOWN) -> list[Driver]:
    """The quantities with most weight either way, the most first. names, contributed: [features]."""
    weights = by_group(contributed, [variable_of(name) for name in names])
    leading = sorted(weights.items(), key=lambda item: (-abs(item[1]), item[0]))[:shown]
    return [_driver(stay, minute, name, weight) for name, weight in leading if weight]


def _driver(stay: Stay, minute: float, name: str, weight: float) -> Driver:
    variable = BY_NAME.get(name)
    if variable is None:
        return Driver(name, _DERIVED_SPOKEN.get(name, name.replace("_", " ")), weight)
    series = stay.series.get(name, EMPTY)
    end = bisect_right(series.minutes, minute)
    if not end:
        return Driver(name, variable.spoken, weight, _stated(stay).get(name, nan), variable.unit)
    earlier = max(bisect_right(series.minutes, minute - TREND_MINUTES, 0, end) - 1, 0)
    change = series.values[end - 1] - series.values[earlier] if earlier < end - 1 else nan
    at = end - 1
    return Driver(
        name, variable.spoken, weight, series.values[at], variable.unit, series.minutes[at], change, series.ids[at]
    )


def _stated(stay: Stay) -> Mapping[str, float]:
    return {"age": stay.age, "sex": stay.sex, "icu_type": stay.unit}
