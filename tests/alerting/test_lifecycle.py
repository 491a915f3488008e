"""How alerts begin, change and end."""

from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vigil.v1.alerts_pb2 import Alert, AlertCommandKind, AlertState, NotePlace, PatientAlerts
from vigil.v1.encounters_pb2 import EncounterStatus
from vigil.v1.risk_pb2 import PatientRisk

from services.alerting.lifecycle import alert_id
from services.alerting.patient_alerts import (
    after_command_to,
    after_encounter,
    after_note,
    changed_alerts,
    is_here,
    standing_notes,
)
from services.alerting.policy import DEFAULT_POLICY
from services.common.outcomes import Invalid
from tests.alerting.making import (
    HIGH,
    KEY,
    NOON,
    RED,
    STAY,
    after,
    command,
    encounter,
    fresh,
    pneumothorax,
    risk,
    sepsis,
)

ACK = AlertCommandKind.ALERT_COMMAND_KIND_ACKNOWLEDGE
RESOLVE = AlertCommandKind.ALERT_COMMAND_KIND_RESOLVE
FIRING = AlertState.ALERT_STATE_FIRING
ACKNOWLEDGED = AlertState.ALERT_STATE_ACKNOWLEDGED
RESOLVED = AlertState.ALERT_STATE_RESOLVED
CLOSED = AlertState.ALERT_STATE_CLOSED
NEWS2_ID = alert_id(KEY, STAY, "news2_high")
FINDING_ID = alert_id(KEY, STAY, "critical_finding:pneumothorax")


def alert_of(state: PatientAlerts, identity: str = NEWS2_ID) -> Alert:
    return next(record.alert for record in state.records if record.alert.id == identity)


def states(state: PatientAlerts) -> dict[str, AlertState.ValueType]:
    return {record.alert.rule: record.alert.state for record in state.records}


def test_a_high_score_fires_at_once() -> None:
    alert = alert_of(after(fresh(), risk(1, HIGH)))
    assert alert.state == FIRING
    assert (alert.revision, alert.bed, alert.risk_message_id) == (1, "04", "risk-1")
    assert alert.opened_at.ToDatetime() == alert.updated_at.ToDatetime() == NOON.replace(tzinfo=None, minute=1)
    assert [item.statement for item in alert.evidence] == ["resp_rate 29 /min", "spo2 90 %", "heart_rate 120 /min"]


def test_a_state_that_repeats_changes_nothing() -> None:
    once = after(fresh(), risk(1, HIGH))
    many = after(once, *(risk(number, HIGH) for number in range(2, 40)))
    assert changed_alerts(once, many) == []


def test_a_change_of_the_values_is_a_revision_of_the_same_alert() -> None:
    state = after(fresh(), risk(1, HIGH), risk(2, HIGH | {"sbp": 3}))
    assert (len(state.records), alert_of(state).revision) == (1, 2)
    assert alert_of(state).reason.startswith("NEWS2 is 11")


def test_a_high_score_takes_over_from_a_single_red_parameter() -> None:
    state = after(fresh(), risk(1, RED), risk(2, RED | HIGH))
    assert states(state) == {"news2_single_red": RESOLVED, "news2_high": FIRING}


def test_an_alert_resolves_at_the_first_normal_risk() -> None:
    alert = alert_of(after(fresh(), risk(1, HIGH), risk(2)))
    assert (alert.state, alert.risk_message_id) == (RESOLVED, "risk-2")
    assert alert.resolved_at.seconds == risk(2).as_of.seconds


def test_silence_is_not_recovery() -> None:
    lost = after(fresh(), risk(1, HIGH), risk(2, missing=["resp_rate"]))
    assert alert_of(lost).state == FIRING
    assert alert_of(after(lost, risk(3))).state == RESOLVED


def test_what_never_scored_may_be_missing_when_an_alert_resolves() -> None:
    assert alert_of(after(fresh(), risk(1, HIGH), risk(2, missing=["temperature"]))).state == RESOLVED


def test_an_alert_that_fires_again_is_the_same_one_with_a_higher_revision() -> None:
    acknowledged = after_command_to(after(fresh(), risk(1, HIGH)), command(NEWS2_ID, ACK))
    again = alert_of(after(acknowledged, risk(2), risk(3, HIGH)))
    assert (again.id, again.state, again.revision) == (NEWS2_ID, FIRING, 4)
    assert not again.HasField("acknowledged")
    assert not again.HasField("resolved_at")
    assert again.opened_at.seconds == risk(3).as_of.seconds


