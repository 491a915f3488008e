import threading

import pytest

from services.common.topics import Topic
from services.common.unstated import WITHOUT_AUTHORITY
from services.note_ingest.drafts import Arrival, Identity, Note, Parsed, Protocol, Subject
from services.note_ingest.reception import INLINE_BYTES, Letter, Reception
from services.note_ingest.refusals import BUG, MISSING, Refused
from tests.note_ingest.conftest import NOW, FakeKafka


def letter(size: int) -> Letter:
    return Letter(Protocol.GRPC, "note", b"x" * size, NOW)


@pytest.mark.parametrize(("size", "apart"), [(INLINE_BYTES, False), (INLINE_BYTES + 1, True)])
async def test_only_a_large_message_is_read_beside_the_event_loop(
    reception: Reception, kafka: FakeKafka, size: int, apart: bool
) -> None:
    threads = []

    def parse() -> Parsed:
        threads.append(threading.get_ident())
        note = Note(Subject(Identity("WARD", "MRN-77")), NOW, "Short of breath.")
        return Parsed(Arrival(Protocol.GRPC, "grpc", NOW), (note,))

    await reception.receive(letter(size), parse)
    assert [thread != threading.get_ident() for thread in threads] == [apart]
    assert len(kafka.on(Topic.NOTES_RECEIVED)) == 1


@pytest.mark.parametrize("size", [10, INLINE_BYTES + 1])
async def test_a_large_message_is_refused_as_a_small_one_is(reception: Reception, kafka: FakeKafka, size: int) -> None:
    def refuse() -> Parsed:
        raise Refused(MISSING, "there is no patient")

    def fail() -> Parsed:
        raise ZeroDivisionError

    with pytest.raises(Refused, match="there is no patient"):
        await reception.receive(letter(size), refuse)
    with pytest.raises(Refused) as bug:
        await reception.receive(letter(size), fail)
    assert bug.value.fault is BUG
    assert "in fail" not in bug.value.reason
    assert len(kafka.on(Topic.NOTE_INGEST_DLQ)) == 2


@pytest.mark.parametrize(("authority", "counted"), [("WARD", 0), ("", 1), (" ", 1)])
async def test_a_patient_without_an_authority_is_counted(reception: Reception, authority: str, counted: int) -> None:
    metric = WITHOUT_AUTHORITY.labels("grpc")._value
    before = metric.get()
    note = Note(Subject(Identity(authority, "MRN-77")), NOW, "Short of breath.")
    await reception.receive(letter(1), lambda: Parsed(Arrival(Protocol.GRPC, "grpc", NOW), (note,)))
    assert metric.get() == before + counted
