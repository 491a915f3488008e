"""What one quantity's measurements say at a minute: newest, how old, how often, how low and high, and whereto. Pure.

Every summary is a tuple as long as its names; NaN where nothing says it. Windows are (minute - length, minute], so that
what lies after the asked minute has no part in any of them.
"""

from bisect import bisect_right
from math import nan, sqrt
from operator import mul

from services.fusion.deterioration.stay import Series

HOUR = 60.0
# "mean6": over the last 6 hours. "delta6": newest less the newest of 6 hours before. slope: least squares, a hour.
VITAL = (
    "last", "age", "n6", "n24", "mean6", "min6", "max6", "mean24", "min24", "max24", "mean48", "min48", "max48", "sd24",
    "delta6", "delta12", "delta24", "slope24",
)  # fmt: skip
LABORATORY = (
    "last", "age", "n24", "n48", "min24", "max24", "mean48", "min48", "max48", "step", "delta24", "rise", "slope48",
)  # fmt: skip
OUTPUT = ("last", "age", "n24", "sum6", "sum12", "sum24", "sum48", "rate")
SUPPORT = ("last", "age", "n24", "begun")

_NO_VITAL = (nan, nan, 0.0, 0.0, *[nan] * (len(VITAL) - 4))
_NO_LABORATORY = (nan, nan, 0.0, 0.0, *[nan] * (len(LABORATORY) - 4))
_NO_OUTPUT = (nan, nan, 0.0, *[nan] * (len(OUTPUT) - 3))
_NO_SUPPORT = (nan, nan, 0.0, nan)

Summary = tuple[float, ...]


def vital(series: Series, minute: float) -> Summary:
    """VITAL of what is measured often. age: hours since the newest; n: measurements; the rest in its unit."""
    minutes, values = series.minutes, series.values
    end = bisect_right(minutes, minute)
    if not end:
        return _NO_VITAL
    last, age = values[end - 1], (minute - minutes[end - 1]) / HOUR
    day = bisect_right(minutes, minute - 1440, 0, end)
    two_days = bisect_right(minutes, minute - 2880, 0, end)
    half_day = bisect_right(minutes, minute - 720, day, end)
    quarter = bisect_right(minutes, minute - 360, half_day, end)
    of_day = values[day:end]
    spread, slope = _spread(of_day), _slope(minutes[day:end], of_day)
    before = tuple(last - values[at - 1] if at > two_days else nan for at in (quarter, half_day, day))
    return (
        last, age, float(end - quarter), float(end - day), *_range(values[quarter:end]), *_range(of_day),
        *_range(values[two_days:end]), spread, *before, slope,
    )  # fmt: skip


def laboratory(series: Series, minute: float) -> Summary:
    """LABORATORY of what is measured now and then.

    step: newest less the one before it; rise: newest less the oldest of 48 hours.
    """
    minutes, values = series.minutes, series.values
    end = bisect_right(minutes, minute)
    if not end:
        return _NO_LABORATORY
    last, age = values[end - 1], (minute - minutes[end - 1]) / HOUR
    day = bisect_right(minutes, minute - 1440, 0, end)
    two_days = bisect_right(minutes, minute - 2880, 0, end)
    if two_days == end:
        return (last, age, *_NO_LABORATORY[2:])
    mean, low, high = _range(values[two_days:end])
    _, day_low, day_high = _range(values[day:end])
    step = last - values[end - 2] if end - 1 > two_days else nan
    since_day = last - values[day - 1] if day > two_days else nan
    return (
        last, age, float(end - day), float(end - two_days), day_low, day_high, mean, low, high, step, since_day,
        last - values[two_days], _slope(minutes[two_days:end], values[two_days:end]),
    )  # fmt: skip


def output(series: Series, minute: float) -> Summary:
    """OUTPUT of what flows out: sums over the last hours, and a rate an hour since the first measurement of the day."""
    minutes, values = series.minutes, series.values
    end = bisect_right(minutes, minute)
    if not end:
        return _NO_OUTPUT
    starts = [bisect_right(minutes, minute - length, 0, end) for length in (360, 720, 1440, 2880)]
    sums = tuple(sum(values[start:end]) if start < end else nan for start in starts)
    day = starts[2]
    hours = (minutes[end - 1] - minutes[day]) / HOUR if day < end else 0.0
    rate = sum(values[day + 1 : end]) / hours if hours >= 1 else nan
    return values[end - 1], (minute - minutes[end - 1]) / HOUR, float(end - day), *sums, rate


def support(series: Series, minute: float) -> Summary:
    """SUPPORT of a treatment that is on or off. begun: hours since it was first recorded as on, among what is kept."""
    minutes, values = series.minutes, series.values
    end = bisect_right(minutes, minute)
    if not end:
        return _NO_SUPPORT
    first = next((at for at, value in zip(minutes[:end], values, strict=False) if value > 0), None)
    begun = nan if first is None else (minute - max(first, minute - 2880)) / HOUR
    count = float(end - bisect_right(minutes, minute - 1440, 0, end))
    return values[end - 1], (minute - minutes[end - 1]) / HOUR, count, begun


def _range(values: tuple[float, ...]) -> tuple[float, float, float]:
    """Mean, lowest, highest."""
    if not values:
        return nan, nan, nan
    return sum(values) / len(values), min(values), max(values)


def _spread(values: tuple[float, ...]) -> float:
    """Standard deviation of two or more."""
    count = len(values)
    if count < 2:  # noqa: PLR2004 - two
        return nan
    mean = sum(values) / count
    return sqrt(max(sum(map(mul, values, values)) / count - mean * mean, 0.0))


def _slope(minutes: tuple[float, ...], values: tuple[float, ...]) -> float:
    """Least squares, a hour; NaN where all were measured at once."""
    count = len(values)
    if count < 2 or minutes[0] == minutes[-1]:  # noqa: PLR2004 - two
        return nan
    total = sum(minutes)
    across = count * sum(map(mul, minutes, minutes)) - total * total
    along = count * sum(map(mul, minutes, values)) - total * sum(values)
    return HOUR * along / across if across > 0 else nan
