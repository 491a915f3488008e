"""note-ingest on the real Kafka, as its own process."""

import asyncio
import base64
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from vigil.v1.note_ingest_service_pb2 import StreamNotesRequest
from vigil.v1.note_ingest_service_pb2_grpc import NoteIngestServiceStub

from cli.senders import MllpClient, fhir_client, post_fhir
from tests.note_ingest.hl7_samples import PID, document, message, msh, vitals
from tests.stacks import Stack, running_stack

HOST = "127.0.0.1"
RETRIES = 60


@pytest.fixture(scope="module")
def ingest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka and note-ingest alone; some of these tests stop them."""
    with running_stack(tmp_path_factory.mktemp("ingest"), only="kafka,note-ingest") as stack:
        yield stack


def mllp(stack: Stack, **options: Any) -> MllpClient:
    return MllpClient(HOST, stack.port("VIGIL_NOTE_INGEST_MLLP_PORT"), **options)


def for_patient(body: bytes, number: str) -> bytes:
    return body.replace(b"MRN-77", number.encode())


def pid_of(stack: Stack, name: str) -> int:
    return int(stack.status()[name]["pid"])


async def stream(stack: Stack, *requests: StreamNotesRequest) -> list[Any]:
    address = f"{HOST}:{stack.port('VIGIL_NOTE_INGEST_GRPC_PORT')}"
    async with grpc.aio.insecure_channel(address) as channel:
        return [answer async for answer in NoteIngestServiceStub(channel).StreamNotes(iter(requests))]


def document_reference(number: str, text: str) -> dict[str, Any]:
    data = base64.b64encode(text.encode()).decode()
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "identifier": [{"value": "DOC-1"}],
        "subject": {"identifier": {"system": "WARD", "value": number}},
        "date": "2026-11-23T10:00:00Z",
        "content": [{"attachment": {"contentType": "text/plain", "data": data}}],
    }


async def test_the_same_note_by_three_protocols_is_one_note(ingest: Stack) -> None:
    text = "Short of breath since this morning."
    async with mllp(ingest) as client:
        assert (await client.send(for_patient(document(text), "SAME-1"))).code == "AA"
    async with fhir_client(ingest.url("note-ingest") + "/fhir") as client:
        assert (await post_fhir(client, document_reference("SAME-1", text))).status == 201
    note = StreamNotesRequest(assigning_authority="WARD", patient_id="SAME-1", document_id="DOC-1", text=text)
    [answer] = await stream(ingest, note)
    assert answer.accepted
    rows = ingest.rows_until("notes-received", lambda rows: len(_of(rows, text)) == 3)
    same = _of(rows, text)
    assert {row["meta"]["message_id"] for row in same} == {answer.message_id}
    assert len({row["_key"] for row in same}) == 1
    assert {row["meta"]["source"] for row in same} == {"hl7v2:MONITOR", "fhir", "grpc"}


def _of(rows: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    return [row for row in rows if row.get("text") == text]


async def test_what_is_refused_is_kept_with_its_reason(ingest: Stack) -> None:
    async with mllp(ingest) as client:
        ack = await client.send(message(msh("SIU^S12", "REFUSED-1"), PID))
    assert ack.code == "AR"

    def kept(rows: list[dict[str, Any]]) -> bool:
        return any(b"REFUSED-1" in base64.b64decode(row["payload"]) and row["protocol"] == "hl7v2" for row in rows)

    ingest.rows_until("note-ingest-dlq", kept)


def test_vigil_send_prints_each_answer_and_fails_when_one_was_refused(ingest: Stack, tmp_path: Path) -> None:
    (tmp_path / "1.hl7").write_bytes(vitals())
    (tmp_path / "2.hl7").write_bytes(message(msh("SIU^S12"), PID))
    done = ingest.vigil("send", str(tmp_path), check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert lines[0].endswith("1.hl7: AA")
    assert lines[1].endswith(
        "AR SIU^S12 is not used by this receiver: scheduling messages carry no clinical data for it"
    )
    assert lines[2] == "2 files: 1 accepted, 1 refused"
    assert ingest.vigil("send", str(tmp_path / "1.hl7")).returncode == 0


async def test_a_process_killed_under_load_loses_nothing_that_it_acknowledged(ingest: Stack) -> None:
    async def one(number: int) -> bool:
        async with mllp(ingest, timeout_s=5) as client:
            return (await client.send(for_patient(vitals(f"K{number}"), f"KILL-{number}"), retries=RETRIES)).accepted

    before = _keys(ingest.rows("observations-received"))
    sending = [asyncio.create_task(one(number)) for number in range(150)]
    await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
    os.kill(pid_of(ingest, "note-ingest"), signal.SIGKILL)
    assert all(await asyncio.gather(*sending))
    rows = ingest.rows_until("observations-received", lambda rows: len(_keys(rows) - before) == 150)
    ids: dict[str, set[str]] = {}
    for row in rows:
        ids.setdefault(row["_key"], set()).add(row["meta"]["message_id"])
    assert all(len(of_patient) == 1 for of_patient in ids.values())


def _keys(rows: list[dict[str, Any]]) -> set[str]:
    return {row["_key"] for row in rows}


async def test_without_kafka_every_protocol_refuses_and_says_to_try_again(ingest: Stack) -> None:
    ingest.until_status("note-ingest", lambda row: row["state"] == "running")  # the test before has killed it
    os.kill(pid_of(ingest, "kafka"), signal.SIGSTOP)
    try:
        async with mllp(ingest, timeout_s=60) as client:
            ack = await client.send(for_patient(vitals("AWAY"), "AWAY-1"))
        assert (ack.code, "again" in ack.text) == ("AE", True)
        async with fhir_client(ingest.url("note-ingest") + "/fhir", timeout_s=60) as http:
            answer = await post_fhir(http, document_reference("AWAY-1", "Away."))
        assert (answer.status, answer.retry_after_s) == (503, 5.0)
        [streamed] = await stream(ingest, StreamNotesRequest(patient_id="AWAY-1", text="Away."))
        assert (streamed.accepted, streamed.retryable) == (False, True)
    finally:
        os.kill(pid_of(ingest, "kafka"), signal.SIGCONT)
    async with mllp(ingest, timeout_s=60) as client:
        for _ in range(10):
            if (await client.send(for_patient(vitals("BACK"), "AWAY-1"))).accepted:
                return
    pytest.fail("Kafka is back and nothing is accepted")
