"""Measurements that the state no longer keeps whole: time, value, and what a correction needs; for models. Pure.

A stored observation takes 200 bytes and is written with every change of its patient; here it takes 32. As in the
state, the order of arrival does not matter: of several accounts of one observation the highest rank stays.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from math import isnan, nan
from typing import TYPE_CHECKING

from vigil.v1.risk_pb2 import EarlierValues

from services.fusion.deterioration.variables import BY_NAME, read
from services.fusion.vitals import Measured

if TYPE_CHECKING:
    from services.fusion.state import Held

MILLISECOND = 1000  # microseconds
HOUR = 3_600_000_000
# Monitors send each minute what the patients of training had charted about once an hour, and the models read how often
# something is measured. Of these the last value of each clock hour counts.
CHARTED_HOURLY = frozenset(
    {"heart_rate", "resp_rate", "spo2", "sbp", "dbp", "map", "temperature", "gcs", "fio2", "etco2", "mech_vent"}
)
Earlier = Mapping[str, EarlierValues]


@dataclass(frozen=True, slots=True)
class _Account:
    at: int
    value: float
    key: int
    rank: int

    @property
    def order(self) -> tuple[int, int, bool, float]:
        """Which of two accounts of one observation counts."""
        return self.rank, self.at, not isnan(self.value), self.value


def usable(measured: Measured) -> tuple[str, float] | None:
    """Name and value as the models take them; NaN for an account that they may not use, None for another name."""
    taken = _read(measured.name, measured.value, measured.unit)
    if taken is None:
        return None
    return taken if measured.unusable is None else (taken[0], nan)


@lru_cache(65536)
def _read(name: str, value: float, unit: str) -> tuple[str, float] | None:
    variable = BY_NAME.get(name)
    if variable is None:
        return None
    if unit not in {"", variable.unit, *(other.unit for other in variable.others)}:
        return name, nan
    taken = read(name, value)
    return None if taken is None else (taken.name, taken.value)


def with_left(earlier: Earlier, left: Iterable["Held"], kept: Iterable["Held"], oldest: int, limit: int) -> Earlier:
    """`earlier` with what has left the state, without what lies before `oldest` or beyond `limit` values of a name.

    kept: what the state still keeps whole. Where that has a later value of the same hour, one charted hourly is let go.
    """
    by_name: dict[str, list[_Account]] = {}
    later = {(one.measured.name, one.measured.at // HOUR) for one in kept if one.measured.unusable is None}
    for held in left:
        taken = usable(held.measured)
        if taken is None or held.measured.at < oldest:
            continue
        if taken[0] not in CHARTED_HOURLY or (held.measured.name, held.measured.at // HOUR) not in later:
            by_name.setdefault(taken[0], []).append(_account(held, taken[1]))
    grown = {name: _with(earlier.get(name), name, accounts) for name, accounts in by_name.items()}
    cut = {name: _without(values, oldest, limit) for name, values in ({**earlier, **grown}).items()}
    return {name: values for name, values in cut.items() if values.at}


def _account(held: "Held", value: float) -> _Account:
    revision, replaces, arrived, _ = held.rank
    key = int.from_bytes(blake2b(held.measured.observation_id.encode(), digest_size=8).digest(), "big")
    rank = (min(revision, 0x3FFF) << 1 | replaces) << 48 | (arrived // MILLISECOND & 0xFFFF_FFFF_FFFF)
    return _Account(held.measured.at, value, key, rank)


def _with(kept: EarlierValues | None, name: str, accounts: list[_Account]) -> EarlierValues:
    grown = EarlierValues(name=name)
    if kept is not None:
        grown.CopyFrom(kept)
    accounts.sort(key=lambda one: one.at)
    last = grown.at[-1] if grown.at else 0
    if accounts[0].at >= last and not any(one.key in grown.ids for one in accounts):
        return _appended(grown, accounts)
    newest: dict[int, _Account] = {}
    for one in (*_accounts(grown), *accounts):
        known = newest.get(one.key)
        if known is None or known.order < one.order:
            newest[one.key] = one
    return _appended(EarlierValues(name=name), sorted(newest.values(), key=lambda one: (one.at, one.key)))


def _accounts(values: EarlierValues) -> Iterable[_Account]:
    return map(_Account, values.at, values.values, values.ids, values.ranks)


def _appended(values: EarlierValues, accounts: list[_Account]) -> EarlierValues:
    values.at.extend(one.at for one in accounts)
    values.values.extend(one.value for one in accounts)
    values.ids.extend(one.key for one in accounts)
    values.ranks.extend(one.rank for one in accounts)
    return values


def _without(values: EarlierValues, oldest: int, limit: int) -> EarlierValues:
    excess = max(len(values.at) - limit, 0)
    first = next((place for place, at in enumerate(values.at) if at >= oldest and place >= excess), len(values.at))
    if not first:
        return values
    return EarlierValues(
        name=values.name,
        at=values.at[first:],
        values=values.values[first:],
        ids=values.ids[first:],
        ranks=values.ranks[first:],
    )
