import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from services.common.topics import Topic
from services.note_ingest.drafts import About, Identity, Measurements, MeasurementStatus, Note, Sex, Stay, StayStatus
from services.note_ingest.fhir.requests import read_bundle, read_single
from services.note_ingest.fhir.resources import parse_json
from services.note_ingest.fhir.routes import fhir_routes
from services.note_ingest.reception import Reception
from services.note_ingest.refusals import BAD_VALUE, LONGEST_REASON, Refused
from tests.note_ingest.conftest import FakeKafka
from tests.note_ingest.fhir_samples import (
    AT,
    COMPOSITION,
    FUTURE,
    NOW,
    PATIENT,
    REPORT,
    STAY,
    attachment,
    bundle,
    document,
    loinc,
    observation,
    worded,
)


def single(resource: dict[str, Any]) -> Any:
    [draft] = read_single(resource, NOW, FUTURE).parsed().drafts
    return draft


def refusal(resource: dict[str, Any]) -> Refused:
    with pytest.raises(Refused) as refused:
        read_single(resource, NOW, FUTURE)
    return refused.value


def without_status(resource: dict[str, Any]) -> dict[str, Any]:
    """With a reason why there is none, which FHIR's models take for one."""
    absent = {"_status": {"extension": [{"url": "http://x/data-absent-reason", "valueCode": "unknown"}]}}
    return {k: v for k, v in resource.items() if k != "status"} | absent


def test_an_observation_is_a_value_of_its_patient() -> None:
    group = single(observation())
    assert isinstance(group, Measurements)
    assert group.subject.patient == Identity("WARD", "MRN-77")
    assert group.event_time == datetime(2026, 11, 23, 11, tzinfo=UTC)
    [measured] = group.measurements
    assert (measured.value, measured.unit, measured.codes[0].code) == (88.0, "/min", "8867-4")


def test_an_observation_states_the_age_and_sex_of_the_patient_that_it_contains() -> None:
    person = PATIENT | {"id": "p", "birthDate": "2020-03-15", "gender": "female"}
    group = single(observation(contained=[person], subject={"reference": "#p"}))
    assert (group.about.born, group.about.sex) == (date(2020, 3, 15), Sex.FEMALE)
    assert single(observation()).about == About()


def test_components_are_values_of_their_own() -> None:
    parts = [
        {"code": loinc(code), "valueQuantity": {"value": value, "unit": "mmHg"}}
        for code, value in (("8480-6", 120), ("8462-4", 70))
    ]
    panel = {k: v for k, v in observation("85354-9").items() if k != "valueQuantity"} | {"component": parts}
    assert [(m.codes[0].code, m.value) for m in single(panel).measurements] == [("8480-6", 120.0), ("8462-4", 70.0)]


@pytest.mark.parametrize(
    ("status", "meant"),
    [
        ("corrected", MeasurementStatus.CORRECTED),
        ("amended", MeasurementStatus.CORRECTED),
        ("entered-in-error", MeasurementStatus.WITHDRAWN),
    ],
)
def test_the_status_of_an_observation_is_kept(status: Any, meant: Any) -> None:
    assert single(observation(status=status)).measurements[0].status is meant


def test_what_has_no_result_makes_nothing() -> None:
    assert read_single(observation(status="cancelled"), NOW, FUTURE).parsed().drafts == ()


def test_a_document_is_a_note() -> None:
    note = single(document(relatesTo=[{"code": "replaces", "target": {"identifier": {"value": "DOC-0"}}}]))
    assert isinstance(note, Note)
    assert (note.text, note.document_id, note.kind, note.replaces) == ("Short of breath.", "DOC-1", "nursing", "DOC-0")


def test_a_report_is_a_note_of_radiology_with_its_accession() -> None:
    note = single(REPORT)
    assert (note.kind, note.document_id, note.accession) == ("radiology", "RAD-5", Identity("", "ACC-5"))
    assert single(REPORT | {"status": "corrected", "issued": AT}).version > 0
    assert single(REPORT | {"status": "preliminary"}).preliminary


def test_the_narrative_of_a_composition_is_its_text() -> None:
    note = single(COMPOSITION)
    assert (note.text, note.kind) == ("Course\nSepsis & shock.\nWell.", "discharge")


def test_an_encounter_says_where_the_patient_is_and_how_old() -> None:
    ward = {
        "resourceType": "Location",
        "id": "w",
        "identifier": [{"value": "ICU"}],
        "physicalType": {"coding": [{"code": "wa"}]},
    }
    bed = {
        "resourceType": "Location",
        "id": "b",
        "identifier": [{"value": "B4"}],
        "physicalType": {"coding": [{"code": "bd"}]},
        "partOf": {"reference": "Location/w"},
    }
    stay = {
        "resourceType": "Encounter",
        "status": "in-progress",
        "class": {"code": "IMP"},
        "identifier": [{"system": "WARD", "value": "V-9"}],
        "subject": {"reference": "urn:uuid:0"},
        "period": {"start": AT},
        "location": [{"location": {"reference": "Location/b"}}],
    }
    drafts = read_bundle(bundle(PATIENT, ward, bed, stay), NOW, FUTURE).parsed().drafts
    [draft] = drafts
    assert isinstance(draft, Stay)
    assert (draft.status, draft.ward, draft.bed, draft.sex) == (StayStatus.IN_PROGRESS, "ICU", "B4", Sex.FEMALE)
    assert (draft.born, draft.subject.visit) == (date(1950, 3, 15), Identity("WARD", "V-9"))


