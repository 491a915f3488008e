"""Codes that somebody assigned, from the wire to the topic: HL7 DG1 and FHIR Condition."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from cli.senders import MllpClient
from services.common.icd10cm import is_icd10cm, written
from services.common.topics import Topic
from services.note_ingest.fhir.routes import fhir_routes
from services.note_ingest.hl7v2.messages import Hl7Settings
from services.note_ingest.reception import Reception
from tests.note_ingest.conftest import FakeKafka
from tests.note_ingest.fhir_samples import FUTURE, PATIENT, bundle, document
from tests.note_ingest.hl7_samples import PID, PV1, message, msh
from tests.note_ingest.test_mllp_server import HOST, serving

TXA = "TXA|1|CN||20261123100000||||||||DOC-1|"
OBX = "OBX|1|TX|||Short of breath.||||||F"


def codes_of(received: Any) -> list[tuple[str, str]]:
    return [(entry.code, entry.code_system) for entry in received.assigned_codes]


def condition(code: str, system: str = "http://hl7.org/fhir/sid/icd-10-cm", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "subject": {"reference": "urn:uuid:0"},
        "code": {"coding": [{"system": system, "code": code}]},
        **more,
    }


@pytest.fixture
async def mllp(reception: Reception, hl7: Hl7Settings, unused_tcp_port: int) -> AsyncIterator[Any]:
    async with serving(reception, hl7, unused_tcp_port), MllpClient(HOST, unused_tcp_port) as client:
        yield client


@pytest.mark.parametrize(
    ("dg1", "assigned"),
    [
        ("DG1|1||J18.9^Pneumonia^I10", ("J18.9", "I10")),
        ("DG1|1||j189^Pneumonia^I10C", ("J18.9", "I10C")),
        ("DG1|1|ICD10|A419", ("A41.9", "ICD10")),
        ("DG1|1||486^Pneumonia^I9C^J18.9^Pneumonia^I10C", ("J18.9", "I10C")),
        ("DG1|1||486^Pneumonia^I9C", ("486", "I9C")),
    ],
)
async def test_the_diagnoses_of_a_document_reach_the_topic_with_its_text(
    dg1: str, assigned: tuple[str, str], mllp: MllpClient, kafka: FakeKafka
) -> None:
    assert (await mllp.send(message(msh("MDM^T02"), PID, PV1, dg1, TXA, OBX))).code == "AA"
    [note] = kafka.on(Topic.NOTES_RECEIVED)
    assert codes_of(note) == [assigned]


async def test_a_diagnosis_that_is_deleted_is_not_assigned(mllp: MllpClient, kafka: FakeKafka) -> None:
    deleted = "DG1|2||A41.9^Sepsis^I10" + "|" * 18 + "D"
    assert (
        await mllp.send(message(msh("MDM^T02"), PID, PV1, "DG1|1||J18.9^Pneumonia^I10", deleted, TXA, OBX))
    ).accepted
    [note] = kafka.on(Topic.NOTES_RECEIVED)
    assert codes_of(note) == [("J18.9", "I10")]


async def test_diagnoses_without_a_document_go_with_the_stay(mllp: MllpClient, kafka: FakeKafka) -> None:
    assert (await mllp.send(message(msh("ADT^A08"), PID, PV1, "DG1|1||j189^Pneumonia^I10"))).accepted
    [stay] = kafka.on(Topic.ENCOUNTERS)
    assert codes_of(stay) == [("J18.9", "I10")]
    assert not kafka.on(Topic.NOTES_RECEIVED)


async def test_the_conditions_of_a_bundle_reach_the_topic_with_its_document(
    reception: Reception, kafka: FakeKafka
) -> None:
    refuted: dict[str, Any] = {"verificationStatus": {"coding": [{"code": "refuted"}]}}
    parts = (
        PATIENT,
        document(subject={"reference": "urn:uuid:0"}),
        condition("J189"),
        condition("233604007", "http://snomed.info/sct"),
        condition("A41.9", **refuted),
    )
    transport = httpx.ASGITransport(Starlette(routes=fhir_routes(reception, 50_000, FUTURE)))
    async with httpx.AsyncClient(transport=transport, base_url="http://vigil") as client:
        answer = await client.post("/fhir", json=bundle(*parts))
    assert answer.status_code == 200
    [note] = kafka.on(Topic.NOTES_RECEIVED)
    assert codes_of(note) == [
        ("J18.9", "http://hl7.org/fhir/sid/icd-10-cm"),
        ("233604007", "http://snomed.info/sct"),
    ]


@pytest.mark.parametrize(
    ("code", "system", "is_one"),
    [
        ("J18.9", "I10", True),
        ("J18.9", "ICD-10-CM", True),
        ("J18.9", "urn:oid:2.16.840.1.113883.6.90", True),
        ("J18.9", "", True),
        ("U07.1", "", True),
        ("233604007", "", False),
        ("J18.9", "I9C", False),
        ("J18.9", "http://snomed.info/sct", False),
    ],
)
def test_a_system_is_icd_10_cm_by_its_name_or_the_code_by_its_shape(code: str, system: str, is_one: bool) -> None:
    assert is_icd10cm(code, system) is is_one


def test_a_code_is_written_with_its_dot_in_upper_case() -> None:
    assert [written(code) for code in ("j189", "J18.9", "i10", "s72 001a", "u071", "486")] == [
        "J18.9", "J18.9", "I10", "S72.001A", "U07.1", "486",
    ]  # fmt: skip
