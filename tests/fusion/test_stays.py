"""A record as the stay that the models read: the live rows must be those of training."""

import random
from datetime import timedelta

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st
from vigil.v1.encounters_pb2 import Encounter, Sex
from vigil.v1.observations_pb2 import ObservationsReceived, ObservationStatus

from services.common.clock import to_timestamp
from services.fusion.deterioration.features import vector_mortality, vector_sepsis
from services.fusion.deterioration.stay import Observed, Stay, with_observations
from services.fusion.deterioration.variables import BY_NAME
from services.fusion.state import Input, Limits, PatientRecord, present_stay, take_in
from services.fusion.stays import minute_of, stay_of
from services.note_ingest.catalogue import QUANTITIES
from tests.fusion.making import KEY, NOON, encounter, meta, observation, observations

ADMITTED = to_timestamp(NOON)
WITHDRAWN = ObservationStatus.OBSERVATION_STATUS_WITHDRAWN
CORRECTED = ObservationStatus.OBSERVATION_STATUS_CORRECTED
UNITS = {quantity.name: quantity.unit for quantity in QUANTITIES}


def folded(*messages: Input, limits: Limits = Limits()) -> PatientRecord:  # noqa: B008 - frozen
    record = PatientRecord(KEY)
    for message in messages:
        record = take_in(record, message, limits)
    return record


def admission(at: Timestamp = ADMITTED, **fields: object) -> Encounter:
    return encounter("in", 0, admitted_at=at, age_years=71, sex=Sex.SEX_MALE, ward="MICU", **fields)


def group(name: str, minutes: float, values: dict[str, float]) -> ObservationsReceived:
    made = observations(name, minutes, values)
    for one in made.observations:
        one.unit = UNITS[one.name]
    return made


def seen(record: PatientRecord) -> Stay:
    return stay_of(record, present_stay(record))


def test_every_quantity_that_models_read_comes_from_the_edge_in_their_unit() -> None:
    stated = {"age", "sex", "icu_type", "hours_in_hospital", "calcium_ionised"}
    assert set(BY_NAME) - set(UNITS) == stated
    assert {name: UNITS[name] for name in BY_NAME.keys() & UNITS.keys()} == {
        name: one.unit for name, one in BY_NAME.items() if name not in stated
    }


def days(seed: int, hours: int = 100) -> list[ObservationsReceived]:
    """Vital signs each hour and laboratory values, some withdrawn, some corrected."""
    chance = random.Random(seed)  # noqa: S311 - a seed makes the same stay again
    made = []
    for hour in range(hours):
        values = {"heart_rate": 80.0 + chance.randint(-20, 40), "sbp": 120.0 + chance.randint(-40, 20)}
        if chance.random() < 0.4:
            values |= {"lactate": round(chance.uniform(0.5, 9), 1), "urine_output": chance.randint(0, 200)}
        if chance.random() < 0.2:
            values |= {"fio2": 0.4, "mech_vent": 1.0, "creatinine": round(chance.uniform(0.5, 4), 1)}
        made.append(group(f"g{hour}", hour * 60 + 1, values))
    for number in chance.sample(range(len(made)), 12):
        original = made[number]
        status = chance.choice([WITHDRAWN, CORRECTED])
        minutes = number * 60 + 1
        again = observation(original.observations[0].observation_id, "heart_rate", 66, minutes, status)
        again.unit = "/min"
        made.append(ObservationsReceived(meta=meta(f"again{number}", minutes, arrived=100000), observations=[again]))
    return made