def test_older_and_equal_risks_change_nothing() -> None:
    state = after(fresh(), risk(5, HIGH))
    for revision in (1, 4, 5):
        assert after(state, risk(revision)) is state


def test_an_acknowledgement_stays_while_the_state_does() -> None:
    state = after_command_to(after(fresh(), risk(1, HIGH)), command(NEWS2_ID, ACK))
    later = after(state, risk(2, HIGH), risk(3, HIGH | {"sbp": 3}))
    assert alert_of(later).state == ACKNOWLEDGED
    assert (alert_of(later).acknowledged.by, alert_of(later).acknowledged.reason) == ("RN", "seen_at_bedside")


def test_a_command_that_comes_twice_is_done_once() -> None:
    state = after_command_to(after(fresh(), risk(1, HIGH)), command(NEWS2_ID, ACK))
    assert after_command_to(state, command(NEWS2_ID, ACK)) is state
    refired = after(state, risk(2), risk(3, HIGH))
    assert after_command_to(refired, command(NEWS2_ID, ACK)) is refired


def test_a_command_for_an_unknown_alert_is_invalid() -> None:
    with pytest.raises(Invalid, match="does not exist"):
        after_command_to(fresh(), command("nobody", ACK))


def test_what_a_person_resolved_stays_quiet_while_the_state_lasts() -> None:
    resolved = after_command_to(after(fresh(), risk(1, HIGH)), command(NEWS2_ID, RESOLVE))
    assert alert_of(resolved).state == RESOLVED
    assert alert_of(after(resolved, risk(2, HIGH))).state == RESOLVED


@pytest.mark.parametrize(
    "then", [[risk(2), risk(3, HIGH)], [risk(2, HIGH | {"sbp": 3})]], ids=["came back", "got worse"]
)
def test_what_a_person_resolved_fires_again_when_the_state(then: list[PatientRisk]) -> None:
    resolved = after_command_to(after(fresh(), risk(1, HIGH)), command(NEWS2_ID, RESOLVE))
    assert alert_of(after(resolved, *then)).state == FIRING


def test_a_critical_finding_stays_until_a_person_has_seen_it() -> None:
    unseen = after(fresh(), risk(1, findings=[pneumothorax()]), risk(2))
    assert alert_of(unseen, FINDING_ID).state == FIRING
    seen = after_command_to(unseen, command(FINDING_ID, ACK))
    assert alert_of(after(seen, risk(3)), FINDING_ID).state == RESOLVED


def test_a_new_statement_of_a_resolved_finding_fires_again() -> None:
    fired = after(fresh(), risk(1, findings=[pneumothorax("note-1", 0)]))
    resolved = after_command_to(fired, command(FINDING_ID, RESOLVE))
    assert alert_of(after(resolved, risk(2, findings=[pneumothorax("note-1", 0)])), FINDING_ID).state == RESOLVED
    newer = risk(3, findings=[pneumothorax("note-1", 0), pneumothorax("note-2", 2)])
    assert alert_of(after(resolved, newer), FINDING_ID).state == FIRING


def test_a_discharge_closes_and_nothing_opens_after_it() -> None:
    state = after(after_encounter(fresh(), encounter(0)), risk(1, HIGH))
    gone = after_encounter(state, encounter(2, EncounterStatus.ENCOUNTER_STATUS_DISCHARGED))
    assert states(gone) == {"news2_high": CLOSED}
    assert changed_alerts(gone, after(gone, risk(3, HIGH))) == []


def test_a_discharge_that_only_the_risk_tells_of_closes_too() -> None:
    state = after(fresh(), risk(1, HIGH), risk(2, HIGH, status=EncounterStatus.ENCOUNTER_STATUS_DISCHARGED))
    assert states(state) == {"news2_high": CLOSED}


def test_a_new_stay_has_alerts_of_its_own() -> None:
    old = after(after_encounter(fresh(), encounter(0)), risk(1, HIGH))
    new = after(after_encounter(old, encounter(2, stay="c" * 32)), risk(3, HIGH, stay="c" * 32))
    assert alert_of(new).state == CLOSED
    assert alert_of(new, alert_id(KEY, "c" * 32, "news2_high")).state == FIRING


def test_an_older_movement_changes_nothing() -> None:
    state = after_encounter(fresh(), encounter(5))
    assert after_encounter(state, encounter(4, EncounterStatus.ENCOUNTER_STATUS_DISCHARGED)) is state


