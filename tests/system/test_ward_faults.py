"""Any one process may be killed in the middle of the ward: nothing is lost, and nothing is visible twice."""

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from cli.senders import MllpClient
from services.common.topics import Topic
from tests.system.running import Vigil
from tests.system.searching import leaks, logs_and_names
from ward.account import accounts, all_out
from ward.events import Kind
from ward.follow import follow
from ward.generate import Ward, generate
from ward.player import Ledger, Pace, Sent, connect, play
from ward.run import Play, plan_now, run_ward
from ward.summary import Summary, text

PROCESSES = ("note-ingest", "nlp-coder", "image-router", "fusion", "alerting", "kafka", "triton")
SECONDS = 10.0
HOURLY = Play(speed=24 * 3600 / SECONDS, vitals_every=timedelta(hours=1))


async def play_and_kill(vigil: Vigil, name: str) -> Summary:
    pid = vigil.process(name)["pid"]
    assert isinstance(pid, int)
    heard = 0

    def in_the_middle(_sent: Sent, total: int) -> None:
        nonlocal heard
        heard += 1
        if heard == total * 3 // 5:
            os.kill(pid, signal.SIGKILL)

    return await run_ward(vigil.stack, HOURLY, in_the_middle)


@pytest.mark.parametrize("name", PROCESSES)
async def test_a_process_killed_in_the_middle_of_the_ward_loses_nothing_and_shows_nothing_twice(
    vigil: Vigil, name: str
) -> None:
    before = vigil.process(name)["pid"]
    summary = await play_and_kill(vigil, name)
    assert summary.complete, text(summary)
    assert summary.truthful, text(summary)
    assert f"{len(summary.results)} of {len(summary.results)} messages came out, each exactly once" in text(summary)
    assert vigil.process(name)["pid"] != before
    named = {identifier for verdict in summary.verdicts for identifier in verdict.patient.identifiers}
    assert leaks(named, logs_and_names(vigil.settings.data_dir)) == [], "what a crash logs names nobody"


def short_ward() -> Ward:
    return generate(plan_now(Play(hours=2.0), datetime.now(UTC)))


async def test_what_nobody_can_parse_is_refused_by_mllp_with_the_reason_and_the_next_message_is_taken(
    vigil: Vigil,
) -> None:
    stack = vigil.stack
    event = next(e for e in short_ward().events if e.kind is Kind.ENCOUNTER)
    async with MllpClient(stack.endpoints.host, stack.endpoints.mllp_port) as client:
        refused = await client.send(b"MSH|^~\\&|X|Y|Z|W|20261122||ORU^R01|1|T|2.5.1\rnothing of sense \xff\xfe\r")
        assert refused.code in {"AE", "AR"}
        assert len(refused.text) > 10
        assert (await client.send(event.payload)).accepted


async def test_what_nobody_can_parse_is_refused_by_fhir_with_the_reason_and_the_next_message_is_taken(
    vigil: Vigil,
) -> None:
    to = vigil.stack.endpoints
    async with httpx.AsyncClient(base_url=f"http://{to.host}:{to.fhir_port}/fhir") as client:
        headers = {"content-type": "application/fhir+json"}
        refused = await client.post("/", content=b'{"resourceType": "Bundle", "type": ', headers=headers)
        assert refused.status_code == 400
        assert refused.json()["resourceType"] == "OperationOutcome"
        event = next(e for e in short_ward().events if e.protocol.value == "fhir")
        assert (await client.post("/", content=event.payload, headers=headers)).is_success


POISONED = (
    (Topic.NOTES_RECEIVED, Topic.NLP_CODER_DLQ),
    (Topic.IMAGES_RECEIVED, Topic.IMAGE_ROUTER_DLQ),
    (Topic.OBSERVATIONS_RECEIVED, Topic.FUSION_DLQ),
    (Topic.PATIENT_RISK, Topic.ALERTING_DLQ),
)


@pytest.mark.parametrize(("topic", "letters"), POISONED)
async def test_a_poison_message_on_a_topic_goes_to_the_dead_letters_and_those_after_it_are_handled(
    vigil: Vigil, topic: Topic, letters: Topic
) -> None:
    stack = vigil.stack
    poison = b"\xff\xff not a message"
    async with follow(stack.bootstrap) as follower, connect(stack.endpoints) as delivers:
        await _produce(stack.bootstrap, topic, poison)
        ward, ledger = short_ward(), Ledger()
        await play(ward.events, delivers, Pace(ward.plan.start, 0.0, 1e9), ledger, lambda _: None)
        await all_out(ledger.sent, follower, stack.keys, patience_s=30)
        results = accounts(ledger.sent, follower.seen, stack.keys)
        async with asyncio.timeout(10):
            while not [letter for letter in follower.seen.dead if letter[0] == letters]:
                follower.changed.clear()
                await follower.changed.wait()
    assert [result.missing for result in results if result.missing] == []
    assert all(reason for _, reason in follower.seen.dead)


async def _produce(bootstrap: str, topic: Topic, payload: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(topic.value, payload, key=b"0" * 32, partition=0)
    finally:
        await producer.stop()
