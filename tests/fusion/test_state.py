import random
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vigil.v1.encounters_pb2 import Encounter, EncounterStatus
from vigil.v1.observations_pb2 import ObservationsReceived, ObservationStatus
from vigil.v1.risk_pb2 import PatientState

from services.fusion.state import MOVEMENTS_KEPT, SEEN_KEPT, Input, Limits, PatientRecord, present_stay, stay, take_in
from services.fusion.vitals import Inputs, Lack, Staleness
from tests.fusion.making import (
    HEALTHY,
    KEY,
    NOW,
    code,
    encounter,
    image,
    meta,
    note,
    observation,
    observations,
)

CORRECTED = ObservationStatus.OBSERVATION_STATUS_CORRECTED
WITHDRAWN = ObservationStatus.OBSERVATION_STATUS_WITHDRAWN
LIMITS = Limits()


def folded(*messages: Input, limits: Limits = LIMITS) -> PatientRecord:
    record = PatientRecord(KEY)
    for message in messages:
        record = take_in(record, message, limits)
    return record


def pulse(record: PatientRecord) -> float | Lack:
    found = Inputs(record.measured(), record.as_of, Staleness()).fresh("heart_rate")
    return found if isinstance(found, Lack) else found.value


def group(name: str, minutes: float, *observed: Any, **fields: Any) -> ObservationsReceived:
    return ObservationsReceived(meta=meta(name, minutes, **fields), observations=observed)


def test_the_newest_value_is_the_current_one() -> None:
    record = folded(observations("a", 0, {"heart_rate": 80}), observations("b", 15, {"heart_rate": 90}))
    assert pulse(record) == 90


def test_a_late_older_value_does_not_replace_a_newer_one() -> None:
    record = folded(observations("b", 15, {"heart_rate": 90}), observations("a", 0, {"heart_rate": 80}, arrived=20))
    assert pulse(record) == 90
    assert [one.value for one in record.measured()] == [80, 90]


def test_a_corrected_vital_sign_replaces_the_first_value() -> None:
    first = group("a", 0, observation("o", "heart_rate", 180, 0))
    corrected = group("b", 0, observation("o", "heart_rate", 80, 0, CORRECTED), arrived=5)
    assert pulse(folded(first, corrected)) == 80
    assert pulse(folded(corrected, first)) == 80


def test_the_last_of_two_corrections_counts() -> None:
    first = group("a", 0, observation("o", "heart_rate", 80, 0, CORRECTED), arrived=5)
    second = group("b", 0, observation("o", "heart_rate", 85, 0, CORRECTED), arrived=9)
    assert pulse(folded(first, second)) == pulse(folded(second, first)) == 85


def test_a_message_with_a_higher_revision_replaces_the_same_message() -> None:
    first = group("a", 0, observation("o", "heart_rate", 180, 0))
    corrected = group("a", 0, observation("o", "heart_rate", 80, 0), revision=1)
    assert pulse(folded(first, corrected)) == pulse(folded(corrected, first)) == 80


def test_a_withdrawn_value_is_gone_and_the_one_before_counts_again() -> None:
    before = observations("a", -10, {"heart_rate": 80})
    wrong = group("b", 0, observation("o", "heart_rate", 180, 0))
    withdrawn = group("c", 0, observation("o", "heart_rate", 0, 0, WITHDRAWN), arrived=5)
    assert pulse(folded(before, wrong, withdrawn)) == pulse(folded(withdrawn, before, wrong)) == 80


def test_an_impossible_value_is_kept_and_never_used() -> None:
    broken = observation("o", "heart_rate", 900, 0)
    broken.out_of_range = True
    record = folded(group("a", 0, broken))
    assert pulse(record) is Lack.OUT_OF_RANGE
    assert record.observations["o"].measured.value == 900


def test_a_word_in_place_of_a_number_is_not_zero() -> None:
    assert pulse(folded(observations("a", 0, {"heart_rate": "see chart"}))) is Lack.ABSENT


def test_a_value_in_another_unit_than_the_scores_is_not_used() -> None:
    fahrenheit = observation("o", "temperature", 98.6, 0)
    fahrenheit.unit = "[degF]"
    record = folded(group("a", 0, fahrenheit))
    assert Inputs(record.measured(), record.as_of, Staleness()).fresh("temperature") is Lack.UNIT


def test_the_same_message_twice_changes_nothing() -> None:
    message = observations("a", 0, HEALTHY)
    once = folded(message)
    assert take_in(once, message, LIMITS) is once


