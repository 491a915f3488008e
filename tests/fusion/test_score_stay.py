"""A whole stay in, scores and risks at each minute out."""

import asyncio
import random
from collections.abc import Sequence

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from vigil.v1.fusion_service_pb2 import ScoreStayRequest, ScoreStayResponse, StayObservation, StayScores

from services.common.outcomes import Invalid
from services.fusion.score_stay import MINUTES_AT_A_TIME, MOST_MINUTES, score_stay
from services.fusion.scoring import Scorer
from services.fusion.vitals import Staleness
from tests.fusion.making import HEALTHY, SEPTIC
from tests.fusion.models_of import MODELS, FakeTriton

Row = tuple[float, str, float | str]
COLUMNS_2019 = {"heart_rate": "HR", "spo2": "O2Sat", "temperature": "Temp", "sbp": "SBP", "resp_rate": "Resp"}


def request(rows: Sequence[Row], at: Sequence[float], **fields: object) -> ScoreStayRequest:
    made = ScoreStayRequest(**({"id": "1", "age": 60} | fields), at=at)  # type: ignore[arg-type]
    for minute, name, value in rows:
        text = value if isinstance(value, str) else ""
        number = 0.0 if isinstance(value, str) else value
        made.observations.append(StayObservation(minute=minute, name=name, value=number, text=text))
    return made


async def scored(
    rows: Sequence[Row], at: Sequence[float], triton: FakeTriton | None = None, **fields: object
) -> ScoreStayResponse:
    scorer = Scorer(triton or FakeTriton(), MODELS, 1.0, "stay")
    return await score_stay(request(rows, at, **fields), scorer, Staleness())


def of(values: dict[str, float], minute: float = 100) -> list[Row]:
    return [(minute, name, value) for name, value in values.items()]


def news2(scores: StayScores) -> int:
    return scores.scores[0].total


async def test_scores_and_risks_of_a_stay() -> None:
    (ill,) = (await scored(of(SEPTIC), [120])).at
    assert {score.name: score.total for score in ill.scores} == {"news2": 19, "qsofa": 3}
    assert [risk.name for risk in ill.risks] == ["mortality", "sepsis"]
    assert ill.risks[0].probability > 0.2
    assert ill.risks[0].drivers[0].sentence
    assert "lactate" in ill.missing


async def test_answers_come_in_the_order_asked_for() -> None:
    answer = await scored(of(HEALTHY) + of(SEPTIC, 200), [250, 120, 250])
    assert [one.minute for one in answer.at] == [250, 120, 250]
    assert [news2(one) for one in answer.at] == [19, 0, 19]


async def test_physionet_columns_are_read_as_ours() -> None:
    ours = {name: value for name, value in SEPTIC.items() if name in COLUMNS_2019}
    theirs = {COLUMNS_2019[name]: value for name, value in ours.items()}
    assert list((await scored(of(ours), [120])).at) == list((await scored(of(theirs), [120])).at)


@pytest.mark.parametrize(("value", "points"), [(0.21, 0), (21, 0), (0.4, 2), (40, 2)])
async def test_inspired_oxygen_over_1_is_percent(value: float, points: int) -> None:
    (one,) = (await scored(of(HEALTHY | {"fio2": value}), [120])).at
    assert news2(one) == points


async def test_the_low_target_saturation_is_an_observation() -> None:
    (usual,) = (await scored(of(HEALTHY | {"spo2": 90, "spo2_scale": 1}), [120])).at
    (low,) = (await scored(of(HEALTHY | {"spo2": 90, "spo2_scale": 2}), [120])).at
    assert (news2(usual), news2(low)) == (3, 0)


async def test_a_word_for_consciousness_counts() -> None:
    without = {name: value for name, value in HEALTHY.items() if name != "gcs"}
    (one,) = (await scored([*of(without), (100, "avpu", "Voice")], [120])).at
    assert news2(one) == 3


async def test_a_vital_sign_of_more_than_an_hour_ago_is_missing_for_the_scores() -> None:
    answer = await scored(of(SEPTIC), [160, 161])
    assert [news2(one) for one in answer.at] == [19, 3]
    assert "heart_rate" in answer.at[1].missing
    assert "heart_rate" not in answer.at[0].missing
    assert answer.at[0].risks[0].probability == answer.at[1].risks[0].probability


async def test_what_nobody_measured_until_then_is_missing() -> None:
    answer = await scored([*of(SEPTIC), (130, "lactate", 4)], [120, 140])
    assert "lactate" in answer.at[0].missing
    assert "lactate" not in answer.at[1].missing


