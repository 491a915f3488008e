"""Normalised parts of a prescription as a clinician writes them."""

from collections.abc import Mapping

from vigil.v1.notes_pb2 import EntityAttribute

# UCUM as people write it.
WRITTEN: Mapping[str, str] = {"ug": "mcg"}
# What is counted, of one; others stand in curly brackets ("{patch}").
COUNTED: Mapping[str, str] = {
    "[iU]": "unit",
    "{tbl}": "tablet",
    "[drp]": "drop",
    "[tsp_us]": "teaspoon",
    "[tbs_us]": "tablespoon",
}
PERIODS: Mapping[str, str] = {"h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year"}
TIMES: Mapping[float, str] = {1: "once", 2: "twice"}
DAYS_OF_A_WEEK = 7
OTHER_DAY = 0.5


def spoken(attribute: EntityAttribute) -> str:
    """E.g. "0.25 mcg/kg/min", "twice a day", "7 days"; the value itself where there is no other way."""
    if attribute.name == "frequency":
        return _frequency(attribute)
    if attribute.name in {"dose", "duration"} and attribute.unit:
        return f"{attribute.value.removesuffix(attribute.unit)}{_unit(attribute)}"
    return attribute.value


def _unit(attribute: EntityAttribute) -> str:
    many = "" if attribute.amount == 1 and not attribute.HasField("amount_high") else "s"
    if attribute.name == "duration":
        return f"{PERIODS[attribute.unit]}{many}" if attribute.unit in PERIODS else attribute.unit
    counted, *rest = attribute.unit.split("/")
    if counted in COUNTED or counted.startswith("{"):
        counted = f"{COUNTED.get(counted, counted.strip('{}'))}{many}"
    return "/".join(WRITTEN.get(part, part.strip("{}[]")) for part in (counted, *rest))


def _frequency(attribute: EntityAttribute) -> str:
    needed = "as needed" if attribute.as_needed else ""
    if not attribute.HasField("times_per_day"):
        return needed or attribute.value
    least, most = attribute.times_per_day, attribute.times_per_day_high or attribute.times_per_day
    return f"{_times(least, most)} {needed}".rstrip()


def _times(least: float, most: float) -> str:
    if least != most:
        return f"{least:g} to {most:g} times a day"
    if least >= 1 or least <= 0:
        return f"{TIMES.get(least, f'{least:g} times')} a day"
    if least == OTHER_DAY:
        return "every other day"
    in_a_week = round(least * DAYS_OF_A_WEEK, 2)
    if in_a_week in {1, 2, 3, 4, 5, 6}:
        return f"{TIMES.get(in_a_week, f'{in_a_week:g} times')} a week"
    return f"every {round(1 / least)} days"