@pytest.mark.parametrize(
    "status",
    [
        EncounterStatus.ENCOUNTER_STATUS_PLANNED,
        EncounterStatus.ENCOUNTER_STATUS_DISCHARGED,
        EncounterStatus.ENCOUNTER_STATUS_CANCELLED,
        EncounterStatus.ENCOUNTER_STATUS_UNSPECIFIED,
    ],
)
def test_another_visit_that_is_planned_or_ends_leaves_the_inpatient_alone(status: EncounterStatus.ValueType) -> None:
    state = after(after_encounter(fresh(), encounter(0)), risk(1, HIGH))
    assert after_encounter(state, encounter(2, status, stay="c" * 32)) is state
    assert after_encounter(state, encounter(2, EncounterStatus.ENCOUNTER_STATUS_DISCHARGED)) != state


def test_a_merge_into_another_patient_closes_what_is_open() -> None:
    state = after(after_encounter(fresh(), encounter(0)), risk(1, HIGH))
    merged = after_encounter(state, encounter(2, EncounterStatus.ENCOUNTER_STATUS_CANCELLED, stay=""))
    assert states(merged) == {"news2_high": CLOSED}
    assert not is_here(merged)
    assert changed_alerts(merged, after(merged, risk(3, HIGH, stay=""))) == []


def test_of_two_movements_in_one_minute_the_last_to_arrive_counts() -> None:
    moved, left = encounter(0), encounter(0, EncounterStatus.ENCOUNTER_STATUS_DISCHARGED)
    left.meta.message_id, moved.meta.message_id = "a", "z"
    left.meta.ingest_time.seconds += 1
    gone = after_encounter(after(after_encounter(fresh(), moved), risk(1, HIGH)), left)
    assert states(gone) == {"news2_high": CLOSED}
    assert after_encounter(gone, moved) is gone
    assert after_encounter(gone, left) is gone


def test_an_alert_from_before_the_stay_was_known_is_not_raised_twice() -> None:
    early = after(fresh(), risk(1, HIGH, stay=""))
    admitted = after(after_encounter(early, encounter(2)), risk(3, HIGH | {"sbp": 3}))
    assert [record.alert.state for record in admitted.records] == [FIRING]
    assert admitted.records[0].alert.meta.encounter_key == STAY


def test_notes_that_were_replaced_corrected_or_taken_back_are_not_listed_and_stay_readable() -> None:
    def place(name: str, document: str, revision: int = 0, **more: Any) -> NotePlace:
        return NotePlace(note_message_id=name, document_id=document, revision=revision, **more)

    places = [
        place("a", "A"),
        place("b", "B", replaces_document_id="A"),
        place("c", "C"),
        place("c2", "C", 7),
        place("d", "D"),
        place("d2", "D", 7, withdrawn=True),
        place("e", "E", replaces_document_id="E"),
        place("before-documents-were-named", ""),
    ]
    for order in (places, places[::-1]):
        state = reduce(after_note, order, fresh())
        listed = {one.note_message_id for one in standing_notes(state)}
        assert listed == {"b", "c2", "e", "before-documents-were-named"}
        assert len(state.notes) == len(places)


OTHER_STAY = "c" * 32
DISCHARGED = EncounterStatus.ENCOUNTER_STATUS_DISCHARGED


@pytest.mark.parametrize("stays", [(STAY, "", STAY, ""), ("", STAY, "", STAY)], ids=["named first", "unnamed first"])
def test_messages_that_name_no_stay_are_about_the_stay_of_the_others(stays: tuple[str, ...]) -> None:
    state, high, worse = fresh(), HIGH, HIGH | {"sbp": 3}
    ids = set()
    for number, stay in enumerate(stays, 1):
        state = after(state, risk(number, worse if number % 2 else high, stay=stay))
        ids |= {record.alert.id for record in state.records}
    assert (len(ids), states(state)) == (1, {"news2_high": FIRING})
    assert states(after(state, risk(9, stay=""))) == {"news2_high": RESOLVED}


@pytest.mark.parametrize("stays", [(STAY, ""), ("", STAY)], ids=["named first", "unnamed first"])
def test_what_was_resolved_in_a_stay_that_was_not_named_comes_back_as_the_same_alert(stays: tuple[str, str]) -> None:
    first, second = stays
    state = after(fresh(), risk(1, HIGH, stay=first), risk(2, stay=first), risk(3, HIGH, stay=second))
    assert states(state) == {"news2_high": FIRING}
    assert [record.alert.id for record in state.records] == [alert_id(KEY, first, "news2_high")]


