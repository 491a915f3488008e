"""Notes through the real service on real Kafka and Triton: the topic, gRPC, and what goes wrong."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from vigil.v1.notes_pb2 import AssignedCode, NoteReceived

from services.common.bus import Producer, Publish
from services.common.identity import message_id
from services.common.topics import Topic
from tests.nlp_coder.fakes import note_received
from tests.stacks import VIGIL, Row, Stack, running_stack, until

PNEUMONIA = "ASSESSMENT: Community-acquired pneumonia with sepsis. No pulmonary embolism. Mother with stroke."


@pytest.fixture(scope="module")
def coding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka, Triton and nlp-coder of this file's own: parts of it are killed."""
    with running_stack(tmp_path_factory.mktemp("coding"), only="kafka,triton,nlp-coder") as stack:
        yield stack


def notes(name: str, texts: list[str], **fields: Any) -> list[NoteReceived]:
    made = [note_received(text, **fields) for text in texts]
    for number, note in enumerate(made):
        note.meta.message_id = f"{name}-{number}"
        note.meta.patient_key = f"{number % 7:032x}"
    return made


async def send(stack: Stack, sent: list[NoteReceived]) -> None:
    async with Producer(stack.settings, "test") as producer:
        await producer.publish_all([Publish(Topic.NOTES_RECEIVED, note.meta.patient_key, note) for note in sent])


def answers(rows: list[Row], name: str) -> list[Row]:
    return [row for row in rows if row["note_message_id"].startswith(f"{name}-")]


def selected(row: Row) -> set[str]:
    return {code["code"] for code in row.get("codes", []) if code.get("selected")}


async def test_a_received_note_comes_out_coded_by_the_model(coding: Stack) -> None:
    [note] = notes("plain", [PNEUMONIA], kind="progress")
    await send(coding, [note])
    [row] = answers(coding.rows_until("notes-coded", lambda rows: answers(rows, "plain")), "plain")
    assert row["_key"] == row["meta"]["patient_key"] == note.meta.patient_key
    assert row["meta"]["message_id"] == message_id("coded", "plain-0")
    assert row["meta"]["event_time"] == note.meta.event_time.ToJsonString()
    assert row["text"] == PNEUMONIA
    assert {"J18.9", "A41.9"} <= selected(row)
    assert not {"I26.99", "I63.9"} & selected(row)
    assert not row.get("degraded")
    assert [model["name"] for model in row["models"]] == ["icd_coder", "note_entities"]
    assert all(len(model["sha256"]) == 64 for model in row["models"])


async def test_the_command_line_gives_what_the_topic_gives(coding: Stack) -> None:
    spans = [[PNEUMONIA.index(words), PNEUMONIA.index(words) + len(words)] for words in ("embolism", "stroke")]
    lines = [
        {"id": "a", "text": PNEUMONIA, "kind": "progress", "spans": spans},
        {"id": "b", "text": "El paciente niega fiebre y dolor desde ayer."},
        {"id": "c", "text": ""},
    ]
    path = coding.folder / "notes.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = coding.run(str(VIGIL), "code", "--jsonl", str(path))
    first, second, third = (json.loads(line) for line in done.stdout.splitlines())
    assert [first["id"], second["id"], third["id"]] == ["a", "b", "c"]
    best = next(code for code in first["codes"] if code["code"] == "J18.9")
    assert best["selected"]
    assert [PNEUMONIA[start:end] for start, end in best["spans"]] == ["Community-acquired pneumonia"]
    assert first["model"]["icd_coder"]["sha256"]
    mother = next(entity for entity in first["entities"] if entity["text"] == "stroke")
    assert (mother["assertion"], mother["temporality"], mother["experiencer"]) == ("present", "current", "family")
    assert [item["assertion"] for item in first["span_assertions"]] == ["absent", "present"]
    assert second["abstained"] == "not in English: es"
    assert third["codes"] == []


async def test_assigned_codes_are_audited_on_the_topic_and_by_the_command_line_alike(coding: Stack) -> None:
    assigned = ["J18.9", "I26.99", "N39.0"]
    [note] = notes("audited", [PNEUMONIA], assigned_codes=[AssignedCode(code=c, code_system="I10") for c in assigned])
    await send(coding, [note])
    [row] = answers(coding.rows_until("notes-coded", lambda rows: answers(rows, "audited")), "audited")
    path = coding.folder / "audit.jsonl"
    path.write_text(json.dumps({"id": 7, "text": PNEUMONIA, "codes": assigned}) + "\n")
    line = json.loads(coding.run(str(VIGIL), "audit", "--jsonl", str(path)).stdout)
    verdicts = [(result["code"], result["verdict"]) for result in line["results"]]
    assert line["id"] == 7
    assert verdicts[:3] == [("J18.9", "supported"), ("I26.99", "contradicted"), ("N39.0", "unsupported")]
    assert ("A41.9", "missing") in verdicts
    assert [(one["code"], one["verdict"].removeprefix("AUDIT_VERDICT_").lower()) for one in row["audit"]] == verdicts


