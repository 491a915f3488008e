import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vigil.v1.alerts_pb2 import Alert, PatientAlerts
from vigil.v1.encounters_pb2 import EncounterStatus

from services.alerting.directory import all_alerts
from services.alerting.live import Cursor, parse_cursor
from services.alerting.patient_alerts import after_encounter
from tests.alerting.making import HIGH, KEY, after, encounter, fresh, risk
from tests.alerting.serving import Served, served


@pytest.fixture
def service(tmp_path: Path) -> Served:
    return served([after(fresh(), risk(1, HIGH))], tmp_path)


async def test_a_new_follower_gets_the_alerts_as_they_are_and_then_every_change(service: Served) -> None:
    events = service.api.streams.alert_events(None)
    first = await anext(events)
    assert json.loads(str(first.data))["state"] == "firing"
    service.live.alerts.add(Alert(id="x", revision=1))
    service.live.alerts.add(Alert(id="x", revision=2))
    assert [json.loads(str((await anext(events)).data))["revision"] for _ in range(2)] == [1, 2]


async def test_a_returning_follower_gets_only_what_it_missed(service: Served) -> None:
    for revision in (1, 2, 3):
        service.live.alerts.add(Alert(id="x", revision=revision))
    returning = Cursor(service.live.alerts.epoch, 2)
    event = await anext(service.api.streams.alert_events(returning))
    assert json.loads(str(event.data))["revision"] == 3
    assert parse_cursor(event.id) == Cursor(returning.epoch, 3)


async def test_a_follower_from_before_a_restart_gets_the_alerts_as_they_are(service: Served) -> None:
    event = await anext(service.api.streams.alert_events(Cursor("before", 70)))
    assert json.loads(str(event.data))["patient_key"] == KEY


def many(folder: Path, count: int) -> Served:
    keys = [f"{number:032x}" for number in range(count)]
    return served([after(PatientAlerts(patient_key=key), risk(1, HIGH, key=key)) for key in keys], folder)


def change(service: Served, key: str, revision: int) -> Alert:
    """Move a patient's alert on, as the batch loop does."""
    before = service.api.states.get(key)
    assert before is not None
    state = PatientAlerts()
    state.CopyFrom(before)
    state.records[0].alert.revision = revision
    service.api.states.put(key, state)
    service.live.alerts.add(state.records[0].alert)
    return state.records[0].alert


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.lists(st.integers(0, 4), max_size=3)), max_size=6))
async def test_a_follower_that_is_cut_off_anywhere_and_comes_back_misses_nothing(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, list[int]]]
) -> None:
    """A cut: so many events were read before it, and then these patients' alerts changed."""
    service = many(tmp_path_factory.getbasetemp(), 5)
    known: dict[str, int] = {}
    last: str | None = None
    revision = 1
    for read, changed in [*cuts, (99, [])]:
        events = service.api.streams.alert_events(parse_cursor(last))
        for _ in range(read):
            try:
                event = await asyncio.wait_for(anext(events), 0.005)
            except TimeoutError:
                break
            assert event.id not in {None, last}
            alert, last = json.loads(str(event.data)), event.id
            known[alert["id"]] = alert["revision"]
        for number in changed:
            revision += 1
            change(service, f"{number:032x}", revision)
    assert known == {alert.id: alert.revision for alert in all_alerts(service.api.states)}


async def test_the_board_gets_all_patients_then_signs_of_life_then_changes(service: Served) -> None:
    events = service.api.streams.board_events()
    snapshot, heartbeat = await anext(events), await anext(events)
    assert (snapshot.event, heartbeat.event) == ("snapshot", "heartbeat")
    service.live.patients.add(KEY)
    names = [(await anext(events)).event for _ in range(2)]
    assert "patient" in names


async def test_the_board_begins_without_those_who_have_left(tmp_path: Path) -> None:
    gone = after_encounter(fresh(), encounter(1, EncounterStatus.ENCOUNTER_STATUS_DISCHARGED))
    snapshot = await anext(served([gone], tmp_path).api.streams.board_events())
    assert json.loads(str(snapshot.data))["patients"] == []


async def test_a_heartbeat_tells_what_keeps_new_data_away(service: Served) -> None:
    service.health.progress("faust")
    events = service.api.streams.board_events()
    await anext(events)
    assert json.loads(str((await anext(events)).data))["problems"] == {"faust": "not started"}
