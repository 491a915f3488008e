"""What is known of one stay in intensive care, and how an observation changes it. Pure.

The same observation twice changes nothing, and the order of arrival does not matter: of several accounts of one
observation the highest rank counts. Times are minutes since admission to the unit. Measurements of the last 96 hours
before the newest are kept, and of each name the newest before them; so what `features.vector` says of any minute of the
last 48 hours rests on all it needs. (A correction carries the time of what it corrects, as ours do.)
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import isnan, nan

from services.fusion.deterioration.variables import IMPOSSIBLE, read

KEPT_MINUTES = 96 * 60
WITHDRAWN = "withdrawn"

Rank = tuple[int | bool | str, ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """One account of one observation. name: ours or a PhysioNet column. minute: since admission.

    value: NaN withdraws it. rank: of several accounts of one `observation_id` the highest counts; all ranks of a stay
    are of one shape.
    """

    name: str
    minute: float
    value: float
    observation_id: str
    rank: Rank = (0,)


@dataclass(frozen=True, slots=True)
class Held:
    """An account as it is kept. name and value: ours.

    value: NaN when no model may use it. remark: why, or from what unit it was converted.
    """

    name: str
    minute: float
    value: float
    rank: Rank
    remark: str = ""

    @property
    def order(self) -> tuple[Rank, float, bool, float]:
        """Which of two accounts counts; the values decide between equal ranks, so that arrival does not."""
        usable = not isnan(self.value)
        return self.rank, self.minute, usable, self.value if usable else 0.0


@dataclass(frozen=True, slots=True)
class Series:
    """Usable measurements of one name, by time, then value, then id. minutes, values and ids are of one length."""

    minutes: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    ids: tuple[str, ...] = ()


EMPTY = Series()


@dataclass(frozen=True, slots=True)
class Stay:
    """One stay. held: by observation id. series: by our name. newest: minute of the newest usable measurement, or NaN.

    age: years. sex: 1 male, 0 female. unit: 1 coronary, 2 cardiac surgery, 3 medical, 4 surgical intensive care; NaN
    when not known. What was observed (`age`, `sex`, `icu_type`) goes before these.
    """

    age: float = nan
    sex: float = nan
    unit: float = nan
    held: Mapping[str, Held] = field(default_factory=dict)
    series: Mapping[str, Series] = field(default_factory=dict)
    newest: float = nan

    def remarks(self) -> Mapping[str, int]:
        """How many of the kept observations were impossible, withdrawn, or came in another unit, by remark."""
        return Counter(one.remark for one in self.held.values() if one.remark)

    def impossible(self) -> Mapping[str, int]:
        """How many values were kept out as impossible, by name."""
        return Counter(one.name for one in self.held.values() if one.remark == IMPOSSIBLE)


def with_observation(stay: Stay, observed: Observed) -> Stay:
    """The stay that also knows `observed`; the very same stay when it adds nothing."""
    return with_observations(stay, (observed,))


def with_observations(stay: Stay, observed: Iterable[Observed]) -> Stay:
    """As `with_observation` for each, in any order, at a fraction of the time."""
    held = dict(stay.held)
    touched: set[str] = set()
    for one in observed:
        account = _held(one)
        known = held.get(one.observation_id)
        if account is None or (known is not None and known.order >= account.order):
            continue
        held[one.observation_id] = account
        touched.update((account.name,) if known is None else (account.name, known.name))
    return _changed(stay, held, touched) if touched else stay


def _held(observed: Observed) -> Held | None:
    taken = read(observed.name, observed.value)
    if taken is None:
        return None
    remark = taken.remark or (WITHDRAWN if isnan(taken.value) else "")
    return Held(taken.name, observed.minute, taken.value, observed.rank, remark)


def _changed(stay: Stay, held: dict[str, Held], touched: set[str]) -> Stay:
    series = dict(stay.series)
    by_name: dict[str, list[tuple[float, float, str]]] = {name: [] for name in touched}
    for key, one in held.items():
        if one.name in touched and not isnan(one.value):
            by_name[one.name].append((one.minute, one.value, key))
    for name, rows in by_name.items():
        series[name] = _series(rows)
    newest = max((one.minutes[-1] for one in series.values() if one.minutes), default=nan)
    return _pruned(replace(stay, held=held, series=series, newest=newest))


def _series(rows: list[tuple[float, float, str]]) -> Series:
    if not rows:
        return EMPTY
    minutes, values, ids = zip(*sorted(rows), strict=True)
    return Series(minutes, values, ids)


def _pruned(stay: Stay) -> Stay:
    """Without what lies before the kept hours, but for the newest of each name there."""
    oldest = stay.newest - KEPT_MINUTES
    first = {name: max(bisect_left(one.minutes, oldest) - 1, 0) for name, one in stay.series.items()}
    gone = {key for name, one in stay.series.items() for key in one.ids[: first[name]]}
    gone.update(key for key, one in stay.held.items() if isnan(one.value) and one.minute < oldest)
    if not gone:
        return stay
    held = {key: one for key, one in stay.held.items() if key not in gone}
    series = {
        name: Series(one.minutes[first[name] :], one.values[first[name] :], one.ids[first[name] :])
        for name, one in stay.series.items()
    }
    return replace(stay, held=held, series=series)
