import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.senders import MllpClient, SendError, parse_ack
from services.common.health import Health
from services.common.topics import Topic
from services.note_ingest.hl7v2.messages import Hl7Settings
from services.note_ingest.intake import Intake
from services.note_ingest.mllp_frames import Framer
from services.note_ingest.mllp_server import MllpLimits, MllpServer
from services.note_ingest.reception import Reception
from tests.note_ingest.conftest import FakeKafka
from tests.note_ingest.hl7_samples import PID, document, message, msh, vitals

LIMITS = MllpLimits(max_message_bytes=20_000, pipeline=4, max_connections=3, end_pause_s=0.05)
HOST = "127.0.0.1"


@contextlib.asynccontextmanager
async def serving(reception: Reception, hl7: Hl7Settings, port: int) -> AsyncIterator[Any]:
    task = asyncio.create_task(MllpServer(reception, hl7, LIMITS).serve(HOST, port, Health()))
    for _ in range(200):
        with contextlib.suppress(OSError):
            (await asyncio.open_connection(HOST, port))[1].close()
            break
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def port(reception: Reception, hl7: Hl7Settings, unused_tcp_port: int) -> AsyncIterator[Any]:
    async with serving(reception, hl7, unused_tcp_port):
        yield unused_tcp_port


async def test_a_message_is_acknowledged_after_kafka_has_it(port: int, kafka: FakeKafka) -> None:
    kafka.gate = asyncio.Event()
    async with MllpClient(HOST, port) as client:
        sending = asyncio.create_task(client.send(vitals("C7")))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(sending), 0.2)
        kafka.gate.set()
        ack = await sending
    assert (ack.code, ack.control_id, ack.text) == ("AA", "C7", "")
    assert len(kafka.on(Topic.OBSERVATIONS_RECEIVED)) == 1


async def test_without_kafka_the_answer_is_a_retryable_ae(port: int, kafka: FakeKafka) -> None:
    kafka.away = True
    async with MllpClient(HOST, port) as client:
        ack = await client.send(vitals())
        assert ack.code == "AE"
        assert "send the message again" in ack.text
        kafka.away = False
        assert (await client.send(vitals())).code == "AA"


async def test_a_refusal_does_not_wait_for_a_kafka_that_is_away(port: int, kafka: FakeKafka) -> None:
    kafka.gate = asyncio.Event()
    async with MllpClient(HOST, port, timeout_s=5) as client:
        assert (await client.send(message(msh("SIU^S12"), PID))).code == "AR"


async def test_answers_of_pipelined_messages_keep_their_order(port: int, kafka: FakeKafka) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    kafka.gate = asyncio.Event()
    messages = [vitals(f"C{n}") if n % 3 else message(msh("SIU^S12", f"C{n}"), PID) for n in range(30)]
    writer.write(b"".join(b"\x0b" + body + b"\x1c\r" for body in messages))
    await writer.drain()
    asyncio.get_running_loop().call_later(0.1, kafka.gate.set)
    answers = [parse_ack((await reader.readuntil(b"\x1c\r"))[1:-2]) for _ in messages]
    assert [answer.control_id for answer in answers] == [f"C{n}" for n in range(30)]
    assert [answer.code for answer in answers] == ["AA" if n % 3 else "AR" for n in range(30)]
    writer.close()


async def test_a_refusal_has_code_place_and_reason_and_no_text_of_the_message(port: int, kafka: FakeKafka) -> None:
    async with MllpClient(HOST, port) as client:
        ack = await client.send(vitals(pulse="Quixote").replace(b"OBX|2", b"ZZZ|2").replace(b"OBX|3", b"ZZZ|3"))
    assert ack.code == "AE"
    segments = dict(line.split("|", 1) for line in ack.raw.decode().split("\r") if line)
    assert segments["ERR"] == "|OBX^1^5|102^Data type error^HL70357|E||||OBX-5: the value is no number"
    assert b"Quixote" not in ack.raw
    [letter] = kafka.on(Topic.NOTE_INGEST_DLQ)
    assert (letter.protocol, letter.service, letter.reason) == ("hl7v2", "note-ingest", "OBX-5: the value is no number")
    assert b"Quixote" in letter.payload


async def test_a_message_over_the_limit_is_rejected_and_the_next_is_taken(port: int) -> None:
    async with MllpClient(HOST, port) as client:
        ack = await client.send(document("x" * 100_000).replace(b"|C1|", b"|BIG|"))
        assert (ack.code, ack.control_id, ack.text) == ("AR", "BIG", "the message is larger than 20000 bytes")
        assert (await client.send(vitals())).code == "AA"


