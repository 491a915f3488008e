import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from vigil.v1.note_ingest_service_pb2 import StreamNotesRequest
from vigil.v1.note_ingest_service_pb2_grpc import NoteIngestServiceStub

from services.common.grpc_server import serve_grpc
from services.common.health import Health
from services.common.topics import Topic
from services.note_ingest.config import NoteIngestSettings
from services.note_ingest.grpc_notes import RECEIVE_FACTOR, SERVICE_NAME, register
from services.note_ingest.reception import Reception
from tests.note_ingest.conftest import FakeKafka


@pytest.fixture
async def stub(reception: Reception) -> AsyncIterator[Any]:
    server = grpc.aio.server()
    register(reception, NoteIngestSettings(pipeline=3))(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield NoteIngestServiceStub(channel)
    await server.stop(None)


def note(client_id: str = "1", text: str = "Short of breath.", **more: Any) -> StreamNotesRequest:
    fields = {"assigning_authority": "WARD", "patient_id": "MRN-77", "document_id": f"DOC-{client_id}"} | more
    return StreamNotesRequest(client_id=client_id, text=text, **fields)


async def answers(stub: Any, *requests: StreamNotesRequest) -> Any:
    return [answer async for answer in stub.StreamNotes(iter(requests))]


async def test_each_note_is_answered_in_order_after_kafka_has_it(stub: Any, kafka: FakeKafka) -> None:
    got = await answers(stub, *(note(str(n)) for n in range(20)))
    assert [answer.client_id for answer in got] == [str(n) for n in range(20)]
    assert all(answer.accepted for answer in got)
    assert [message.meta.message_id for message in kafka.on(Topic.NOTES_RECEIVED)] == [a.message_id for a in got]


async def test_a_refused_note_has_its_reason_and_the_next_is_taken(stub: Any, kafka: FakeKafka) -> None:
    got = await answers(stub, note("1", text=""), note("2", patient_id=""), note("3", kind="poem"), note("4"))
    assert [answer.accepted for answer in got] == [False, False, False, True]
    assert got[0].reason == "the note has no text"
    assert got[1].reason == "patient_id: the note names no patient"
    assert not any(answer.retryable for answer in got)
    assert len(kafka.on(Topic.NOTE_INGEST_DLQ)) == 3


async def test_without_kafka_a_note_may_be_sent_again(stub: Any, kafka: FakeKafka) -> None:
    kafka.away = True
    [answer] = await answers(stub, note())
    assert (answer.accepted, answer.retryable) == (False, True)


async def test_a_stream_takes_no_more_than_it_may_have_in_flight(stub: Any, kafka: FakeKafka) -> None:
    kafka.gate = asyncio.Event()
    taken = 0

    async def endless() -> AsyncIterator[StreamNotesRequest]:
        nonlocal taken
        while taken < 2000:
            taken += 1
            yield note(str(taken), text="x" * 5000)

    call = stub.StreamNotes(endless())
    await asyncio.sleep(0.5)
    assert taken < 2000
    kafka.gate.set()
    assert (await call.read()).accepted
    call.cancel()


@pytest.fixture
async def limited(reception: Reception) -> AsyncIterator[Any]:
    """A server as the service runs it, for notes of 2,000 bytes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = NoteIngestSettings(max_message_bytes=2000)
    limit = RECEIVE_FACTOR * settings.max_message_bytes
    serving = asyncio.create_task(
        serve_grpc("127.0.0.1", port, Health(), register(reception, settings), [SERVICE_NAME], max_receive_bytes=limit)
    )
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await asyncio.wait_for(channel.channel_ready(), 10)
        yield NoteIngestServiceStub(channel)
    serving.cancel()
    await asyncio.wait([serving])


async def test_a_note_over_the_limit_is_refused_and_the_next_is_taken(limited: Any, kafka: FakeKafka) -> None:
    got = await answers(limited, note("1", text="x" * 3000), note("2"))
    assert [(answer.accepted, answer.reason) for answer in got] == [
        (False, "the note is larger than 2000 bytes"),
        (True, ""),
    ]
    assert [letter.payload for letter in kafka.on(Topic.NOTE_INGEST_DLQ)] == [b""]


async def test_a_note_far_over_the_limit_is_never_read(limited: Any, kafka: FakeKafka) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await answers(limited, note("1", text="x" * 5000))
    assert ended.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert kafka.published == []
