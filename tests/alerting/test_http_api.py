"""The routes of alerting, without Kafka and fusion."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from vigil.v1.alerts_pb2 import NotePlace, PatientAlerts
from vigil.v1.encounters_pb2 import EncounterStatus
from vigil.v1.fusion_service_pb2 import GetPatientResponse
from vigil.v1.images_pb2 import ImageFindings, ImageIdentity
from vigil.v1.meta_pb2 import Blob, Span
from vigil.v1.notes_pb2 import AuditVerdict, NoteCode, NoteCoded
from vigil.v1.observations_pb2 import Observation
from vigil.v1.risk_pb2 import PatientState, StoredObservation

from services.alerting.http_api import BOARD, create_routes
from services.alerting.lifecycle import alert_id
from services.alerting.patient_alerts import after_encounter, after_note
from services.common.http import create_http_app
from services.common.topics import Topic
from tests.alerting.making import HIGH, KEY, STAY, after, encounter, fresh, meta, pneumothorax, risk
from tests.alerting.notes_making import ABSENT, FAMILY, coded, medication, placed, twice_a_day
from tests.alerting.serving import Served, served

OTHER = "d" * 32
NEWS2_ID = alert_id(KEY, STAY, "news2_high")


def sick() -> PatientAlerts:
    return after(fresh(), risk(1, HIGH, findings=[pneumothorax()]))


@contextmanager
def opened(service: Served) -> Iterator[TestClient]:
    with TestClient(create_http_app(service.health, create_routes(service.api))) as client:
        yield client


@pytest.fixture
def service(tmp_path: Path) -> Served:
    return served([sick()], tmp_path)


@pytest.fixture
def client(service: Served) -> Iterator[TestClient]:
    with opened(service) as made:
        yield made


def test_alerts_have_the_fields_that_others_read(client: TestClient) -> None:
    alerts = {alert["id"]: alert for alert in client.get("/alerts").json()["alerts"]}
    alert = alerts[NEWS2_ID]
    assert (alert["patient_key"], alert["bed"], alert["severity"], alert["state"]) == (KEY, "04", "high", "firing")
    assert (alert["revision"], alert["opened_at"], alert["updated_at"]) == (
        1,
        "2026-03-01T12:01:00Z",
        "2026-03-01T12:01:00Z",
    )
    assert alert["reason"].startswith("NEWS2 is 8")
    assert "acknowledged" not in alert
    finding = next(alert for alert in alerts.values() if alert["rule"] == "critical_finding:pneumothorax")
    assert finding["evidence"][0]["spans"] == [[3, 15]]


@pytest.mark.parametrize("name", ["next", "after"])
def test_alerts_come_in_pages_that_hold_each_one_once(client: TestClient, name: str) -> None:
    first = client.get("/alerts", params={"limit": 1}).json()
    second = client.get("/alerts", params={"limit": 1, name: first["next"]}).json()
    assert "next" not in second
    assert len({first["alerts"][0]["id"], second["alerts"][0]["id"]}) == 2


def test_alerts_can_be_asked_for_by_state(client: TestClient) -> None:
    assert len(client.get("/alerts", params={"state": "firing,acknowledged"}).json()["alerts"]) == 2
    assert client.get("/alerts", params={"state": "resolved"}).json() == {"alerts": []}


WRONG = ["state=burning", "limit=0", "limit=501", "limit=x", "limit=-1", "next=garbage", "after=garbage", "next=1.2.x"]


@pytest.mark.parametrize("query", WRONG)
def test_a_wrong_question_is_answered_with_a_sentence(client: TestClient, query: str) -> None:
    answer = client.get(f"/alerts?{query}")
    assert answer.status_code == 400
    assert "must be" in answer.json()["error"] or "is no state" in answer.json()["error"]


def test_an_acknowledgement_is_written_and_answered_with_the_alert(service: Served, client: TestClient) -> None:
    answer = client.post(f"/alerts/{NEWS2_ID}/ack", json={"reason": "seen_at_bedside", "by": "RN"})
    assert answer.status_code == 200
    assert answer.json()["state"] == "acknowledged"
    assert answer.json()["acknowledged"] | {"at": ""} == {
        "by": "RN",
        "at": "",
        "reason": "seen_at_bedside",
        "comment": "",
    }
    (published,) = service.kafka.published
    assert (published.to, published.key) == (Topic.ALERT_COMMANDS, NEWS2_ID)
    assert published.partition is not None


def test_an_acknowledgement_that_is_not_applied_yet_is_answered_202(service: Served, client: TestClient) -> None:
    service.kafka.applies = False
    answer = client.post(f"/alerts/{NEWS2_ID}/ack", json={"reason": "seen_at_bedside"})
    assert (answer.status_code, answer.json()["state"]) == (202, "firing")


def test_an_acknowledgement_that_kafka_does_not_take_is_not_claimed(service: Served, client: TestClient) -> None:
    service.kafka.down = True
    answer = client.post(f"/alerts/{NEWS2_ID}/ack", json={"reason": "seen_at_bedside"})
    assert (answer.status_code, answer.json()) == (503, {"error": "Kafka did not acknowledge: TimeoutError"})


def test_what_is_over_cannot_be_acknowledged(client: TestClient) -> None:
    assert (
        client.post(f"/alerts/{NEWS2_ID}/resolve", json={"reason": "measurement_wrong"}).json()["state"] == "resolved"
    )
    answer = client.post(f"/alerts/{NEWS2_ID}/ack", json={"reason": "seen_at_bedside"})
    assert (answer.status_code, answer.json()["error"]) == (409, "the alert is already resolved")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/alerts"),
        ("GET", "/alerts/stream"),
        ("GET", f"/alerts/{NEWS2_ID}"),
        ("POST", f"/alerts/{NEWS2_ID}/ack"),
        ("POST", f"/alerts/{NEWS2_ID}/resolve"),
        ("GET", "/board/stream"),
        ("GET", "/patients"),
        ("GET", f"/patients/{KEY}/medications"),
        ("GET", f"/evidence/notes/note-1?patient={KEY}"),
    ],
)
def test_a_part_of_the_alerts_never_passes_for_all_of_them(
    service: Served, client: TestClient, method: str, path: str
) -> None:
    service.recovery.ended = False
    answer = client.request(method, path, json={"reason": "seen_at_bedside"} if method == "POST" else None)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json() == {"error": "the alerts are being read back after a start; ask again in a few seconds"}
    assert service.kafka.published == []


def test_the_board_itself_loads_while_the_alerts_are_read_back(service: Served, client: TestClient) -> None:
    service.recovery.ended = False
    assert client.get("/").status_code == client.get("/policy").status_code == 200
    service.recovery.ended = True
    assert len(client.get("/alerts").json()["alerts"]) == 2


def test_an_unknown_alert_is_not_found(client: TestClient) -> None:
    answer = client.post("/alerts/nobody/ack", json={"reason": "seen_at_bedside"})
    assert (answer.status_code, answer.json()["error"]) == (404, "there is no alert with this id")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"\xff", b'{"reason": 7}'])
def test_a_body_that_is_no_action_is_refused_with_a_sentence(client: TestClient, body: bytes) -> None:
    answer = client.post(f"/alerts/{NEWS2_ID}/ack", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_another_site_cannot_acknowledge(service: Served, client: TestClient) -> None:
    answer = client.post(f"/alerts/{NEWS2_ID}/ack", json={"reason": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert service.kafka.published == []


def test_the_history_of_a_patient_comes_from_fusion(service: Served, client: TestClient) -> None:
    seen = [StoredObservation(observation=Observation(name="spo2", value=value, unit="%")) for value in (97, 91)]
    service.fusion.answers[KEY] = GetPatientResponse(patient=PatientState(patient_key=KEY, observations=seen))
    (series,) = client.get(f"/patients/{KEY}").json()["series"]
    assert (series["name"], series["unit"], [point["value"] for point in series["points"]]) == ("spo2", "%", [97, 91])
    assert client.get(f"/patients/{OTHER}").status_code == 404


def test_it_says_plainly_that_fusion_does_not_answer(service: Served, client: TestClient) -> None:
    service.fusion.down = True
    answer = client.get(f"/patients/{KEY}")
    assert (answer.status_code, answer.json()) == (503, {"error": "fusion does not answer"})


def test_patients_are_listed_with_scores_and_alerts(client: TestClient) -> None:
    (patient,) = client.get("/patients").json()["patients"]
    assert (patient["patient_key"], patient["bed"], patient["scores"]["news2"]["total"]) == (KEY, "04", 8)
    assert len(patient["alerts"]) == 2
    assert patient["news2_trend"] == [{"at": "2026-03-01T12:01:00Z", "total": 8, "partial": False}]


@pytest.mark.parametrize(("hours", "listed"), [(23, 1), (25, 0)])
def test_who_left_is_listed_for_a_day(tmp_path: Path, hours: int, listed: int) -> None:
    left = after_encounter(fresh(), encounter(-60 * hours, EncounterStatus.ENCOUNTER_STATUS_DISCHARGED))
    with opened(served([left, after(PatientAlerts(), risk(1, key=OTHER))], tmp_path)) as client:
        assert len(client.get("/patients").json()["patients"]) == listed + 1


def with_note(text: str, tmp_path: Path) -> Served:
    state = sick()
    state.notes.append(NotePlace(note_message_id="note-1", coded_message_id="coded-1", kind="radiology"))
    service = served([state], tmp_path)
    service.notes.note = NoteCoded(meta=meta("coded-1"), note_message_id="note-1", kind="radiology", text=text)
    return service


def test_the_text_of_a_note_opens_for_its_patient_and_for_nobody_else(tmp_path: Path) -> None:
    with opened(with_note("A pneumothorax.", tmp_path)) as client:
        assert client.get(f"/evidence/notes/note-1?patient={KEY}").json()["text"] == "A pneumothorax."
        assert client.get(f"/evidence/notes/note-1?patient={OTHER}").status_code == 404
        assert client.get("/evidence/notes/note-1").status_code == 400


def test_a_note_opens_with_what_is_proposed_and_what_the_guidelines_withhold(tmp_path: Path) -> None:
    service = with_note("Pneumothorax. No fever.", tmp_path)
    assert service.notes.note is not None
    service.notes.note.codes.extend(
        [
            NoteCode(code="J93.9", selected=True, score=0.9, spans=[Span(start=0, end=12)]),
            NoteCode(code="R50.9", withheld="denied", spans=[Span(start=17, end=22)]),
            NoteCode(code="R05.9", score=0.1),
        ]
    )
    with opened(service) as client:
        codes = client.get(f"/evidence/notes/note-1?patient={KEY}").json()["codes"]
    assert [(code["code"], code["selected"], code["withheld"], code["spans"]) for code in codes] == [
        ("J93.9", True, "", [[0, 12]]),
        ("R50.9", False, "denied", [[17, 22]]),
    ]


def test_a_note_opens_with_what_is_said_of_the_codes_that_came_with_it(tmp_path: Path) -> None:
    service = with_note("Lobar pneumonia.", tmp_path)
    assert service.notes.note is not None
    service.notes.note.audit.add(
        code="J18.9",
        verdict=AuditVerdict.AUDIT_VERDICT_LESS_SPECIFIC,
        spans=[Span(start=0, end=15)],
        suggested="J18.1",
        display="Pneumonia, unspecified organism",
        suggested_display="Lobar pneumonia, unspecified organism",
    )
    with opened(service) as client:
        [result] = client.get(f"/evidence/notes/note-1?patient={KEY}").json()["audit"]
    assert result == {
        "code": "J18.9",
        "display": "Pneumonia, unspecified organism",
        "verdict": "less_specific",
        "spans": [[0, 15]],
        "suggested": "J18.1",
        "suggested_display": "Lobar pneumonia, unspecified organism",
    }


def test_a_note_opens_with_its_entities_and_what_is_said_of_them(tmp_path: Path) -> None:
    service = with_note("Furosemide 40 mg.", tmp_path)
    assert service.notes.note is not None
    service.notes.note.entities.append(medication("furosemide", dose="40 mg"))
    service.notes.note.entities.add(type="disease", code="J93.9", assertion=ABSENT, experiencer=FAMILY)
    with opened(service) as client:
        drug, disease = client.get(f"/evidence/notes/note-1?patient={KEY}").json()["entities"]
    assert (drug["type"], drug["span"], drug["name"], drug["assertion"]) == (
        "medication",
        [0, 10],
        "furosemide",
        "present",
    )
    assert drug["attributes"] == [
        {"name": "dose", "span": [11, 15], "value": "40 mg", "spoken": "40 mg", "amount": 40, "unit": "mg"}
    ]
    assert (disease["code"], disease["assertion"], disease["experiencer"]) == ("J93.9", "absent", "family")


def test_a_report_opens_with_the_words_that_say_where_a_finding_is(tmp_path: Path) -> None:
    service = with_note("Left effusion.", tmp_path)
    assert service.notes.note is not None
    mention = service.notes.note.findings.add(label="pleural_effusion", status="positive").mentions.add()
    detail = mention.details.add(name="laterality", value="left")
    detail.span.end = 4
    with opened(service) as client:
        [finding] = client.get(f"/evidence/notes/note-1?patient={KEY}").json()["findings"]
    assert finding["mentions"][0]["details"] == [
        {"name": "laterality", "value": "left", "text": "Left", "span": [0, 4]}
    ]


def test_medications_of_a_patient_are_told_over_time_with_the_words_they_rest_on(tmp_path: Path) -> None:
    state = sick()
    first = coded(
        "a", medication("penicillin", status="allergy"), twice_a_day(medication("furosemide", 30, dose="40 mg"))
    )
    for place in placed(first, coded("b", medication("furosemide", 5, status="stopped"), minute=30)):
        state = after_note(state, place)
    with opened(served([state], tmp_path)) as client:
        told = client.get(f"/patients/{KEY}/medications").json()
        assert client.get(f"/patients/{OTHER}/medications").json() == {
            "error": "no patient with this key is known here"
        }
        assert client.get(f"/patients/{OTHER}/medications").status_code == 404
    assert [row["name"] for row in told["allergies"]] == ["penicillin"]
    [row] = told["medications"]
    started, stopped = row["statements"]
    assert started["note"] == {"message_id": "a", "kind": "progress", "event_time": "2026-03-01T12:00:00Z"}
    assert (started["span"], started["product"], started["assertion"]) == ([30, 40], "furosemide", "present")
    assert [one["spoken"] for one in started["attributes"]] == ["40 mg", "twice a day"]
    assert (stopped["at"], stopped["status"]) == ("2026-03-01T12:30:00Z", "stopped")
    assert told["notes"] == {"standing": 2, "read_whole": 2, "newest": "2026-03-01T12:30:00Z", "not_whole": []}


def test_a_patient_without_notes_has_no_medications_and_it_says_so(client: TestClient) -> None:
    told = client.get(f"/patients/{KEY}/medications").json()
    assert told["notes"] == {"standing": 0, "read_whole": 0, "newest": None, "not_whole": []}
    assert (told["allergies"], told["medications"], told["unnamed"]) == ([], [], [])


def test_a_note_that_cannot_be_read_now_is_told_from_one_that_is_gone(tmp_path: Path) -> None:
    service = with_note("", tmp_path)
    with opened(service) as client:
        service.notes.down = True
        assert client.get(f"/evidence/notes/note-1?patient={KEY}").status_code == 503
        service.notes.down, service.notes.note = False, None
        assert client.get(f"/evidence/notes/note-1?patient={KEY}").status_code == 404


def with_picture(service: Served, blob: Blob) -> None:
    image = ImageFindings(
        meta=meta("findings-1"), image_message_id="image-1", image=ImageIdentity(sop_instance_uid="1.2.3"), preview=blob
    )
    service.fusion.answers[KEY] = GetPatientResponse(patient=PatientState(patient_key=KEY, images=[image]))


def test_a_picture_opens_by_what_evidence_calls_it(service: Served, client: TestClient) -> None:
    with_picture(service, service.blobs.put(b"png", "image/png"))
    for name in ("image-1", "findings-1", "1.2.3"):
        answer = client.get(f"/evidence/images/{name}/preview?patient={KEY}")
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"png", "image/png")
    assert client.get(f"/evidence/images/image-1/heatmap?patient={KEY}").status_code == 404
    assert client.get(f"/evidence/images/other/preview?patient={KEY}").status_code == 404


def test_an_image_shows_what_its_report_says_disagreements_first(service: Served, client: TestClient) -> None:
    with_picture(service, service.blobs.put(b"png", "image/png"))
    for label, verdict, image in (("pneumonia", "agree", "image-1"), ("edema", "cannot_tell", "image-1")):
        service.fusion.answers[KEY].patient.risk.report_comparisons.add(
            label=label, verdict=verdict, image_message_id=image, spans=[Span(start=1, end=4)]
        )
    service.fusion.answers[KEY].patient.risk.report_comparisons.add(
        label="no_finding", verdict="disagree", image_message_id="image-1", report_status="positive"
    )
    service.fusion.answers[KEY].patient.risk.report_comparisons.add(label="pneumonia", image_message_id="other")
    shown = client.get(f"/evidence/images/image-1?patient={KEY}").json()["comparisons"]
    assert [one["label"] for one in shown] == ["no_finding", "edema", "pneumonia"]
    assert (shown[0]["report_status"], shown[1]["spans"]) == ("positive", [[1, 4]])


def test_a_picture_that_was_changed_on_disk_is_not_shown(service: Served, client: TestClient) -> None:
    blob = service.blobs.put(b"png", "image/png")
    Path(blob.uri.removeprefix("file://")).write_bytes(b"gnp")
    with_picture(service, blob)
    answer = client.get(f"/evidence/images/image-1/preview?patient={KEY}")
    assert answer.status_code == 503
    assert "SHA-256" in answer.json()["error"]


def test_nothing_outside_the_blob_store_can_be_reached(service: Served, client: TestClient) -> None:
    with_picture(service, Blob(uri="file:///etc/passwd", sha256="0" * 64))
    assert client.get(f"/evidence/images/image-1/preview?patient={KEY}").status_code == 503
    assert client.get("/board/files/../app.py").status_code == 404
    assert client.get("/board/files/%2e%2e/app.py").status_code == 404


def test_the_board_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    for file in BOARD.rglob("*.*"):
        assert client.get(f"/board/files/{file.relative_to(BOARD)}").status_code == 200
        addresses = re.findall(r"https?://[^\s\"')]+", file.read_text())
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}


def test_health_and_metrics_stay_where_they_are(client: TestClient) -> None:
    assert client.get("/healthz").status_code == 200
    assert "vigil_end_to_end_latency_seconds" in client.get("/metrics").text


def test_patients_are_listed_with_what_the_models_say(tmp_path: Path) -> None:
    judged = risk(1, HIGH)
    said = judged.estimates.add(
        name="mortality", probability=0.25, low=0.125, high=0.5, alarm=True, missing=["lactate"]
    )
    driver = said.drivers.add(name="heart_rate", weight=0.5, sentence="heart rate 120 /min, up 30, 5 min ago")
    driver.evidence.kind, driver.evidence.observation_id = "observation", "o1"
    said.trend.add(probability=0.25).at.CopyFrom(judged.as_of)
    judged.estimates.add(name="sepsis", abstained="under 16 years of age")
    with opened(served([after(fresh(), judged)], tmp_path)) as client:
        mortality, sepsis = client.get("/patients").json()["patients"][0]["risks"]
    assert (mortality["p"], mortality["low"], mortality["high"], mortality["alarm"]) == (0.25, 0.125, 0.5, True)
    assert mortality["drivers"][0]["text"] == "heart rate 120 /min, up 30, 5 min ago"
    assert mortality["drivers"][0]["evidence"]["observation_id"] == "o1"
    assert mortality["trend"] == [{"at": "2026-03-01T12:01:00Z", "p": 0.25}]
    assert mortality["missing"] == ["lactate"]
    assert (sepsis["p"], sepsis["abstained"]) == (None, "under 16 years of age")


def test_an_alarm_of_a_model_is_shown_and_raises_no_alert() -> None:
    judged = risk(1)
    judged.estimates.add(name="mortality", probability=0.9, low=0.8, high=0.95, alarm=True)
    assert not after(fresh(), judged).records