def test_the_patient_is_judged_at_the_newest_event_time() -> None:
    assert folded(observations("a", 15, HEALTHY), observations("b", 0, HEALTHY)).as_of == NOW + 15 * 60_000_000


def test_an_event_time_far_ahead_of_its_arrival_does_not_make_everything_stale() -> None:
    record = folded(observations("a", 0, {"heart_rate": 80}), observations("b", 60 * 23, {"sbp": 120}, arrived=1))
    assert record.as_of == NOW + 6 * 60_000_000
    assert pulse(record) == 80


def test_values_older_than_the_history_go_and_the_newest_of_a_name_stays() -> None:
    old = observations("a", -60 * 30, {"heart_rate": 80, "spo2_scale": 2})
    record = folded(old, observations("b", 0, {"heart_rate": 90}))
    assert {(one.name, one.value) for one in record.measured()} == {("spo2_scale", 2), ("heart_rate", 90)}


def test_no_more_values_are_kept_than_the_limit_and_the_newest_of_each_name() -> None:
    messages = [observations(f"m{i}", i, {"heart_rate": 60 + i}) for i in range(20)]
    record = folded(observations("lab", -1, {"lactate": 1.2}), *messages, limits=Limits(observations=5))
    assert sorted(one.value for one in record.measured()) == [1.2, 75, 76, 77, 78, 79]


def test_a_note_is_kept_without_its_text() -> None:
    (kept,) = folded(note("n", 0, [code("J18.9"), code("I10", selected=False)], {"pneumonia": "positive"})).notes
    assert kept.text == ""
    assert [one.code for one in kept.codes] == ["J18.9"]
    assert kept.note_message_id == "received-n"


def test_a_newer_version_of_a_note_replaces_it_whichever_comes_first() -> None:
    first = note("n/1", 0, [code("J18.9")])
    second = note("n/2", 0, [code("J20.9")], revision=1)
    for record in (folded(first, second), folded(second, first)):
        assert [[one.code for one in kept.codes] for kept in record.notes] == [["J20.9"]]


@pytest.mark.parametrize("named", ["document-old", "received-old"])
def test_a_note_that_another_document_replaces_no_longer_counts_whichever_comes_first(named: str) -> None:
    old, other = note("old", 0, [code("J93.9")]), note("other", 0, [code("I10")])
    new = note("new", 1, [code("J18.9")], replaces=named)
    edited = note("new/2", 1, [code("J20.9")], revision=1)
    latest = note("latest", 2, replaces="document-new")
    for messages in permutations((old, other, new, edited, latest)):
        kept = PatientRecord.FromString(folded(*messages).SerializeToString()).notes
        assert [one.document_id for one in kept] == ["document-other", "document-latest"]


def test_a_document_that_names_itself_as_its_parent_is_kept() -> None:
    assert len(folded(note("own", 0, [code("J18.9")], replaces="document-own")).notes) == 1


def test_only_the_newest_notes_and_images_are_kept() -> None:
    limits = Limits(notes=2, images=1)
    messages: list[Input] = [*(note(f"n{i}", i) for i in range(4)), *(image(f"i{i}", i, {}) for i in range(3))]
    record = folded(*reversed(messages), limits=limits)
    assert [kept.meta.message_id for kept in record.notes] == ["n2", "n3"]
    assert [kept.meta.message_id for kept in record.images] == ["i2"]


def known(*movements: Encounter) -> Encounter:
    found = stay(folded(*movements).movements)
    assert found is not None
    return found


def test_the_newest_movement_says_where_the_patient_is() -> None:
    moved = known(encounter("b", 60, ward="ICU", bed="9", trigger="A02"), encounter("a", 0, ward="AMU", bed="1"))
    assert (moved.ward, moved.bed) == ("ICU", "9")


def test_a_message_without_location_moves_nobody_and_keeps_the_age() -> None:
    merge = Encounter(meta=meta("b", 60), trigger="A40", merged_patient_key="f" * 32)
    state = known(encounter("a", 0, age_years=71), merge)
    assert (state.ward, state.bed, state.age_years) == ("AMU", "01", 71)
    assert state.status == EncounterStatus.ENCOUNTER_STATUS_IN_PROGRESS
    assert state.merged_patient_key == "f" * 32