async def test_a_fault_of_ours_is_an_ae_and_kept_without_values(
    port: int, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("Quixote")

    monkeypatch.setattr("services.note_ingest.mllp_server.parse_hl7", broken)
    async with MllpClient(HOST, port) as client:
        ack = await client.send(vitals())
    assert (ack.code, "Quixote" in ack.text) == ("AE", False)
    [letter] = kafka.on(Topic.NOTE_INGEST_DLQ)
    assert "broken" in letter.stack
    assert "Quixote" not in letter.stack + letter.reason


async def test_a_sender_that_only_half_closes_still_gets_its_answers(port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"\x0b" + vitals("LAST") + b"\x1c\r")
    writer.write_eof()
    assert b"|LAST" in await reader.read()
    writer.close()


@pytest.mark.parametrize("end", [b"\x1c\r", b"\x1c\n", b"\x1c\r\n", b"\x1c"])
async def test_a_message_is_answered_whichever_end_mark_its_sender_knows(port: int, end: bytes) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    for control in ("FIRST", "SECOND"):
        writer.write(b"\x0b" + vitals(control) + end)
        answer = await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 5)
        assert f"MSA|AA|{control}".encode() in answer
    writer.write(b"\x0b" + vitals("THIRD") + end + b"\x0b" + vitals("FOURTH") + end)
    writer.write_eof()
    answers = await asyncio.wait_for(reader.read(), 5)
    assert [control in answers for control in (b"MSA|AA|THIRD", b"MSA|AA|FOURTH")] == [True, True]
    writer.close()


async def test_a_pause_within_a_message_ends_it_only_behind_an_end_mark(port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    body = document("Short\x1cof breath.")
    writer.write(b"\x0b" + body[:100])
    await writer.drain()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 4 * LIMITS.end_pause_s)
    writer.write(body[100:] + b"\x1c\r")
    writer.write_eof()
    assert (await asyncio.wait_for(reader.read(), 5)).count(b"MSA|AA") == 1
    writer.close()


async def test_a_peer_that_vanished_is_no_pause(reception: Reception, hl7: Hl7Settings) -> None:
    reader, framer = asyncio.StreamReader(), Framer(100)
    list(framer.feed(b"\x0bMSH|\x1c", reception.intake.clock()))
    reader.set_exception(TimeoutError("keep-alive"))
    with pytest.raises(TimeoutError):
        await MllpServer(reception, hl7, LIMITS)._read(reader, framer)


async def test_more_connections_than_allowed_are_closed(port: int) -> None:
    clients = [MllpClient(HOST, port, timeout_s=2) for _ in range(4)]
    for client in clients[:3]:
        assert (await client.send(vitals())).accepted
    with pytest.raises(SendError):
        await clients[3].send(vitals())
    await clients[0].close()
    assert (await clients[3].send(vitals(), retries=5)).accepted
    for client in clients:
        await client.close()


async def test_the_time_of_arrival_is_that_of_the_frame(port: int, kafka: FakeKafka, reception: Reception) -> None:
    async with MllpClient(HOST, port) as client:
        await client.send(vitals())
    [group] = kafka.on(Topic.OBSERVATIONS_RECEIVED)
    assert group.meta.HasField("ingest_time")
    assert group.meta.source == "hl7v2:MONITOR"


async def test_nothing_of_a_patient_is_logged(
    port: int, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        async with MllpClient(HOST, port) as client:
            await client.send(vitals())
            await client.send(vitals(pulse="Quixote"))
            await client.send(b"Dulcinea Quixote MRN-77")
            await client.send(document("Dulcinea").replace(b"TXA|", b"Quixote|"))
    logged = "".join(capfd.readouterr()) + caplog.text
    for secret in ("Quixote", "Dulcinea", "MRN-77", "1950"):
        assert secret not in logged


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.binary(max_size=300), max_size=4), st.booleans())
def test_any_bytes_are_survived_and_the_next_message_is_taken(
    intake: Intake, hl7: Hl7Settings, noise: list[bytes], framed: bool
) -> Any:
    async def converse() -> bytes:
        reception = Reception(intake, FakeKafka(), 8)
        server = MllpServer(reception, hl7, LIMITS)
        listener = await asyncio.start_server(server._connected, HOST, 0)
        reader, writer = await asyncio.open_connection(HOST, listener.sockets[0].getsockname()[1])
        for chunk in noise:
            writer.write(b"\x0bMSH|^~\\&|" + chunk + b"\x1c\r" if framed else chunk)
        writer.write(b"\x1c\r\x0b" + vitals("NEXT") + b"\x1c\r")
        writer.write_eof()
        answers = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        listener.close()
        return answers

    last = asyncio.run(converse()).split(b"\x0b")[-1]
    assert b"MSA|AA|NEXT" in last