def test_a_bundle_is_put_together_a_patient_and_codes_go_with_the_note() -> None:
    condition = {
        "resourceType": "Condition",
        "subject": {"reference": "urn:uuid:0"},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "J18.9"}]},
    }
    to_patient: dict[str, Any] = {"subject": {"reference": "urn:uuid:0"}}
    parts = [
        PATIENT,
        observation(**to_patient),
        observation("9279-1", 18, **to_patient),
        document(**to_patient),
        condition,
    ]
    stay, note, group = read_bundle(bundle(*parts), NOW, FUTURE).parsed().drafts
    assert isinstance(stay, Stay)
    assert isinstance(note, Note)
    assert isinstance(group, Measurements)
    assert stay.event_time == group.event_time
    assert [code.code for code in note.assigned_codes] == ["J18.9"]
    assert len(group.measurements) == 2
    assert {stay.subject.patient, note.subject.patient, group.subject.patient} == {Identity("WARD", "MRN-77")}


@pytest.mark.parametrize(
    ("resource", "expression"),
    [
        (observation(subject={"reference": "urn:uuid:1"}), "Observation.subject"),
        (observation(subject={"reference": "Group/1"}), "Observation.subject"),
        (observation(subject={"display": "Quixote"}), "Observation.subject"),
        (
            observation(contained=[{"resourceType": "Patient", "id": "p"}], subject={"reference": "#p"}),
            "Observation.subject",
        ),
        (without_status(observation()), "Observation.status"),
        (without_status(document()), "DocumentReference.status"),
        (without_status(REPORT), "DiagnosticReport.status"),
        (without_status(COMPOSITION), "Composition.status"),
        (without_status(STAY), "Encounter.status"),
        (document(status="superseded", identifier=[]), "DocumentReference.identifier"),
        (observation(effectiveDateTime="2029-01-01"), "Observation.effectiveDateTime"),
        (observation(status="fine"), "Observation.status"),
        (observation(bad=1), "Observation"),
        (observation(value=10**400), "Observation.valueQuantity.value"),
        (worded("x" * 3_000_000), "Observation.value"),
        ({k: v for k, v in observation().items() if k != "code"}, "Observation.code"),
        (
            document(content=[{"attachment": attachment("x", "application/pdf")}]),
            "DocumentReference.content[0].attachment.contentType",
        ),
        (
            document(content=[{"attachment": {"contentType": "text/plain", "url": "http://x/y"}}]),
            "DocumentReference.content[0].attachment.data",
        ),
        ({"resourceType": "Patient"}, "Patient.identifier"),
        ({"resourceType": "Device"}, "Device"),
    ],
)
def test_a_fault_is_told_with_its_expression(resource: dict[str, Any], expression: str) -> None:
    refused = refusal(resource)
    assert refused.location == expression
    assert "MRN" not in refused.reason


@pytest.mark.parametrize(
    ("resource", "expression"),
    [
        (observation(MRN77Quixote=1), "Observation"),
        (observation() | {"MRN77Quixote" * 900: 1}, "Observation"),
        (observation(component=[{"code": loinc("8480-6"), "MRN77Quixote": 1}]), "Observation.component[0]"),
        (observation(status={"MRN77Quixote": 1}), "Observation.status"),
        (observation(contained=[{"resourceType": "Patient", "MRN77Quixote": 1}]), "Observation.contained[0]"),
        (observation(contained=[{"resourceType": "MRN77Quixote"}]), "Observation"),
        (observation(contained=[{"resourceType": {"MRN77Quixote": 1}}]), "Observation"),
    ],
)
async def test_a_refusal_quotes_no_word_of_the_sender(
    http: httpx.AsyncClient, kafka: FakeKafka, resource: dict[str, Any], expression: str
) -> None:
    answer = await http.post("/fhir/Observation", content=json.dumps(resource))
    [kept] = kafka.on(Topic.NOTE_INGEST_DLQ)
    assert answer.status_code == 422
    assert "MRN77Quixote" not in answer.text + kept.reason + kept.stack
    assert refusal(resource).location == expression
    assert len(refusal(resource).reason) <= LONGEST_REASON


def test_a_reason_is_never_long() -> None:
    assert len(Refused(BAD_VALUE, "x" * 5000).reason) == LONGEST_REASON


@pytest.mark.parametrize("level", ["tag", "security"])
def test_test_data_is_marked(level: str) -> None:
    marked = observation(meta={level: [{"code": "HTEST"}]})
    assert read_single(marked, NOW, FUTURE).arrival.synthetic
    assert not read_single(observation(), NOW, FUTURE).arrival.synthetic


