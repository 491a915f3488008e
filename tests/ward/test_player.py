import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from ward.events import Event, Kind, Protocol
from ward.player import Answer, Deliver, Ledger, Pace, play

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
YES, AWAY, NEVER = Answer(True, False, "AA"), Answer(False, True, "AE"), Answer(False, False, "AR")


def events(protocol: Protocol, count: int = 3) -> list[Event]:
    return [
        Event(n, START + timedelta(seconds=n), protocol, Kind.NOTE, 1, "SYNX01", f"D{n}", f"{protocol} {n}".encode())
        for n in range(count)
    ]


def receiver(answers: Iterator[Answer], got: list[bytes]) -> Deliver:
    async def deliver(payload: bytes) -> Answer:
        got.append(payload)
        return next(answers, YES)

    return deliver


async def played(lane: list[Event], *answers: Answer) -> tuple[Ledger, list[bytes]]:
    got: list[bytes] = []
    deliver = receiver(iter(answers), got)
    ledger = Ledger()
    pace = Pace(START, time.time(), speed=1000.0)
    await play(lane, dict.fromkeys(Protocol, deliver), pace, ledger, lambda _: None)
    return ledger, got


async def test_a_lane_keeps_the_order_of_events() -> None:
    _, got = await played(events(Protocol.MLLP))
    assert got == [b"mllp 0", b"mllp 1", b"mllp 2"]


async def test_a_receiver_that_is_away_gets_the_message_again_before_the_next_one() -> None:
    ledger, got = await played(events(Protocol.MLLP), AWAY, AWAY)
    assert got == [b"mllp 0", b"mllp 0", b"mllp 0", b"mllp 1", b"mllp 2"]
    assert [sent.attempts for sent in ledger.sent] == [3, 1, 1]
    assert ledger.refused() == []


async def test_a_message_that_is_refused_for_good_is_recorded_and_does_not_hold_up_the_next() -> None:
    ledger, got = await played(events(Protocol.FHIR), NEVER)
    assert len(got) == 3
    assert [(sent.event.number, sent.said) for sent in ledger.refused()] == [(0, "AR")]


async def test_no_event_is_sent_before_it_is_due() -> None:
    ledger, _ = await played(events(Protocol.MLLP, 200))
    began = ledger.sent[0].first_byte_at
    assert all(sent.first_byte_at - began >= sent.event.number / 1000 - 0.01 for sent in ledger.sent)