def test_a_discharge_is_known_until_it_is_cancelled() -> None:
    admitted = encounter("a", 0)
    discharged = encounter(
        "b", 60, status=EncounterStatus.ENCOUNTER_STATUS_DISCHARGED, discharged_at=admitted.meta.event_time
    )
    cancelled = encounter("c", 90)
    assert known(admitted, discharged).status == EncounterStatus.ENCOUNTER_STATUS_DISCHARGED
    again = known(admitted, discharged, cancelled)
    assert again.status == EncounterStatus.ENCOUNTER_STATUS_IN_PROGRESS
    assert not again.HasField("discharged_at")


def test_another_stay_begins_anew_but_the_person_keeps_the_age() -> None:
    first, second = encounter("a", 0, age_years=33, pregnant=True), encounter("b", 600, ward="ED", bed="")
    first.meta.encounter_key, second.meta.encounter_key = "one", "two"
    state = known(first, second)
    assert (state.ward, state.bed, state.pregnant, state.age_years) == ("ED", "", False, 33)


def of_visit(movement: Encounter, visit: str) -> Encounter:
    movement.meta.encounter_key = visit
    return movement


ELSEWHERE = [
    EncounterStatus.ENCOUNTER_STATUS_PLANNED,
    EncounterStatus.ENCOUNTER_STATUS_DISCHARGED,
    EncounterStatus.ENCOUNTER_STATUS_CANCELLED,
    EncounterStatus.ENCOUNTER_STATUS_UNSPECIFIED,
]


@pytest.mark.parametrize("status", ELSEWHERE)
def test_another_visit_that_is_planned_or_ends_leaves_the_inpatient_in_place(status: EncounterStatus.ValueType) -> None:
    ward = of_visit(encounter("a", 0), "ward")
    state = known(ward, of_visit(encounter("b", 60, status=status, ward="ED", bed="7", age_years=71), "other"))
    assert (state.status, state.ward, state.bed) == (ward.status, "AMU", "01")
    assert (state.meta.encounter_key, state.age_years) == ("ward", 71)


def test_an_inpatient_is_in_place_however_much_is_heard_of_other_visits() -> None:
    others = [
        of_visit(encounter(f"c{i}", i, status=EncounterStatus.ENCOUNTER_STATUS_UNSPECIFIED, ward=""), "other")
        for i in range(1, MOVEMENTS_KEPT + 5)
    ]
    state = known(of_visit(encounter("a", 0), "ward"), *others)
    assert (state.status, state.ward) == (EncounterStatus.ENCOUNTER_STATUS_IN_PROGRESS, "AMU")


def test_of_two_movements_in_one_minute_the_last_to_arrive_counts() -> None:
    discharged = EncounterStatus.ENCOUNTER_STATUS_DISCHARGED
    for first, second in (("a", "z"), ("z", "a")):
        moved, left = encounter(first, 0), encounter(second, 0, status=discharged)
        left.meta.ingest_time.seconds += 1
        assert known(moved, left).status == known(left, moved).status == discharged


def with_results(name: str, minutes: float, **stated: Any) -> ObservationsReceived:
    return ObservationsReceived(meta=meta(name, minutes), **stated)


def test_results_state_age_and_place_where_no_movement_does() -> None:
    first, second = with_results("a", 0, age_years=6, ward="AMU", bed="3"), with_results("b", 5, ward="ICU", bed="9")
    for record in (folded(first, second), folded(second, first)):
        state = present_stay(record)
        assert (state.age_years, state.ward, state.bed) == (6, "ICU", "9")


def test_a_movement_is_believed_before_results() -> None:
    state = present_stay(
        folded(encounter("a", 0, age_years=71), with_results("b", 5, age_years=6, ward="ICU", bed="9", pregnant=True))
    )
    assert (state.age_years, state.ward, state.bed, state.pregnant) == (71, "AMU", "01", True)


def test_pregnancy_and_place_stated_of_one_visit_do_not_hold_for_another() -> None:
    stated, admitted = with_results("a", 0, age_years=33, pregnant=True, bed="9"), encounter("b", 600, ward="", bed="")
    stated.meta.encounter_key, admitted.meta.encounter_key = "one", "two"
    state = present_stay(folded(stated, admitted))
    assert (state.age_years, state.pregnant, state.bed) == (33, False, "")


def test_a_record_survives_being_written_and_read() -> None:
    results = with_results("r", 0, age_years=6, bed="9")
    record = folded(
        results, observations("a", 0, HEALTHY), encounter("e", 1), note("n", 2, [code("A41.9")]), image("i", 3, {})
    )
    encoded = record.SerializeToString()
    assert PatientRecord.FromString(encoded) == record
    assert len(PatientState.FromString(encoded).observations) == len(HEALTHY)


