"""Finding alerts and patients in the states that alerting keeps. Read only."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from vigil.v1.alerts_pb2 import Alert, AlertState, PatientAlerts

from services.alerting.patient_alerts import is_here
from services.common.clock import from_timestamp
from services.common.outcomes import Transient
from services.common.stateful import States

Recovered = Callable[[], bool]

DEFAULT_PAGE = 100
MAX_PAGE = 500
LEFT_LISTED = timedelta(hours=24)  # how long one who left is still listed; counted from when Vigil heard of it


@dataclass(frozen=True, slots=True)
class Page:
    """Some alerts, and the token of the next page; empty after the last."""

    alerts: Sequence[Alert]
    next_token: str


def check_recovered(recovered: Recovered) -> None:
    """Raises Transient while the states are read back after a start: a part must not pass for the whole."""
    if not recovered():
        raise Transient("the alerts are being read back after a start; ask again in a few seconds")


def all_patients(states: States[PatientAlerts]) -> Iterator[PatientAlerts]:
    """Every patient, by key."""
    for key in states:
        state = states.get(key)
        if state is not None:
            yield state


def listed_patients(states: States[PatientAlerts], now: datetime) -> Iterator[PatientAlerts]:
    """Those who are here, and those who left a short while ago."""
    for state in all_patients(states):
        if is_here(state) or now - from_timestamp(state.encounter.meta.ingest_time) < LEFT_LISTED:
            yield state


def all_alerts(states: States[PatientAlerts]) -> Iterator[Alert]:
    """Every alert that is kept."""
    for state in all_patients(states):
        for record in state.records:
            yield record.alert


def find_alert(states: States[PatientAlerts], alert_id: str) -> Alert | None:
    """The alert as it is now."""
    return next((alert for alert in all_alerts(states) if alert.id == alert_id), None)


def is_page(token: str) -> bool:
    """Whether a token is one that `page_of` gives; empty is the first page."""
    return not token or _PLACE.fullmatch(token) is not None


def page_of(states: States[PatientAlerts], wanted: Collection[AlertState.ValueType], size: int, token: str) -> Page:
    """Alerts in the wanted states (none named: all), last opened first, `size` at a time from `token` on."""
    matching = [alert for alert in all_alerts(states) if not wanted or alert.state in wanted]
    matching.sort(key=_place, reverse=True)
    remaining = [alert for alert in matching if not token or _place(alert) < token]
    shown = remaining[:size]
    return Page(shown, _place(shown[-1]) if len(remaining) > size else "")


_PLACE = re.compile(r"\d{12,20}\.\d{9}\.[\w-]{1,100}", re.ASCII)


def _place(alert: Alert) -> str:
    return f"{alert.opened_at.seconds:012d}.{alert.opened_at.nanos:09d}.{alert.id}"