async def test_lactate_alone_changed_leads_the_drivers() -> None:
    answer = await scored([*of(HEALTHY), (110, "lactate", 1), (130, "lactate", 7)], [120, 140])
    assert answer.at[1].risks[0].probability > answer.at[0].risks[0].probability
    leading = answer.at[1].risks[0].drivers[0]
    assert (leading.name, leading.value, leading.age_minutes) == ("lactate", 7, 10)
    assert leading.sentence == "lactate 7 mmol/L, up 6, 10 min ago"


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
async def test_the_future_and_the_order_of_arrival_change_nothing(chance: random.Random) -> None:
    names = ["HR", "lactate", "SysABP", "Temp", "fio2", "gcs", "avpu", "spo2", "spo2_scale", "Resp", "Age"]
    rows: list[Row] = [
        (chance.randint(0, 400), chance.choice(names), round(chance.uniform(0, 120), 1)) for _ in range(60)
    ]
    until = 200
    whole = (await scored(rows, [until, 400])).at[0]
    past = [row for row in rows if row[0] <= until]
    chance.shuffle(past)
    again = (await scored(past, [until])).at[0]
    assert without_ids(whole) == without_ids(again)


def without_ids(scores: StayScores) -> Message:
    shown = StayScores.FromString(scores.SerializeToString())
    for risk in shown.risks:
        for driver in risk.drivers:
            driver.ClearField("evidence")
    return shown


async def test_a_stay_that_a_model_abstains_from_still_has_a_number_to_evaluate_it_by() -> None:
    (one,) = (await scored(of({"heart_rate": 90}), [120])).at
    assert one.risks[0].abstained.startswith("too little measured")
    assert one.risks[0].HasField("probability")
    assert not one.risks[0].alarm


async def test_the_youngest_of_the_training_data_has_a_number_too() -> None:
    (one,) = (await scored(of(SEPTIC), [120], age=15)).at
    assert one.risks[0].abstained == "under 16 years of age"
    assert one.risks[0].HasField("probability")
    assert not one.risks[0].alarm


async def test_for_a_child_and_after_the_time_of_training_there_is_no_number() -> None:
    (child,) = (await scored(of(SEPTIC), [120], age=4)).at
    assert child.scores[0].abstained == child.risks[0].abstained == "under 16 years of age"
    assert not child.risks[0].HasField("probability")
    (late,) = (await scored(of(SEPTIC, 2900), [2900])).at
    assert late.risks[0].abstained.startswith("more than 48 hours")
    assert not late.risks[0].HasField("probability")
    assert late.risks[1].HasField("probability")


async def test_without_triton_the_scores_are_there_and_the_risks_say_why_not() -> None:
    (one,) = (await scored(of(SEPTIC), [120], FakeTriton(away="gone"))).at
    assert news2(one) == 19
    assert [risk.degraded_reason for risk in one.risks] == ["gone", "gone"]


async def test_a_stay_waits_for_a_triton_that_comes_back() -> None:
    triton = FakeTriton(away="gone")
    scorer = Scorer(triton, MODELS, 1.0, "stay", patience_s=30)
    waiting = asyncio.create_task(score_stay(request(of(SEPTIC), [120]), scorer, Staleness()))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    triton.away = ""
    (one,) = (await waiting).at
    assert all(risk.HasField("probability") for risk in one.risks)


async def test_names_and_values_that_nobody_can_use_are_told() -> None:
    answer = await scored([*of(HEALTHY), (100, "shoe_size", 43), (100, "SysABP", 900), (100, "avpu", "A")], [120])
    assert list(answer.unknown_names) == ["shoe_size"]
    assert dict(answer.impossible) == {"sbp": 1}


async def test_hourly_minutes_of_a_long_stay_are_all_answered() -> None:
    rows = [row for hour in range(1, 101) for row in of(SEPTIC, hour * 60)]
    minutes = [60.0 * hour for hour in range(1, 101)]
    triton = FakeTriton()
    answer = await scored(rows, minutes, triton)
    assert [one.minute for one in answer.at] == minutes
    assert len([name for name, _ in triton.calls if name == "sepsis_onset"]) == -(-len(minutes) // MINUTES_AT_A_TIME)


@pytest.mark.parametrize(
    "wrong",
    [
        request([(float("nan"), "HR", 80)], [120]),
        request([(0, "HR", 80)], [float("inf")]),
        request([(1e300, "HR", 80)], [120]),
        request([], [0.0] * (MOST_MINUTES + 1)),
    ],
)
async def test_what_is_no_stay_is_refused(wrong: ScoreStayRequest) -> None:
    with pytest.raises(Invalid):
        await score_stay(wrong, Scorer(FakeTriton(), MODELS, 1.0, "stay"), Staleness())


@pytest.mark.parametrize("age", [-3.0, 400.0, float("nan"), float("inf")])
async def test_an_impossible_age_is_not_known(age: float) -> None:
    (one,) = (await scored(of(SEPTIC), [120], age=age)).at
    assert news2(one) == 19
    assert "age" in one.risks[0].missing


async def test_an_empty_stay_is_answered() -> None:
    (one,) = (await scored([], [120])).at
    assert one.scores[0].highest == 20
    assert one.risks[0].abstained == "too little measured in the last 24 hours: nothing"