minutes = st.integers(-60 * 40, 60)
vital = st.tuples(
    st.sampled_from(["heart_rate", "sbp", "avpu"]),
    st.integers(0, 4),
    st.sampled_from([ObservationStatus.OBSERVATION_STATUS_FINAL, CORRECTED, WITHDRAWN]),
    st.floats(),
)


@st.composite
def inputs_of_a_patient(draw: st.DrawFn) -> Input:
    at, arrived, revision = draw(minutes), draw(minutes), draw(st.integers(0, 2))
    name = draw(st.text("abcdef", min_size=4, max_size=4))
    about = meta(name, at, revision=revision, arrived=arrived)
    kind = draw(st.sampled_from(["observations", "encounter", "note", "image"]))
    if kind == "observations":
        drawn = draw(st.lists(vital, max_size=4, unique_by=lambda one: (one[0], one[1])))
        observed = [
            # A correction keeps the time of what it corrects.
            observation(f"{vital_name}-{number}", vital_name, value, -700 * number, status)
            for vital_name, number, status, value in drawn
        ]
        stated: dict[str, Any] = {
            "age_years": draw(st.sampled_from([None, 6, 40])),
            "bed": draw(st.sampled_from(["", "1", "2"])),
        }
        return ObservationsReceived(meta=about, observations=observed, **stated)
    if kind == "encounter":
        about.encounter_key = draw(st.sampled_from(["", "ward", "other"]))
        return Encounter(
            meta=about, status=draw(st.sampled_from(EncounterStatus.values())), ward=draw(st.sampled_from(["", "AMU"]))
        )
    if kind == "note":
        replaced = draw(st.sampled_from(["", "", "document-0", "document-1"]))
        made = note(f"{draw(st.integers(0, 3))}/{name}", at, [code("J18.9")], replaces=replaced)
        made.meta.CopyFrom(about)
        return made
    made_image = image(str(draw(st.integers(0, 3))), at, {"pneumonia": draw(st.floats(0, 1))})
    made_image.meta.CopyFrom(about)
    return made_image


def same(record: PatientRecord) -> Any:
    """All of a record that must not depend on the order of arrival."""
    what_counts = record.observations, record.movements, record.stated, record.notes, record.images
    return record.as_of, *what_counts, sorted(record.replaced), record.revision


many = st.lists(inputs_of_a_patient(), max_size=12, unique_by=lambda message: message.meta.message_id)


@settings(max_examples=150, deadline=None)
@given(many, st.randoms(use_true_random=False), st.sampled_from([Limits(), Limits(timedelta(hours=4), observations=3)]))
def test_the_state_does_not_depend_on_the_order_of_arrival(
    messages: list[Input], shuffler: random.Random, limits: Limits
) -> None:
    shuffled = messages[:]
    shuffler.shuffle(shuffled)
    assert repr(same(folded(*shuffled, limits=limits))) == repr(same(folded(*messages, limits=limits)))


@settings(max_examples=100, deadline=None)
@given(many, st.randoms(use_true_random=False))
def test_repeats_change_nothing(messages: list[Input], chooser: random.Random) -> None:
    repeated = messages + [chooser.choice(messages) for _ in messages]
    assert repr(folded(*repeated)) == repr(folded(*messages))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(minutes, st.sampled_from(ELSEWHERE)), max_size=2 * MOVEMENTS_KEPT))
def test_no_course_of_another_visit_moves_an_inpatient(others: list[tuple[int, EncounterStatus.ValueType]]) -> None:
    ward = of_visit(encounter("ward", -60 * 50), "ward")
    course = [
        of_visit(encounter(f"o{number}", at, status=status, ward="ED"), "other")
        for number, (at, status) in enumerate(others)
    ]
    assert known(*course, ward) == known(ward, *course) == ward


@pytest.mark.parametrize("count", [SEEN_KEPT + 50])
def test_a_repeat_that_is_no_longer_remembered_still_changes_no_value(count: int) -> None:
    messages = [observations(f"m{i}", i / 10, {"heart_rate": 60}) for i in range(count)]
    for message in messages:
        message.bed = message.meta.message_id
    record = folded(*messages)
    again = take_in(record, messages[0], LIMITS)
    assert len(record.seen) == SEEN_KEPT
    assert (again.observations, again.stated, again.as_of) == (record.observations, record.stated, record.as_of)
    newest = take_in(replace(record, seen=()), messages[-1], LIMITS)
    assert newest.stated == record.stated
