import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import grpc
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from vigil.v1.fusion_service_pb2 import GetPatientRequest, ListPatientsRequest, ScoreStayRequest
from vigil.v1.fusion_service_pb2_grpc import FusionServiceStub, add_FusionServiceServicer_to_server

from services.common.stateful import States
from services.fusion.grpc_api import FusionServicer
from services.fusion.handlers import Fusion, fused
from services.fusion.http_api import create_routes
from services.fusion.scoring import Scorer
from services.fusion.state import PatientRecord
from services.fusion.views import Patients
from services.fusion.vitals import Staleness
from tests.fusion.making import HEALTHY, NOON, SEPTIC, encounter, note, observations
from tests.fusion.models_of import MODELS, FakeTriton

KEYS = [f"{number:032x}" for number in range(7)]


def encoded(key: str) -> bytes:
    record, fusion = PatientRecord(key), Fusion(clock=lambda: NOON)
    messages = (
        encounter("e", -90, bed=f"bed-{key[-1]}"),
        observations("lab", -60, {"lactate": 3.1}),
        observations("o", 0, SEPTIC if key == KEYS[3] else HEALTHY),
        note("n", -5),
    )
    for message in messages:
        record, _ = fused(record, message, fusion)
    record.risk.estimates.add(name="mortality", probability=0.25, low=0.125, high=0.5, alarm=True)
    record.risk.estimates.add(name="sepsis", abstained="too little")
    return record.SerializeToString()


@pytest.fixture(scope="module")
def patients() -> Patients:
    return Patients(
        States(PatientRecord, {key.encode(): encoded(key) for key in KEYS}),
        Staleness(),
        lambda: NOON + timedelta(hours=2),
        lambda: True,
    )


@pytest.fixture
def client(patients: Patients) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=create_routes(patients))) as made:
        yield made


def test_patients_are_listed_with_their_scores(client: TestClient) -> None:
    listed = client.get("/patients").json()["patients"]
    assert [one["patient_key"] for one in listed] == KEYS
    septic = listed[3]
    assert (septic["bed"], septic["news2"], septic["qsofa"], septic["band"]) == ("bed-3", 19, 3, "high")
    assert septic["as_of"] == "2026-11-22T12:00:00Z"


@pytest.mark.parametrize("name", ["next", "page_token"])
def test_pages_follow_one_another_until_the_last(client: TestClient, name: str) -> None:
    seen, token = [], ""
    for size in (3, 3, 3):
        page = client.get("/patients", params={"page_size": size, name: token}).json()
        seen.append([one["patient_key"] for one in page["patients"]])
        token = page.get("next", "")
    assert seen == [KEYS[:3], KEYS[3:6], KEYS[6:]]
    assert token == ""


def test_a_full_last_page_has_no_next(client: TestClient) -> None:
    assert "next" not in client.get("/patients", params={"page_size": 7}).json()


@pytest.mark.parametrize("size", ["-1", "many", "1.5"])
def test_a_page_size_that_is_no_number_is_refused(client: TestClient, size: str) -> None:
    assert client.get("/patients", params={"page_size": size}).status_code == 400


def test_a_patient_is_shown_whole_with_the_age_of_every_input(client: TestClient) -> None:
    shown = client.get(f"/patients/{KEYS[3]}").json()
    assert shown["input_ages_s"]["lactate"] == 3600
    assert shown["input_ages_s"]["resp_rate"] == 0
    assert shown["input_ages_now_s"]["lactate"] == 3 * 3600
    assert shown["input_ages_now_s"]["resp_rate"] == shown["as_of_age_s"] == 2 * 3600
    assert shown["encounter"]["bed"] == "bed-3"
    assert len(shown["observations"]) == 1 + len(SEPTIC)
    assert shown["risk"]["scores"][0]["total"] == 19


def test_no_answer_holds_text_of_a_note(client: TestClient) -> None:
    assert "whole text of the note" not in json.dumps(client.get(f"/patients/{KEYS[3]}").json())


def test_an_unknown_patient_is_not_found(client: TestClient) -> None:
    assert client.get(f"/patients/{'f' * 32}").status_code == 404


def test_nothing_is_answered_while_the_patients_are_read_back(patients: Patients) -> None:
    early = replace(patients, recovered=lambda: False)
    with TestClient(Starlette(routes=create_routes(early))) as client:
        for path in ("/patients", f"/patients/{KEYS[3]}"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert answer.headers["Retry-After"]


async def test_grpc_answers_the_same(patients: Patients) -> None:
    server = grpc.aio.server()
    scorer = Scorer(FakeTriton(), MODELS, 1.0, "stay")
    add_FusionServiceServicer_to_server(FusionServicer(patients, scorer), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = FusionServiceStub(channel)
        page = await stub.ListPatients(ListPatientsRequest(page_size=5))
        rest = await stub.ListPatients(ListPatientsRequest(page_size=5, page_token=page.next_page_token))
        whole = await stub.GetPatient(GetPatientRequest(patient_key=KEYS[3]))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetPatient(GetPatientRequest(patient_key="nobody"))
        scored = await stub.ScoreStay(ScoreStayRequest(id="1", at=[120, 60]))
        with pytest.raises(grpc.aio.AioRpcError) as impossible:
            await stub.ScoreStay(ScoreStayRequest(id="1", at=[float("nan")]))
    await server.stop(None)
    assert [risk.bed for risk in [*page.risks, *rest.risks]] == [f"bed-{number}" for number in range(7)]
    assert rest.next_page_token == ""
    assert whole.patient.risk.scores[0].total == 19
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert [one.minute for one in scored.at] == [120, 60]
    assert impossible.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert impossible.value.details() == "a minute is not a number of minutes since admission"


def test_risks_are_listed_with_their_interval_or_the_reason_why_not(client: TestClient) -> None:
    risks = client.get("/patients").json()["patients"][3]["risks"]
    assert risks["mortality"] == {"p": 0.25, "low": 0.125, "high": 0.5, "alarm": True}
    assert risks["sepsis"] == {"p": None, "low": None, "high": None, "alarm": False, "abstained": "too little"}


def test_what_only_models_read_is_not_part_of_the_answer(client: TestClient) -> None:
    assert client.get(f"/patients/{KEYS[3]}").json()["earlier"] == []