def test_a_stay_that_becomes_known_is_remembered_even_where_nothing_else_changes() -> None:
    state = after(fresh(), risk(1, HIGH, stay=""), risk(2, HIGH))
    assert [record.alert.meta.encounter_key for record in state.records] == [STAY]
    gone = after_encounter(state, encounter(3, stay=OTHER_STAY))
    assert states(gone) == {"news2_high": CLOSED}


def test_of_two_alerts_that_say_the_same_the_first_stays() -> None:
    named, unnamed = after(fresh(), risk(1, HIGH)), after(fresh(), risk(2, HIGH, stay=""))
    twins = fresh()
    twins.CopyFrom(named)
    twins.records.extend(unnamed.records)
    once = after(twins, risk(3, HIGH))
    assert [record.alert.state for record in once.records] == [FIRING, CLOSED]
    assert changed_alerts(once, after(once, risk(4, HIGH))) == []


def test_a_stay_after_one_that_had_no_name_at_first_has_an_alert_of_its_own() -> None:
    first = after(fresh(), risk(1, HIGH, stay=""), risk(2, HIGH))
    gone = after_encounter(first, encounter(3, DISCHARGED))
    back = after_encounter(gone, encounter(4, stay=""))
    again = after(back, risk(5, HIGH, stay=""))
    assert [record.alert.state for record in again.records] == [CLOSED, FIRING]
    assert [alert.revision for alert in changed_alerts(back, again)] == [1]
    assert len({record.alert.id for record in again.records}) == 2


def test_the_place_of_the_newest_revision_of_a_note_is_kept() -> None:
    first = NotePlace(note_message_id="n", revision=0, offset=1)
    newer = NotePlace(note_message_id="n", revision=1, offset=9)
    state = after_note(after_note(fresh(), first), newer)
    assert [place.offset for place in state.notes] == [9]
    assert after_note(state, first) is state


QUICK = settings(max_examples=60, deadline=None)
POINTS = st.dictionaries(st.sampled_from(["resp_rate", "spo2", "sbp", "consciousness"]), st.integers(0, 3))
FINDINGS = st.sampled_from([(), (pneumothorax(),), (pneumothorax("note-2", 5),)])
SYNDROMES = st.sampled_from([(), (sepsis(),)])
COURSES = st.lists(st.tuples(POINTS, FINDINGS, SYNDROMES), max_size=12)


def course(drawn: list[tuple[dict[str, int], tuple[object, ...], tuple[object, ...]]]) -> list[PatientRisk]:
    return [
        risk(number, points, findings=findings, syndromes=syndromes)  # type: ignore[arg-type]
        for number, (points, findings, syndromes) in enumerate(drawn, 1)
    ]


@QUICK
@given(COURSES, st.data())
def test_repeated_and_late_risks_leave_what_the_course_alone_would(drawn: list[object], data: st.DataObject) -> None:
    risks = course(drawn)  # type: ignore[arg-type]
    disturbed = fresh()
    for number, one in enumerate(risks):
        disturbed = after(disturbed, one, *data.draw(st.lists(st.sampled_from(risks[: number + 1]), max_size=3)))
    assert disturbed == after(fresh(), *risks)


@QUICK
@given(COURSES)
def test_there_is_one_alert_a_rule_and_its_revision_only_grows(drawn: list[object]) -> None:
    state = fresh()
    published: dict[str, int] = {}
    for one in course(drawn):  # type: ignore[arg-type]
        before, state = state, after(state, one)
        for alert in changed_alerts(before, state):
            assert alert.revision == published.get(alert.id, 0) + 1
            published[alert.id] = alert.revision
    assert len({record.alert.id for record in state.records}) == len(state.records)
    assert len({record.alert.rule for record in state.records}) == len(state.records)


@QUICK
@given(COURSES)
def test_a_replay_from_the_beginning_publishes_the_same_again(drawn: list[object]) -> None:
    risks = course(drawn)  # type: ignore[arg-type]
    assert after(fresh(), *risks).SerializeToString(deterministic=True) == after(fresh(), *risks).SerializeToString(
        deterministic=True
    )


@QUICK
@given(COURSES)
def test_a_high_score_is_never_without_an_open_alert(drawn: list[object]) -> None:
    state = fresh()
    for one in course(drawn):  # type: ignore[arg-type]
        state = after(state, one)
        if one.scores[0].total >= DEFAULT_POLICY.rules[0].threshold:
            assert alert_of(state).state == FIRING
