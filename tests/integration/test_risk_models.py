"""Both risk models on real Triton and Kafka: live patients, an outage, and whole stays from the command line."""

import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from vigil.v1.encounters_pb2 import Encounter, EncounterStatus
from vigil.v1.meta_pb2 import Meta
from vigil.v1.observations_pb2 import Observation, ObservationsReceived, ObservationStatus
from vigil.v1.risk_pb2 import PatientRisk, RiskEstimate

from services.common.bus import Producer, Publish
from services.common.clock import to_timestamp
from services.common.topics import Topic
from services.note_ingest.catalogue import QUANTITIES
from tests.fusion.making import SEPTIC
from tests.integration.test_fusion import causes, risks_until, states
from tests.stacks import Row, Stack, running_stack, until
from ward.examples import FOLDER

pytestmark = pytest.mark.timeout(600)

UNITS = {quantity.name: quantity.unit for quantity in QUANTITIES}
VITALS = SEPTIC | {"dbp": 45}
LABS = {"lactate": 6.1, "creatinine": 2.4, "platelets": 88, "bun": 40, "wbc": 22}
LABS_HOUR = 2
ADMITTED = datetime.now(UTC) - timedelta(hours=12)
EXAMPLE = "stay.jsonl"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("risk"), only="kafka,triton,fusion") as made:
        yield made


def meta(key: str, name: str, hour: float) -> Meta:
    at = to_timestamp(ADMITTED + timedelta(hours=hour))
    return Meta(message_id=f"{key[:4]}-{name}", event_time=at, ingest_time=at, patient_key=key, schema_version=1)


def admission(key: str, age: int = 67) -> Encounter:
    return Encounter(
        meta=meta(key, "in", 0),
        status=EncounterStatus.ENCOUNTER_STATUS_IN_PROGRESS,
        admitted_at=to_timestamp(ADMITTED),
        age_years=age,
        ward="MICU",
    )


def values_of(hour: float) -> dict[str, float]:
    return VITALS | (LABS if hour == LABS_HOUR else {})


def measured(key: str, hour: float) -> ObservationsReceived:
    group = ObservationsReceived(meta=meta(key, f"{hour}", hour))
    for name, value in values_of(hour).items():
        group.observations.append(
            Observation(
                observation_id=f"{group.meta.message_id}-{name}",
                name=name,
                value=value,
                unit=UNITS[name],
                event_time=group.meta.event_time,
                status=ObservationStatus.OBSERVATION_STATUS_FINAL,
            )
        )
    return group


async def newest(stack: Stack, key: str, *messages: Encounter | ObservationsReceived) -> PatientRisk:
    """The risk that takes in the last of the messages, each of which is sent when the one before it was judged."""
    risks: list[PatientRisk] = []
    async with Producer(stack.settings, "test") as producer:
        for message in messages:
            topic = Topic.ENCOUNTERS if isinstance(message, Encounter) else Topic.OBSERVATIONS_RECEIVED
            await producer.publish_all([Publish(topic, key, message)])
            sent = message.meta.message_id
            risks = await risks_until(stack, [key], lambda risks, sent=sent: sent in causes(risks))  # type: ignore[misc]
    return max(risks, key=lambda risk: risk.meta.revision)


def by_name(risk: PatientRisk) -> dict[str, RiskEstimate]:
    return {estimate.name: estimate for estimate in risk.estimates}


async def test_live_measurements_bring_both_risks_with_their_drivers(stack: Stack) -> None:
    key = "a" * 32
    risk = await newest(stack, key, admission(key), *(measured(key, hour) for hour in (2, 3, 4)))
    said = by_name(risk)
    assert set(said) == {"mortality", "sepsis"}
    for estimate, model in ((said["mortality"], "icu_mortality"), (said["sepsis"], "sepsis_onset")):
        assert not estimate.degraded
        assert estimate.abstained == ""
        assert 0 < estimate.low < estimate.probability < estimate.high < 1
        assert estimate.as_of == risk.as_of
        assert (estimate.model.name, estimate.model.version) == (model, "1")
        assert len(estimate.drivers) == 5
        assert len(estimate.trend) == 3
    (record,) = await states(stack, [key])
    assert record.risk == risk
    assert said["mortality"].probability > 0.2
    measurements = [driver for driver in said["mortality"].drivers if driver.HasField("value")]
    assert all(driver.evidence.observation_id for driver in measurements if driver.name not in {"age", "sex"})


