import asyncio

from vigil.v1.alerts_pb2 import Alert

from services.alerting.live import AlertLog, Cursor, PatientChanges, create_live, parse_cursor


def numbered(log: AlertLog, cursor: Cursor) -> list[tuple[str, int]]:
    return [(alert.id, at.number) for at, alert in log.since(cursor) or []]


def test_a_follower_gets_just_what_it_has_not_seen() -> None:
    log = AlertLog("life", kept=10)
    for name in "abc":
        log.add(Alert(id=name))
    assert numbered(log, Cursor("life", 0)) == [("a", 1), ("b", 2), ("c", 3)]
    assert numbered(log, Cursor("life", 2)) == [("c", 3)]
    assert log.since(log.now()) == []


def test_a_follower_that_fell_behind_is_told_to_take_everything_anew() -> None:
    log = AlertLog("life", kept=2)
    for name in "abcd":
        log.add(Alert(id=name))
    assert log.since(Cursor("life", 1)) is None
    assert numbered(log, Cursor("life", 2)) == [("c", 3), ("d", 4)]


def test_a_cursor_of_another_life_or_of_the_future_is_not_trusted() -> None:
    log = AlertLog("life", kept=2)
    assert log.since(Cursor("another", 0)) is None
    assert log.since(Cursor("life", 7)) is None


def test_a_cursor_survives_being_sent_to_a_client_and_back() -> None:
    for cursor in (Cursor("ab12", 7), Cursor("ab12", 7, "6f1e-5a")):
        assert parse_cursor(str(cursor)) == cursor
    for text in (None, "", "7", "-7", "ab12-", "ab12-x", "ab12-7x"):
        assert parse_cursor(text) is None


def test_two_lives_have_different_epochs() -> None:
    assert create_live(1).alerts.epoch != create_live(1).alerts.epoch


def test_of_a_patient_only_the_last_change_counts() -> None:
    changes = PatientChanges()
    for key in ("a", "b", "a"):
        changes.add(key)
    assert changes.since(0) == ["a", "b"]
    assert changes.since(2) == ["a"]
    assert changes.since(changes.now()) == []


async def test_who_waits_is_woken_by_the_next_change_and_by_nothing_else() -> None:
    changes = PatientChanges()
    waiting = asyncio.create_task(changes.wait(0, timeout_s=10))
    await asyncio.sleep(0)
    changes.add("a")
    assert await waiting
    assert not await changes.wait(changes.now(), timeout_s=0.01)
