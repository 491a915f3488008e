"""What the models say of live patients, beside the bedside scores and never instead of them."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import REGISTRY
from vigil.v1.risk_pb2 import PatientRisk, RiskEstimate

from services.common.bus import Publish, Received
from services.common.clock import to_timestamp
from services.common.stateful import States
from services.common.topics import Topic
from services.common.triton import Tensors
from services.fusion.handlers import Fusion
from services.fusion.monitor import Drift
from services.fusion.scoring import Scorer
from services.fusion.state import Input, PatientRecord
from tests.fusion.making import HEALTHY, NOON, SEPTIC, code, encounter, note, observation, observations
from tests.fusion.models_of import MODELS, FakeTriton, model

TOPICS = {
    "ObservationsReceived": Topic.OBSERVATIONS_RECEIVED,
    "Encounter": Topic.ENCOUNTERS,
    "NoteCoded": Topic.NOTES_CODED,
}
ADMISSION = encounter("in", -180, admitted_at=to_timestamp(NOON - timedelta(hours=3)), age_years=58)


class Ward:
    """Fusion with its states, handling batches as `StatefulService` does."""

    def __init__(self, triton: Any = None, **fields: Any) -> None:
        self.triton = triton or FakeTriton()
        self.fusion = Fusion(scorer=Scorer(self.triton, MODELS, 0.2, "live", **fields))
        self.stored: dict[bytes, bytes] = {}
        self.states = States(PatientRecord, self.stored)

    async def batch(self, *messages: Input) -> list[PatientRisk]:
        outputs: list[Publish] = []
        for message in messages:
            topic, key = TOPICS[message.DESCRIPTOR.name], message.meta.patient_key
            outputs += await self.fusion.handle(Received(topic, 0, 0, key.encode(), message, {}), self.states)
            self.states.keep_message()
        outputs = list(await self.fusion.complete(outputs, self.states))
        self.states.keep_message()
        for key, state in self.states.take_batch().items():
            self.stored[key.encode()] = state.SerializeToString()
        return [output.message for output in outputs]  # type: ignore[misc]


def estimate(risk: PatientRisk, name: str = "mortality") -> RiskEstimate:
    return next(one for one in risk.estimates if one.name == name)


async def test_measurements_bring_what_both_models_say() -> None:
    risk = (await Ward().batch(ADMISSION, observations("a", 0, SEPTIC)))[-1]
    assert [one.name for one in risk.estimates] == ["mortality", "sepsis"]
    said = estimate(risk)
    # -2 at the start, no lactate -1, systolic of 84 adds 1, pulse of 134 adds 1
    assert said.probability == pytest.approx(1 / (1 + np.exp(1.0)), rel=1e-6)
    assert said.low < said.probability < said.high
    assert not said.alarm
    assert said.operating_point == 0.3
    assert said.as_of == risk.as_of
    assert said.model.name == "icu_mortality"
    assert "lactate" in said.missing
    assert "heart_rate" not in said.missing


async def test_drivers_lead_to_the_measurements() -> None:
    risk = (await Ward().batch(ADMISSION, observations("a", -90, HEALTHY), observations("b", 0, SEPTIC)))[-1]
    driver = next(one for one in estimate(risk).drivers if one.name == "heart_rate")
    assert driver.weight > 0
    assert (driver.value, driver.unit, driver.change, driver.age_minutes) == (134, "/min", 62, 0)
    assert driver.sentence == "heart rate 134 /min, up 62, 0 min ago"
    assert driver.evidence.observation_id == "b-heart_rate"
    assert driver.evidence.message_id == "b"
    assert driver.evidence.statement == "heart_rate 134 /min"


async def test_an_alarm_begins_at_the_operating_point() -> None:
    lactate = observation("l", "lactate", 6, 0)
    group = observations("a", 0, SEPTIC)
    group.observations.append(lactate)
    said = estimate((await Ward().batch(ADMISSION, group))[-1])
    assert said.probability > 0.3
    assert said.alarm


async def test_a_model_that_abstains_says_why_and_gives_no_number() -> None:
    risk = (await Ward().batch(ADMISSION, observations("a", 0, {"heart_rate": 90})))[-1]
    said = estimate(risk)
    assert said.abstained == "too little measured in the last 24 hours: heart rate"
    assert not said.HasField("probability")
    assert not said.HasField("low")
    assert not said.alarm
    assert not said.drivers


async def test_a_child_is_not_even_asked_about() -> None:
    ward = Ward()
    child = encounter("in", -180, admitted_at=ADMISSION.admitted_at, age_years=9)
    risk = (await ward.batch(child, observations("a", 0, HEALTHY)))[-1]
    assert estimate(risk).abstained == "under 16 years of age"
    assert ward.triton.calls == []


async def test_each_model_is_asked_once_for_a_whole_batch() -> None:
    ward = Ward()
    patients = [f"{number:032x}" for number in range(5)]
    messages: list[Input] = []
    for key in patients:
        admission = encounter("in", -180, admitted_at=ADMISSION.admitted_at, age_years=58)
        admission.meta.patient_key, admission.meta.message_id = key, f"in-{key}"
        messages += [admission, *(observations(f"{at}-{key}", at, SEPTIC, key=key) for at in (0, 15))]
    risks = await ward.batch(*messages)
    assert sorted(ward.triton.calls) == [("icu_mortality", 5), ("sepsis_onset", 5)]
    newest = {risk.meta.patient_key: risk for risk in risks}
    assert all(estimate(risk).HasField("probability") for risk in newest.values())
    assert len(risks) == 15


async def test_a_note_leaves_the_estimates_as_they_are() -> None:
    ward = Ward()
    before = (await ward.batch(ADMISSION, observations("a", 0, SEPTIC)))[-1]
    asked = len(ward.triton.calls)
    after = (await ward.batch(note("n", 30, [code("J18.9")])))[-1]
    assert list(after.estimates) == list(before.estimates)
    assert len(ward.triton.calls) == asked


async def test_a_note_behind_measurements_of_one_batch_brings_their_estimates() -> None:
    risks = await Ward().batch(ADMISSION, observations("a", 0, SEPTIC), note("n", 30, [code("J18.9")]))
    assert estimate(risks[-1]).HasField("probability")
    assert risks[-1].meta.revision == 3


async def test_the_same_message_twice_changes_nothing() -> None:
    ward = Ward()
    await ward.batch(ADMISSION, observations("a", 0, SEPTIC))
    stored, asked = dict(ward.stored), len(ward.triton.calls)
    assert await ward.batch(observations("a", 0, SEPTIC)) == []
    assert ward.stored == stored
    assert len(ward.triton.calls) == asked


async def test_handling_again_after_a_crash_gives_the_same_ids_and_estimates() -> None:
    first = await Ward().batch(ADMISSION, observations("a", 0, SEPTIC))
    again = await Ward().batch(ADMISSION, observations("a", 0, SEPTIC))
    assert [risk.meta.message_id for risk in first] == [risk.meta.message_id for risk in again]
    assert [list(risk.estimates) for risk in first] == [list(risk.estimates) for risk in again]


async def test_without_triton_the_bedside_scores_go_out_and_say_that_no_model_answered() -> None:
    ward = Ward(FakeTriton(away="icu_mortality: StatusCode.UNAVAILABLE"))
    risk = (await ward.batch(ADMISSION, observations("a", 0, SEPTIC)))[-1]
    assert risk.scores[0].total > 7
    said = estimate(risk)
    assert said.degraded
    assert said.degraded_reason == "icu_mortality: StatusCode.UNAVAILABLE"
    assert not said.HasField("probability")
    assert not said.alarm


async def test_a_triton_that_hangs_costs_the_deadline_once() -> None:
    class Hanging(FakeTriton):
        async def infer(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
            await super().infer(model, inputs, outputs)
            await asyncio.Event().wait()
            raise AssertionError

    ward = Ward(Hanging())
    async with asyncio.timeout(10):
        first = (await ward.batch(ADMISSION, observations("a", 0, SEPTIC)))[-1]
        second = (await ward.batch(observations("b", 15, SEPTIC)))[-1]
    assert estimate(first).degraded_reason == "icu_mortality: deadline exceeded"
    assert estimate(second).degraded
    assert len(ward.triton.calls) == 2


async def test_an_answer_that_is_no_probability_is_not_shown() -> None:
    class Mad(FakeTriton):
        async def infer(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
            answer = await super().infer(model, inputs, outputs)
            return answer | {"probability": answer["probability"] * np.float32(np.nan)}

    said = estimate((await Ward(Mad()).batch(ADMISSION, observations("a", 0, SEPTIC)))[-1])
    assert said.degraded
    assert "something else than probabilities" in said.degraded_reason


async def test_the_model_that_triton_serves_must_be_the_one_that_the_assets_describe() -> None:
    ward = Ward()
    ward.fusion = Fusion(scorer=Scorer(ward.triton, [model("mortality", sha256="another")], 0.2, "live"))
    said = estimate((await ward.batch(ADMISSION, observations("a", 0, SEPTIC)))[-1])
    assert said.degraded
    assert "another model" in said.degraded_reason


async def test_a_patient_unlike_those_of_training_is_not_judged() -> None:
    low = np.full(len(MODELS[0].features), np.nan, np.float32)
    low[MODELS[0].features.index("temperature.last")] = 39.5
    ward = Ward()
    narrow = model("mortality", low=low, stranger_share=0.0)
    ward.fusion = Fusion(scorer=Scorer(ward.triton, [narrow], 0.2, "live"))
    said = estimate((await ward.batch(ADMISSION, observations("a", 0, SEPTIC)))[-1])
    assert said.abstained == "unlike the patients of training: temperature"
    assert not said.HasField("probability")


async def test_the_trend_has_the_last_probability_of_each_hour_of_a_day() -> None:
    ward = Ward()
    await ward.batch(ADMISSION)
    for minutes in range(0, 30 * 60, 20):
        risks = await ward.batch(observations(f"g{minutes}", minutes, SEPTIC | {"heart_rate": 100 + minutes % 40}))
    trend = estimate(risks[-1]).trend
    hours = [point.at.seconds // 3600 for point in trend]
    assert hours == list(range(hours[0], hours[0] + 24))
    assert trend[-1].probability == estimate(risks[-1]).probability


async def test_a_new_stay_begins_without_the_trend_of_the_last_one() -> None:
    ward = Ward()
    await ward.batch(ADMISSION, observations("a", 0, SEPTIC))
    again = encounter("again", 600, admitted_at=to_timestamp(NOON + timedelta(hours=10)))
    again.meta.encounter_key = "b" * 32
    risk = (await ward.batch(again, observations("c", 700, SEPTIC)))[-1]
    assert len(estimate(risk).trend) == 1


async def test_abstentions_and_degraded_answers_are_counted() -> None:
    def counted() -> Mapping[str, float]:
        labels = {"source": "live", "risk": "mortality"}
        names = {
            "too_little": ("vigil_fusion_abstentions_total", labels | {"reason": "too_little"}),
            "degraded": ("vigil_fusion_estimates_total", labels | {"outcome": "degraded"}),
            "answered": ("vigil_fusion_estimates_total", labels | {"outcome": "answered"}),
        }
        return {key: REGISTRY.get_sample_value(*name) or 0 for key, name in names.items()}

    before = counted()
    await Ward().batch(ADMISSION, observations("a", 0, {"heart_rate": 90}))
    await Ward().batch(ADMISSION, observations("a", 0, SEPTIC))
    await Ward(FakeTriton(away="gone")).batch(ADMISSION, observations("a", 0, SEPTIC))
    assert {key: value - before[key] for key, value in counted().items()} == {
        "too_little": 1,
        "degraded": 1,
        "answered": 1,
    }


async def test_drift_is_measured_over_the_newest_live_rows() -> None:
    drift = [Drift(one) for one in MODELS]
    ward = Ward(drift=drift)
    await ward.batch(ADMISSION)
    assert np.isnan(drift[0].score())
    for number in range(210):
        await ward.batch(observations(f"g{number}", number, SEPTIC))
    assert drift[0].score() > 0.25
    assert drift[0].feature("heart_rate.last") > 0.25


async def test_only_the_newest_rows_count_for_drift() -> None:
    drift = Drift(MODELS[0])
    row = np.full(len(MODELS[0].features), 0.5, np.float32)
    for _ in range(2000):
        drift.take(row, 0.05)
    before = drift.feature("heart_rate.last")
    for bound, count in ((0.5, 500), (1.5, 500), (2.5, 500), (np.nan, 500)):
        for _ in range(count):
            drift.take(np.full(len(row), bound, np.float32), 0.05)
    assert before > 1
    assert drift.feature("heart_rate.last") == pytest.approx(0)