async def test_a_live_patient_has_the_risks_of_the_same_stay_sent_whole(stack: Stack) -> None:
    key = "b" * 32
    risk = await newest(stack, key, admission(key), *(measured(key, hour) for hour in (2, 3, 5)))
    observations = [[hour * 60, name, value] for hour in (2, 3, 5) for name, value in values_of(hour).items()]
    stay = {"id": "b", "age": 67, "unit": "MICU", "observations": observations, "at": [300]}
    (row,) = scored(stack, json.dumps(stay))
    whole = row["at"][0]
    for name, estimate in by_name(risk).items():
        assert whole["risks"][name]["p"] == pytest.approx(estimate.probability, rel=1e-4)
        assert [one["name"] for one in whole["drivers"] if one["risk"] == name] == [d.name for d in estimate.drivers]
    assert whole["scores"]["news2"] == risk.scores[0].total


async def test_a_child_is_not_judged(stack: Stack) -> None:
    key = "c" * 32
    risk = await newest(stack, key, admission(key, age=8), measured(key, 3))
    assert {one.abstained for one in risk.estimates} == {"under 16 years of age"}
    assert not any(one.HasField("probability") for one in risk.estimates)


def scored(stack: Stack, *lines: str) -> list[Row]:
    path = stack.folder / "stays.jsonl"
    path.write_text("\n".join(lines) + "\n")
    done = stack.vigil("risk", "--jsonl", str(path), check=False)
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_line_that_is_no_stay_has_its_error_and_the_exit_code_is_1(stack: Stack) -> None:
    path = stack.folder / "two.jsonl"
    path.write_text('nothing\n{"id":"x","age":50,"observations":[[30,"HR",80]],"at":[60]}\n')
    done = stack.vigil("risk", "--jsonl", str(path), check=False)
    assert done.returncode == 1
    bad, good = (json.loads(line) for line in done.stdout.splitlines())
    assert "error" in bad
    assert good["at"][0]["risks"]["mortality"]["abstained"].startswith("too little measured")


def test_the_example_is_scored_and_the_future_changes_nothing(stack: Stack) -> None:
    (whole,) = scored(stack, (FOLDER / EXAMPLE).read_text())
    stay = json.loads((FOLDER / EXAMPLE).read_text())
    stay["observations"] = [row for row in stay["observations"] if row[0] <= 360]
    stay["at"] = [minute for minute in stay["at"] if minute <= 360]
    (past,) = scored(stack, json.dumps(stay))
    assert whole["at"][: len(past["at"])] == past["at"]
    assert all(at["risks"]["sepsis"]["p"] is not None for at in whole["at"])


async def test_while_triton_is_away_bedside_scores_go_out_and_the_risks_say_so(stack: Stack) -> None:
    key = "d" * 32
    await newest(stack, key, admission(key), measured(key, 2))
    pid = stack.status()["triton"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        hung = await newest(stack, key, measured(key, 3))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert hung.scores[0].total == 19
    assert all(estimate.degraded and estimate.degraded_reason for estimate in hung.estimates)
    assert not any(estimate.HasField("probability") or estimate.alarm for estimate in hung.estimates)
    assert [len(estimate.trend) for estimate in hung.estimates] == [1, 1]
    for number in range(60):
        back = await newest(stack, key, measured(key, 4 + number / 60))
        if not any(estimate.degraded for estimate in back.estimates):
            break
    assert by_name(back)["mortality"].probability > 0
    async with httpx.AsyncClient() as client:
        counted = (await client.get(f"{stack.url('fusion')}/metrics")).text
    assert 'vigil_fusion_estimates_total{outcome="degraded",risk="mortality",source="live"}' in counted


def test_health_of_fusion_does_not_depend_on_the_models(stack: Stack) -> None:
    ready = until(lambda: httpx.get(f"{stack.url('fusion')}/readyz"), lambda answer: answer.is_success, 30, "readyz")
    assert "triton" not in ready.text