def offline(groups: list[ObservationsReceived], until: float) -> Stay:
    """As training makes it: all observations of a stay at once."""
    observed = [
        Observed(
            one.name,
            (one.event_time.seconds - ADMITTED.seconds) / 60,
            np.nan if one.status == WITHDRAWN else one.value,
            one.observation_id,
            (one.status in {WITHDRAWN, CORRECTED},),
        )
        for group in groups
        for one in group.observations
        if one.event_time.seconds - ADMITTED.seconds <= until * 60
    ]
    return with_observations(Stay(age=71, sex=1, unit=3), observed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("hours", [1, 20, 30, 47, 60, 99])
def test_the_live_row_is_the_row_of_training(seed: int, hours: int) -> None:
    groups = [one for one in days(seed) if one.meta.event_time.seconds - ADMITTED.seconds <= hours * 3600]
    record = folded(admission(), *groups)
    minute = minute_of(record, present_stay(record))
    expected = offline(groups, minute)
    live = seen(record)
    np.testing.assert_allclose(vector_sepsis(live, minute), vector_sepsis(expected, minute), rtol=1e-6)
    if hours <= 48:
        np.testing.assert_allclose(vector_mortality(live, minute), vector_mortality(expected, minute), rtol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_change_the_stay(chance: random.Random) -> None:
    groups: list[Input] = list(days(7, hours=60))
    in_order = folded(admission(), *groups)
    chance.shuffle(groups)
    assert seen(folded(admission(), *groups)) == seen(in_order)


def test_the_stay_outlives_its_encoding() -> None:
    record = folded(admission(), *days(1, hours=60))
    again = PatientRecord.FromString(record.SerializeToString())
    assert seen(again) == seen(record)
    assert sum(len(one.at) for one in again.earlier.values()) > 60


def test_a_value_older_than_the_history_is_corrected_and_withdrawn() -> None:
    groups = [group(f"g{hour}", hour * 60, {"heart_rate": 100 + hour}) for hour in range(40)]
    record = folded(admission(), *groups)
    assert "g3-heart_rate" not in record.observations
    assert 103 in seen(record).series["heart_rate"].values
    wrong = observation("g3-heart_rate", "heart_rate", 0, 180, WITHDRAWN)
    slip = observation("g4-heart_rate", "heart_rate", 64, 240, CORRECTED)
    late = ObservationsReceived(meta=meta("late", 180, arrived=2400), observations=[wrong, slip])
    values = seen(take_in(record, late, Limits())).series["heart_rate"].values
    assert not {103, 104} & set(values)
    assert 64 in values
    assert len(values) == 39
    assert values == seen(folded(admission(), late, *groups)).series["heart_rate"].values


def test_only_so_many_values_of_a_name_are_kept_for_the_models() -> None:
    groups = [group(f"g{number}", number * 5, {"lactate": 2}) for number in range(500)]
    record = folded(admission(), *groups, limits=Limits(earlier=50))
    assert [len(one.at) for one in record.earlier.values()] == [50]


def test_of_what_a_monitor_sends_each_minute_the_last_value_of_each_hour_counts() -> None:
    limits = Limits(observations=300)
    groups = [group(f"g{at}", at, {"heart_rate": 60 + at % 60, "lactate": 2}) for at in range(0, 30 * 60, 2)]
    record = folded(admission(), *groups, limits=limits)
    series = seen(record).series
    assert series["heart_rate"].minutes == tuple(hour * 60 + 58 for hour in range(30))
    assert set(series["heart_rate"].values) == {118}
    assert series["heart_rate"].ids[-1] == "g1798-heart_rate"
    assert len(series["lactate"].values) > 500
    assert len(record.earlier["heart_rate"].at) < 40


def test_what_flows_out_is_summed_whole() -> None:
    groups = [group(f"g{at}", at, {"urine_output": 5}) for at in range(0, 120, 10)]
    assert sum(seen(folded(admission(), *groups)).series["urine_output"].values) == 60


def test_values_further_back_than_the_models_look_are_gone() -> None:
    groups = [group(f"g{hour}", hour * 60, {"heart_rate": 80}) for hour in range(90)]
    series = seen(folded(admission(), *groups)).series["heart_rate"]
    assert series.minutes[0] == (89 - 48) * 60


def test_a_wrong_clock_does_not_push_out_what_was_measured() -> None:
    ahead = group("ahead", 60 * 24 * 400, {"heart_rate": 80})
    ahead.meta.ingest_time.CopyFrom(to_timestamp(NOON + timedelta(minutes=61)))
    record = folded(admission(), group("a", 60, {"heart_rate": 90}), ahead)
    assert seen(record).series["heart_rate"].values == (90,)


def test_impossible_values_and_those_in_a_strange_unit_are_not_part_of_the_stay() -> None:
    strange = group("a", 5, {"lactate": 2.0, "creatinine": 1.0, "wbc": 9.0, "temperature": 37})
    strange.observations[0].out_of_range = True
    strange.observations[1].unit = "furlong"
    strange.observations[2].unit = ""
    assert set(seen(folded(admission(), strange)).series) == {"wbc", "temperature"}


def test_the_stay_begins_with_the_admission_else_with_the_first_results() -> None:
    record = folded(group("a", 90, {"heart_rate": 90}), group("b", 30, {"heart_rate": 80}))
    assert minute_of(record, present_stay(record)) == 60
    assert minute_of(record, present_stay(folded(admission()))) == 90


def test_what_the_stay_before_left_behind_is_not_part_of_this_one() -> None:
    later = to_timestamp(NOON + timedelta(hours=20))
    before = (group(f"g{hour}", hour * 60, {"heart_rate": 80 + hour}) for hour in (1, 13, 15, 21))
    assert seen(folded(*before, admission(later))).series["heart_rate"].values == (95, 101)


def test_age_sex_and_kind_of_unit_are_those_of_the_encounter() -> None:
    stay = seen(folded(admission()))
    assert (stay.age, stay.sex, stay.unit) == (71, 1, 3)


def test_what_only_results_state_of_a_person_counts_as_well() -> None:
    stated = group("a", 5, {"heart_rate": 90})
    stated.age_years, stated.sex = 64, Sex.SEX_FEMALE
    stay = seen(folded(stated))
    assert (stay.age, stay.sex) == (64, 0)
