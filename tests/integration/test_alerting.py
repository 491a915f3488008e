"""Alerting as a process on real Kafka, killed in the middle of its work."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import grpc
import httpx
import pytest
from vigil.v1.alerting_service_pb2 import AcknowledgeAlertRequest, ListAlertsRequest, StreamAlertsRequest
from vigil.v1.alerting_service_pb2_grpc import AlertingServiceStub
from vigil.v1.alerts_pb2 import AlertState
from vigil.v1.notes_pb2 import NoteCoded
from vigil.v1.risk_pb2 import PatientRisk

from services.alerting.lifecycle import alert_id
from services.common.bus import Producer, Publish
from services.common.settings import REPOSITORY
from services.common.topics import Topic
from tests.alerting.making import HIGH, STAY, meta, risk
from tests.stacks import Stack, running_stack, until

pytestmark = pytest.mark.timeout(300)

ROUNDS = 60


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka alone."""
    with running_stack(tmp_path_factory.mktemp("alerting"), only="kafka") as made:
        yield made


class Process:
    """One life of alerting after another, under the same name."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.url = stack.url("alerting")
        self.start()

    def start(self) -> None:
        self.spawn()
        until(self.ready, bool, 60, "alerting is ready")

    def spawn(self) -> None:
        environment = self.stack.clean_environment() | {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'generated'}"}
        with (self.stack.folder / "alerting.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.alerting"],
                cwd=self.stack.folder,
                env=environment,
                stdout=log,
                stderr=log,
            )

    def ready(self) -> bool:
        """Whether it answers; one that chose to start afresh is started again, as the stack's supervisor does."""
        if self.process.poll() is not None:
            self.spawn()
        try:
            return httpx.get(f"{self.url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()

    def alerts(self) -> dict[str, dict[str, object]]:
        """Everything that `GET /alerts` has, by id, page by page."""
        found: dict[str, dict[str, object]] = {}
        after = ""
        while True:
            page = httpx.get(f"{self.url}/alerts", params={"limit": 7, "after": after}).json()
            found |= {alert["id"]: alert for alert in page["alerts"]}
            after = page.get("next", "")
            if not after:
                return found

    def until_alert(self, identity: str, holds: Callable[[dict[str, object]], object]) -> dict[str, object]:
        return until(lambda: self.alerts().get(identity, {}), holds, 30, "in GET /alerts")


@pytest.fixture
def alerting(stack: Stack) -> Iterator[Process]:
    process = Process(stack)
    yield process
    process.kill()


async def send(stack: Stack, messages: Sequence[tuple[Topic, PatientRisk | NoteCoded]]) -> None:
    async with Producer(stack.settings, "test") as producer:
        await producer.publish_all([Publish(topic, message.meta.patient_key, message) for topic, message in messages])


async def fire(stack: Stack, alerting: Process, key: str) -> str:
    """Raise an alert for a patient of a test's own; its id."""
    await send(stack, [(Topic.PATIENT_RISK, risk(1, HIGH, key=key))])
    identity = alert_id(key, STAY, "news2_high")
    await asyncio.to_thread(alerting.until_alert, identity, lambda alert: alert)
    return identity


async def test_kills_in_the_middle_lose_no_alert_and_double_none(stack: Stack, alerting: Process) -> None:
    patients = [f"{number:032x}" for number in range(1, 9)]
    async with Producer(stack.settings, "test") as producer:
        for number in range(1, ROUNDS + 2):
            points = HIGH if number % 3 or number > ROUNDS else {}
            risks = [risk(number, points, key=key) for key in patients]
            await producer.publish_all([Publish(Topic.PATIENT_RISK, one.meta.patient_key, one) for one in risks])
            if number in {ROUNDS // 3, 2 * ROUNDS // 3}:
                await asyncio.to_thread(alerting.restart)
    expected = {alert_id(key, STAY, "news2_high") for key in patients}
    for identity in expected:
        await asyncio.to_thread(alerting.until_alert, identity, lambda a: a.get("revision") == 2 * (ROUNDS // 3) + 1)
    mine = [row for row in stack.rows("alerts") if row["patient_key"] in patients]
    assert {row["id"] for row in mine} == expected
    for identity in expected:
        published = [(row["revision"], row["state"]) for row in mine if row["id"] == identity]
        assert sorted({revision for revision, _ in published}) == list(range(1, 2 * (ROUNDS // 3) + 2))
        assert len(set(published)) == 2 * (ROUNDS // 3) + 1  # what was published again is the same


async def test_an_acknowledgement_sticks_across_a_kill(stack: Stack, alerting: Process) -> None:
    identity = await fire(stack, alerting, "ac" * 16)
    async with httpx.AsyncClient(base_url=alerting.url) as client:
        answer = await client.post(f"/alerts/{identity}/ack", json={"reason": "seen_at_bedside", "by": "RN"})
    assert (answer.status_code, answer.json()["state"]) == (200, "acknowledged")
    await asyncio.to_thread(alerting.restart)
    # The command is durable before the answer; a kill right after it may have it applied again.
    alert = await asyncio.to_thread(alerting.until_alert, identity, lambda a: a.get("state") == "acknowledged")
    assert alert["revision"] == 2


async def test_a_note_opens_from_where_it_lies_also_after_a_kill(stack: Stack, alerting: Process) -> None:
    key, text = "de" * 16, "Right pneumothorax, 3 cm. Température 39 °C 🙂"
    note = NoteCoded(meta=meta("coded-open", key=key), note_message_id="note-open", kind="radiology", text=text)
    await send(stack, [(Topic.NOTES_CODED, note)])

    def opened() -> httpx.Response:
        return httpx.get(f"{alerting.url}/evidence/notes/note-open", params={"patient": key})

    await asyncio.to_thread(until, opened, lambda answer: answer.status_code == 200, 30, "the note opens")
    await asyncio.to_thread(alerting.restart)
    assert opened().json()["text"] == text


@contextmanager
def client_of(stack: Stack) -> Iterator[AlertingServiceStub]:
    with grpc.insecure_channel(f"127.0.0.1:{stack.port('VIGIL_ALERTING_GRPC_PORT')}") as channel:
        yield AlertingServiceStub(channel)


async def test_other_systems_list_follow_and_acknowledge_by_grpc(stack: Stack, alerting: Process) -> None:
    identity = await fire(stack, alerting, "ef" * 16)

    def talk() -> None:
        with client_of(stack) as client:
            listed = client.ListAlerts(ListAlertsRequest(states=[AlertState.ALERT_STATE_FIRING], page_size=500))
            assert identity in {alert.id for alert in listed.alerts}
            following = iter(client.StreamAlerts(StreamAlertsRequest(), timeout=30))
            assert identity in {next(following).alert.id for _ in range(len(alerting.alerts()))}
            answered = client.AcknowledgeAlert(AcknowledgeAlertRequest(alert_id=identity, reason="treatment_started"))
            assert answered.alert.state == AlertState.ALERT_STATE_ACKNOWLEDGED
            heard = next(following).alert
            assert (heard.id, heard.state) == (identity, AlertState.ALERT_STATE_ACKNOWLEDGED)
            with pytest.raises(grpc.RpcError, match="no alert with this id"):
                client.AcknowledgeAlert(AcknowledgeAlertRequest(alert_id="nobody", reason="x"))
            with pytest.raises(grpc.RpcError, match="reason"):
                client.AcknowledgeAlert(AcknowledgeAlertRequest(alert_id=identity))

    await asyncio.to_thread(talk)


async def test_a_client_that_comes_back_to_the_stream_gets_what_it_missed(stack: Stack, alerting: Process) -> None:
    # A stream begins with the alerts by id: whoever has been told of the later of these two has both.
    before, about = sorted([await fire(stack, alerting, "fa" * 16), await fire(stack, alerting, "fb" * 16)])
    async with httpx.AsyncClient(base_url=alerting.url, timeout=30) as client:

        async def until_event(headers: dict[str, str], state: str) -> tuple[str, set[object]]:
            """Id of the first event in which the later one has this state, and which alerts were told until then."""
            latest, told = "", set[object]()
            async with client.stream("GET", "/alerts/stream", headers=headers) as stream:
                async for line in stream.aiter_lines():
                    if line.startswith("id:"):
                        latest = line.removeprefix("id:").strip()
                    if line.startswith("data:"):
                        alert = json.loads(line.removeprefix("data:"))
                        told.add(alert["id"])
                        if (alert["id"], alert["state"]) == (about, state):
                            return latest, told
            raise AssertionError("the stream ended")

        seen, told = await until_event({}, "firing")
        assert before in told
        await client.post(f"/alerts/{about}/ack", json={"reason": "seen_at_bedside"})
        missed, told = await until_event({"Last-Event-ID": seen}, "acknowledged")
    assert before not in told  # it has that already
    assert missed != seen