@pytest.fixture
async def http(reception: Reception) -> AsyncIterator[Any]:
    transport = httpx.ASGITransport(Starlette(routes=fhir_routes(reception, 50_000, FUTURE)))
    async with httpx.AsyncClient(transport=transport, base_url="http://vigil") as client:
        yield client


async def test_a_resource_is_created_after_kafka_has_it(http: httpx.AsyncClient, kafka: FakeKafka) -> None:
    answer = await http.post("/fhir/Observation", json=observation())
    [group] = kafka.on(Topic.OBSERVATIONS_RECEIVED)
    assert answer.status_code == 201
    assert answer.headers["location"].endswith(f"/fhir/Observation/{group.meta.message_id}")
    assert answer.json()["issue"][0]["severity"] == "information"


async def test_without_kafka_the_answer_is_503_with_retry_after(http: httpx.AsyncClient, kafka: FakeKafka) -> None:
    kafka.away = True
    answer = await http.post("/fhir", json=bundle(PATIENT, observation()))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["issue"][0]["code"] == "transient"


async def test_one_fault_refuses_a_whole_transaction(http: httpx.AsyncClient, kafka: FakeKafka) -> None:
    answer = await http.post("/fhir", json=bundle(observation(), observation(subject={"reference": "urn:uuid:none"})))
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1].resource.ofType(Observation).subject"]
    assert [publish.to for publish in kafka.published] == [Topic.NOTE_INGEST_DLQ]


async def test_each_entry_of_a_batch_stands_alone(http: httpx.AsyncClient, kafka: FakeKafka) -> None:
    answer = await http.post("/fhir", json=bundle(observation(), observation(bad=1), kind="batch"))
    assert answer.status_code == 200
    assert [entry["response"]["status"] for entry in answer.json()["entry"]] == ["201", "422"]
    assert {publish.to for publish in kafka.published} == {Topic.OBSERVATIONS_RECEIVED, Topic.NOTE_INGEST_DLQ}


@pytest.mark.parametrize("kind", ["message", "collection", "document"])
async def test_other_bundles_are_taken_whole(http: httpx.AsyncClient, kafka: FakeKafka, kind: str) -> None:
    answer = await http.post(
        "/fhir",
        json=bundle(observation(), kind=kind)
        | ({"identifier": {"value": "1"}, "timestamp": AT} if kind == "document" else {}),
    )
    assert answer.status_code == 200, answer.text
    assert len(kafka.on(Topic.OBSERVATIONS_RECEIVED)) == 1


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/fhir/Observation", b"{", 400),
        ("/fhir/Observation", b"[1]", 400),
        ("/fhir/Observation", b'{"resourceType":"Patient"}', 422),
        ("/fhir", json.dumps(observation()).encode(), 400),
        ("/fhir/Observation", b'{"resourceType":"Observation","status":"\\ud800"}', 400),
        ("/fhir/Nonsense", b'{"resourceType":"Nonsense"}', 422),
        ("/fhir", json.dumps(bundle(kind="searchset")).encode(), 422),
        ("/fhir", json.dumps(bundle()).encode(), 422),
        ("/fhir/Observation", b"x" * 60_000, 413),
    ],
)
async def test_what_is_wrong_is_answered_with_an_outcome(
    http: httpx.AsyncClient, path: str, body: bytes, status: Any
) -> None:
    answer = await http.post(path, content=body, headers={"content-type": "application/fhir+json"})
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_the_capability_statement_is_one(http: httpx.AsyncClient) -> None:
    answer = await http.get("/fhir/metadata")
    get_fhir_model_class("CapabilityStatement").model_validate(answer.json())
    created = {resource["type"] for resource in answer.json()["rest"][0]["resource"]}
    assert {"Observation", "DocumentReference", "DiagnosticReport", "Encounter", "Patient"} <= created


async def test_every_answer_is_valid_fhir(http: httpx.AsyncClient) -> None:
    for body in (bundle(observation()), bundle(observation(bad=1), PATIENT, kind="batch")):
        answer = (await http.post("/fhir", json=body)).json()
        get_fhir_model_class(answer["resourceType"]).model_validate(answer)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from([*observation(), *document(), "component", "identifier", "meta", "contained"])


@settings(deadline=None)
@given(
    st.sampled_from([observation(), document(), PATIENT]),
    fields,
    json_values,
    st.sampled_from(["batch", "transaction"]),
)
def test_any_content_is_understood_or_refused(resource: dict[str, Any], field: str, value: Any, kind: str) -> None:
    broken = {**resource, field: value, "resourceType": resource["resourceType"]}
    for read, body in ((read_single, broken), (read_bundle, bundle(broken, PATIENT, kind=kind))):
        refused = None
        try:
            read(parse_json(json.dumps(body).encode()), NOW, FUTURE)
        except Refused as error:
            refused = error
        assert refused is None or refused.reason
