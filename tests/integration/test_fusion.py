"""Fusion as a process on real Kafka, killed in the middle of its work."""

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from vigil.v1.fusion_service_pb2 import GetPatientRequest
from vigil.v1.fusion_service_pb2_grpc import FusionServiceStub
from vigil.v1.risk_pb2 import PatientRisk

from services.common.bus import SESSION_TIMEOUT_MS, Producer, Publish
from services.common.settings import REPOSITORY
from services.common.topics import Topic, message_class, registry
from services.fusion.handlers import Fusion, fused
from services.fusion.state import Input, PatientRecord
from tests.fusion.making import SEPTIC, code, encounter, image, note, observations
from tests.stacks import Stack, running_stack

pytestmark = pytest.mark.timeout(300)

KILLED = [f"{number:032x}" for number in range(8)]
RECOVERED, POISONED, STALLED = "a" * 32, "b" * 32, "c" * 32
ROUNDS = 40
TOPICS = {
    "ObservationsReceived": Topic.OBSERVATIONS_RECEIVED,
    "Encounter": Topic.ENCOUNTERS,
    "NoteCoded": Topic.NOTES_CODED,
    "ImageFindings": Topic.IMAGE_FINDINGS,
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka alone, with topics of its own. Each test has patients of its own."""
    with running_stack(tmp_path_factory.mktemp("fusion"), only="kafka") as made:
        yield made


@contextmanager
def running_fusion(stack: Stack) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "services.fusion"]
    environment = stack.clean_environment() | {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'generated'}"}
    with (stack.folder / "fusion.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=stack.folder, env=environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def stream_of(patient: str) -> list[Input]:
    """A day of one patient: values, movements, notes and images, some corrected, some late."""
    chance = random.Random(patient)  # noqa: S311 - a seed makes the same stream again
    messages: list[Input] = []
    for number in range(ROUNDS):
        at, name = number * 15, f"{patient[-2:]}-{number}"
        kind = chance.choice(["observations"] * 7 + ["encounter", "note", "image"])
        if kind == "observations":
            values = {vital: value + chance.randint(0, 3) for vital, value in SEPTIC.items() if vital != "fio2"}
            messages.append(observations(name, at, values))
        elif kind == "encounter":
            messages.append(encounter(name, at, bed=str(number)))
        elif kind == "note":
            messages.append(note(name, at, [code(chance.choice(["J18.9", "N39.0", "J93.9"]), "Stated")]))
        else:
            messages.append(image(name, at, {"pneumonia": chance.random()}))
    for message in messages:
        message.meta.patient_key = patient
    return messages


def publishes(messages: Sequence[Input]) -> list[Publish]:
    return [Publish(TOPICS[one.DESCRIPTOR.name], one.meta.patient_key, one) for one in messages]


async def everything_on(stack: Stack, topic: Topic) -> list[Any]:
    """All messages of a topic, in the order of their partitions."""
    reader = AIOKafkaConsumer(bootstrap_servers=stack.settings.kafka_bootstrap, auto_offset_reset="earliest")
    await reader.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(registry()[topic].partitions)]
        reader.assign(partitions)
        ends = await reader.end_offsets(partitions)
        await reader.seek_to_beginning(*partitions)
        found: list[Any] = []
        while any([await reader.position(one) < end for one, end in ends.items()]):
            for records in (await reader.getmany(timeout_ms=200)).values():
                found += [message_class(topic).FromString(record.value) for record in records]
        return found
    finally:
        await reader.stop()


async def risks_until(
    stack: Stack, patients: Sequence[str], holds: Callable[[list[PatientRisk]], bool], limit_s: float = 90
) -> list[PatientRisk]:
    """All risks of the patients as soon as `holds` is true of them."""
    risks: list[PatientRisk] = []
    async with asyncio.timeout(limit_s):
        while not holds(risks):
            await asyncio.sleep(0.1)
            published = await everything_on(stack, Topic.PATIENT_RISK)
            risks = [risk for risk in published if risk.meta.patient_key in patients]
    return risks


def ids(risks: Sequence[PatientRisk]) -> set[str]:
    return {risk.meta.message_id for risk in risks}


def causes(risks: Sequence[PatientRisk]) -> set[str]:
    return {one for risk in risks for one in risk.caused_by}


async def states(stack: Stack, patients: Sequence[str]) -> list[PatientRecord]:
    """What fusion answers, as soon as it is ready."""
    async with asyncio.timeout(60), httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(f"{stack.url('fusion')}/readyz")).status_code == httpx.codes.OK:
                    break
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{stack.port('VIGIL_FUSION_GRPC_PORT')}") as channel:
        stub = FusionServiceStub(channel)
        answers = [await stub.GetPatient(GetPatientRequest(patient_key=key)) for key in patients]
    return [PatientRecord.FromString(answer.patient.SerializeToString()) for answer in answers]


def assert_is_fold(record: PatientRecord, messages: Sequence[Input]) -> None:
    """The state must be that of the messages, whatever happened to the process meanwhile."""
    expected, fusion = PatientRecord(record.patient_key), Fusion()
    for message in messages:
        expected, _ = fused(expected, message, fusion)
    for name in ("as_of", "observations", "movements", "notes", "images", "revision"):
        assert getattr(record, name) == getattr(expected, name), name
    assert sorted(record.seen) == sorted(expected.seen)
    assert record.risk.scores == expected.risk.scores
    assert record.risk.syndromes == expected.risk.syndromes
    assert record.risk.critical_findings == expected.risk.critical_findings


async def test_kill_9_in_the_middle_loses_nothing_and_shows_nothing_twice(stack: Stack) -> None:
    by_patient = {patient: stream_of(patient) for patient in KILLED}
    messages = [one for together in zip(*by_patient.values(), strict=True) for one in together]
    quarter = len(messages) // 4
    async with Producer(stack.settings, "test") as producer:
        for number in range(4):
            with running_fusion(stack) as process:
                part = asyncio.create_task(
                    producer.publish_all(publishes(messages[number * quarter : (number + 1) * quarter]))
                )
                done = number * quarter + quarter // 2
                await risks_until(stack, KILLED, lambda risks, done=done: len(ids(risks)) >= done)  # type: ignore[misc]
                await part
                process.send_signal(signal.SIGKILL)
                process.wait()
    with running_fusion(stack):
        wanted = {one.meta.message_id for one in messages}
        risks = await risks_until(stack, KILLED, lambda risks: causes(risks) >= wanted)
        records = await states(stack, KILLED)
    assert causes(risks) == wanted
    assert len(ids(risks)) == len(messages)
    for record in records:
        assert_is_fold(record, by_patient[record.patient_key])
        newest = max((r for r in risks if r.meta.patient_key == record.patient_key), key=lambda r: r.meta.revision)
        assert newest.meta.revision == ROUNDS


async def test_a_killed_fusion_has_its_state_again_without_any_new_message(stack: Stack) -> None:
    messages = stream_of(RECOVERED)
    async with Producer(stack.settings, "test") as producer:
        with running_fusion(stack) as process:
            await producer.publish_all(publishes(messages))
            await risks_until(stack, [RECOVERED], lambda risks: len(ids(risks)) == len(messages))
            (before,) = await states(stack, [RECOVERED])
            process.send_signal(signal.SIGKILL)
            process.wait()
    with running_fusion(stack):
        (after,) = await states(stack, [RECOVERED])
    assert after.revision == before.revision == ROUNDS
    assert_is_fold(after, messages)


async def test_a_fusion_that_stood_still_for_longer_than_its_session_loses_nothing(stack: Stack) -> None:
    messages = stream_of(STALLED)
    async with Producer(stack.settings, "test") as producer:
        with running_fusion(stack) as process:
            await states(stack, [])
            await producer.publish_all(publishes(messages[:10]))
            process.send_signal(signal.SIGSTOP)
            for message in messages[10:]:
                await producer.publish_all(publishes([message]))
            await asyncio.sleep(SESSION_TIMEOUT_MS / 1000 + 2)
            process.send_signal(signal.SIGCONT)
            # Its partitions are handed out anew: it ends, and whoever watches it starts it again.
            assert await asyncio.to_thread(process.wait, 60) == 1
    with running_fusion(stack):
        wanted = {one.meta.message_id for one in messages}
        await risks_until(stack, [STALLED], lambda risks: causes(risks) >= wanted)
        (record,) = await states(stack, [STALLED])
    assert_is_fold(record, messages)


async def test_what_nobody_can_read_goes_to_the_dead_letters_and_the_next_is_handled(stack: Stack) -> None:
    good = observations("good", 0, SEPTIC, key=POISONED)
    raw = AIOKafkaProducer(bootstrap_servers=stack.settings.kafka_bootstrap)
    await raw.start()
    try:
        with running_fusion(stack):
            for payload in (b"\xff\xff not protobuf", None, good.SerializeToString()):
                await raw.send_and_wait(Topic.OBSERVATIONS_RECEIVED, payload, key=POISONED.encode())
            risks = await risks_until(stack, [POISONED], lambda risks: len(risks) == 1)
            letters = await everything_on(stack, Topic.FUSION_DLQ)
    finally:
        await raw.stop()
    assert list(risks[0].caused_by) == ["good"]
    assert [(letter.reason, letter.payload) for letter in letters] == [
        ("not a vigil.v1.ObservationsReceived", b"\xff\xff not protobuf"),
        ("the message has no id or no patient key", b""),
    ]


async def test_fusion_stops_cleanly_when_asked(stack: Stack) -> None:
    with running_fusion(stack) as process:
        await states(stack, [])
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) == 0