async def test_bytes_that_are_no_note_go_to_the_dead_letters_and_the_next_is_handled(coding: Stack) -> None:
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415 - only this test speaks to Kafka without the codec

    producer = AIOKafkaProducer(bootstrap_servers=coding.settings.kafka_bootstrap)
    await producer.start()
    await producer.send_and_wait("notes-received", b"\xff\xff\xff not protobuf", key=b"poison")
    await producer.stop()
    await send(coding, notes("after", [PNEUMONIA]))
    letters = coding.rows_until("nlp-coder-dlq", lambda rows: rows)
    assert "vigil.v1.NoteReceived" in letters[0]["reason"]
    coding.rows_until("notes-coded", lambda rows: answers(rows, "after"))


async def test_the_service_killed_in_the_middle_codes_every_note_once(coding: Stack) -> None:
    count = 300
    await send(coding, notes("killed", [f"{PNEUMONIA} {number}" for number in range(count)]))
    coding.rows_until("notes-coded", lambda rows: len(answers(rows, "killed")) > 10)
    os.kill(coding.status()["nlp-coder"]["pid"], signal.SIGKILL)
    rows = coding.rows_until(
        "notes-coded", lambda rows: len({row["note_message_id"] for row in answers(rows, "killed")}) == count, 90
    )
    by_id: dict[str, set[str]] = {}
    for row in answers(rows, "killed"):
        by_id.setdefault(row["note_message_id"], set()).add(row["meta"]["message_id"])
    assert all(len(ids) == 1 for ids in by_id.values())


async def test_triton_killed_for_a_moment_leaves_no_note_without_its_model(coding: Stack) -> None:
    os.kill(coding.status()["triton"]["pid"], signal.SIGKILL)
    await send(coding, notes("moment", [PNEUMONIA] * 20))
    rows = coding.rows_until("notes-coded", lambda rows: len(answers(rows, "moment")) >= 20, 90)
    assert not [row for row in answers(rows, "moment") if row.get("degraded")]


async def test_triton_stopped_gives_labelled_answers_and_no_readiness(coding: Stack) -> None:
    url = f"{coding.url('nlp-coder')}/readyz"
    pid = coding.status()["triton"]["pid"]
    os.kill(pid, signal.SIGSTOP)  # answers nothing, and no supervisor restarts it
    try:
        await send(coding, notes("outage", [PNEUMONIA] * 5))
        rows = coding.rows_until("notes-coded", lambda rows: len(answers(rows, "outage")) >= 5, 90)
        assert all(row["degraded"] and row["degraded_reason"] for row in answers(rows, "outage"))
        assert all("J18.9" in selected(row) for row in answers(rows, "outage"))
        # Were each to wait for Triton's deadline of two seconds, eight at a time, these would take more than a minute.
        path = coding.folder / "many.jsonl"
        path.write_text("".join(json.dumps({"id": number, "text": PNEUMONIA}) + "\n" for number in range(300)))
        lines = [json.loads(line) for line in coding.run(str(VIGIL), "code", "--jsonl", str(path)).stdout.splitlines()]
        assert [line["id"] for line in lines] == list(range(300))
        assert all(line["degraded"] for line in lines)
        alone = {tuple(part for part in line["degraded_reason"].split("; ") if "alone" in part) for line in lines}
        assert alone == {
            (
                "codes are from the dictionary and the rules alone",
                "entities are from the dictionary and the names of drugs alone",
            )
        }
        until(lambda: httpx.get(url, timeout=10).status_code, lambda status: status == 503, 20, "at readyz")
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: httpx.get(url, timeout=10).status_code, lambda status: status == 200, 60, "at readyz")
    await send(coding, notes("again", [PNEUMONIA]))
    rows = coding.rows_until("notes-coded", lambda rows: answers(rows, "again"))
    assert not answers(rows, "again")[0].get("degraded")


def test_without_the_service_the_command_says_what_to_do(coding: Stack) -> None:
    done = coding.run(str(VIGIL), "code", check=False, VIGIL_NLP_CODER_GRPC_PORT="1")
    assert done.returncode == 1
    assert done.stderr.strip() == "nlp-coder does not answer at 127.0.0.1:1: start it with `vigil up`."
    assert not done.stdout
