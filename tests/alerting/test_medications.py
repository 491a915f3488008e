"""What notes say of medications over time."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vigil.v1.alerts_pb2 import NotePlace, PatientAlerts
from vigil.v1.notes_pb2 import Entity, NoteCoded, Temporality

from services.alerting.entity_rendering import timeline_json
from services.alerting.handlers import place_of
from services.alerting.medications import KEPT_OF_A_NOTE, Timeline, timeline_of
from services.alerting.patient_alerts import NOTES_KEPT
from tests.alerting.notes_making import (
    ABSENT,
    CONDITIONAL,
    FAMILY,
    POSSIBLE,
    coded,
    medication,
    placed,
    state_of,
    twice_a_day,
)

MOST_CHANGELOG_BYTES = 1_000_000  # of one patient, when every note names as much as is kept


def timeline(*notes: NoteCoded) -> Timeline:
    return timeline_of(state_of(*placed(*notes)))


def rows(*notes: NoteCoded) -> dict[str, list[tuple[str, str]]]:
    """Of each medication its statements, as (note, status)."""
    return {
        row.name: [(one.note.note_message_id, one.status) for one in row.statements]
        for row in timeline(*notes).medications
    }


def kinds(*notes: NoteCoded) -> dict[str, list[str]]:
    """Disagreements by ingredient; one between an allergy and a medication stands with both."""
    found: dict[str, list[str]] = {}
    told = timeline(*notes)
    for row in (*told.allergies, *told.medications):
        found.setdefault(row.name, []).extend(one.kind for one in row.disagreements)
    return found


def test_each_ingredient_has_a_row_with_its_statements_by_time() -> None:
    later = coded("b", medication("furosemide", status="stopped"), medication("apixaban", 30), minute=60)
    earlier = coded("a", medication("furosemide", status="started", dose="40 mg"), minute=5)
    assert rows(later, earlier) == {"apixaban": [("b", "")], "furosemide": [("a", "started"), ("b", "stopped")]}


def test_a_combination_is_told_of_each_of_its_ingredients() -> None:
    found = timeline(coded("a", medication("amoxicillin + clavulanic acid", dose="1 g")))
    assert [row.name for row in found.medications] == ["amoxicillin", "clavulanic acid"]
    assert {one.entity.name for row in found.medications for one in row.statements} == {"amoxicillin + clavulanic acid"}


def test_what_has_no_known_ingredient_is_kept_apart_and_its_words_are_not() -> None:
    found = timeline(coded("a", medication("", 4), text="The crystalloid runs."))
    assert (len(found.unnamed), found.medications) == (1, [])
    assert "crystalloid" not in str(state_of(*placed(coded("a", medication("", 4), text="The crystalloid runs."))))


def test_allergies_stand_apart() -> None:
    note = coded("a", medication("penicillin", status="allergy"), medication("morphine", 40, status="allergy"))
    found = timeline(note, coded("b", medication("furosemide"), minute=1))
    assert [row.name for row in found.allergies] == ["morphine", "penicillin"]
    assert [row.name for row in found.medications] == ["furosemide"]


def test_a_corrected_note_counts_as_it_is_now() -> None:
    first = coded("a", medication("warfarin", status="started"), revision=0)
    corrected = coded("a", medication("apixaban", status="started"), revision=1)
    assert rows(first, corrected) == rows(corrected, first) == {"apixaban": [("a", "started")]}


def test_another_version_of_a_document_counts_alone() -> None:
    first = coded("a", medication("warfarin"), document="letter")
    second = coded("b", medication("apixaban"), document="letter", revision=1)
    assert rows(first, second) == {"apixaban": [("b", "")]}


def test_a_note_that_was_taken_back_no_longer_counts() -> None:
    first = coded("a", medication("warfarin"), document="letter")
    assert rows(first, coded("b", document="letter", revision=1, text="")) == {}


def test_a_document_that_another_one_replaces_no_longer_counts() -> None:
    first = coded("a", medication("warfarin"), document="letter")
    assert rows(first, coded("b", medication("apixaban"), document="other", replaces="letter", minute=5)) == {
        "apixaban": [("b", "")]
    }


DISAGREEMENTS = {
    "an allergy and that it is taken": (
        [medication("penicillin", status="allergy"), medication("penicillin", 50, status="started")],
        [],
        {"penicillin": ["allergy", "allergy"]},
    ),
    "an allergy as it reads, and that it is taken": (
        [medication("penicillin", status="allergy", assertion=CONDITIONAL), medication("penicillin", 50, dose="1 g")],
        [],
        {"penicillin": ["allergy", "allergy"]},
    ),
    "an allergy and a bare name": (
        [medication("penicillin", status="allergy"), medication("penicillin", 50)],
        [],
        {"penicillin": []},
    ),
    "a relative's allergy": (
        [medication("penicillin", status="allergy", experiencer=FAMILY), medication("penicillin", 50, dose="1 g")],
        [],
        {"penicillin": []},
    ),
    "an allergy stated and denied": (
        [medication("penicillin", status="allergy")],
        [medication("penicillin", status="allergy", assertion=ABSENT)],
        {"penicillin": ["allergy_denied"]},
    ),
    "stopped and continued by one note": (
        [medication("warfarin", status="stopped"), medication("warfarin", 50, status="continued")],
        [],
        {"warfarin": ["status"]},
    ),
    "started and held by one note": (
        [medication("warfarin", status="started"), medication("warfarin", 50, status="held")],
        [],
        {"warfarin": ["status"]},
    ),
    "taken and denied by one note": (
        [medication("warfarin", dose="5 mg"), medication("warfarin", 50, assertion=ABSENT)],
        [],
        {"warfarin": ["denied"]},
    ),
    "going on after a stop": (
        [medication("warfarin", status="held")],
        [medication("warfarin", status="continued")],
        {"warfarin": ["after_stop"]},
    ),
    "named after a stop": ([medication("warfarin", status="held")], [medication("warfarin")], {"warfarin": []}),
    "started again after a stop": (
        [medication("warfarin", status="stopped")],
        [medication("warfarin", status="started")],
        {"warfarin": []},
    ),
    "another dose without a word": (
        [medication("warfarin", dose="5 mg", route="oral")],
        [medication("warfarin", dose="3 mg", route="oral")],
        {"warfarin": ["dose"]},
    ),
    "another dose that was changed": (
        [medication("warfarin", dose="5 mg")],
        [medication("warfarin", dose="3 mg", status="changed")],
        {"warfarin": []},
    ),
    "another dose that is only possible": (
        [medication("warfarin", dose="5 mg")],
        [medication("warfarin", dose="3 mg", assertion=POSSIBLE)],
        {"warfarin": []},
    ),
    "another product": (
        [medication("lisinopril", dose="5 mg")],
        [medication("lisinopril + hydrochlorothiazide", dose="20 mg")],
        {"hydrochlorothiazide": [], "lisinopril": []},
    ),
}


@pytest.mark.parametrize("case", DISAGREEMENTS)
def test_statements_that_do_not_go_together_are_named(case: str) -> None:
    first, second, expected = DISAGREEMENTS[case]
    assert kinds(coded("a", *first), coded("b", *second, minute=60)) == expected


def test_a_disagreement_is_a_sentence_with_the_statements_that_it_is_between() -> None:
    first = coded("a", medication("furosemide", 3, dose="40 mg"))
    found = timeline(first, coded("b", twice_a_day(medication("furosemide", 9, dose="20 mg")), minute=60))
    [one] = timeline_json("k", found)["medications"][0]["disagreements"]
    assert one["sentence"] == "Dose 20 mg after 40 mg; no note says that it was changed."
    assert one["statements"] == [{"message_id": "a", "span": [3, 13]}, {"message_id": "b", "span": [9, 19]}]


def test_what_was_not_read_whole_is_named() -> None:
    degraded = coded("a", minute=1)
    degraded.entity_rules = ""
    cut, other = coded("b", minute=2), coded("c", minute=3)
    cut.truncated, other.abstained = True, "another language"
    before = NotePlace(note_message_id="old", coded_message_id="old-coded", kind="progress")
    found = timeline_of(state_of(before, *placed(degraded, cut, other, coded("d", minute=4))))
    notes = timeline_json("k", found)["notes"]
    assert (notes["standing"], notes["read_whole"], notes["newest"]) == (5, 1, "2026-03-01T12:04:00Z")
    read = {one["message_id"]: one["read"] for one in notes["not_whole"]}
    assert read == {"old": "before", "a": "names", "b": "part", "c": "nothing"}


def test_what_is_kept_of_a_patient_is_bounded() -> None:
    many = [twice_a_day(medication("furosemide", 20 * n, dose="40 mg", route="oral")) for n in range(500)]
    state = PatientAlerts()
    places = [place_of(coded(f"n{n}", *many, minute=n), 0, n) for n in range(NOTES_KEPT + 20)]
    state = state_of(*places)
    assert {len(note.medications) for note in state.notes} == {KEPT_OF_A_NOTE}
    assert {note.medications_read for note in state.notes} == {"part"}
    assert len(state.notes) == NOTES_KEPT
    assert state.ByteSize() < MOST_CHANGELOG_BYTES


def test_which_notes_of_one_time_are_kept_does_not_depend_on_their_order() -> None:
    places = placed(*(coded(f"n{n:03d}", medication("warfarin", n)) for n in range(NOTES_KEPT + 5)))
    assert state_of(*places).notes == state_of(*reversed(places)).notes


def test_nothing_but_medications_is_kept_and_nothing_of_where_it_came_from() -> None:
    other = Entity(type="test", name="lactate")
    other.attributes.add(name="value", value="free text of the note")
    note = coded("a", other, medication("furosemide"))
    note.entities[1].attributes.add(name="severity", value="free text of the note")
    [place] = state_of(*placed(note)).notes
    assert [(one.name, one.origin, list(one.attributes)) for one in place.medications] == [("furosemide", "", [])]


STATUSES = ["", "started", "continued", "changed", "stopped", "held", "allergy"]


@st.composite
def mentions(draw: st.DrawFn) -> Entity:
    made = medication(
        draw(st.sampled_from(["", "warfarin", "furosemide", "warfarin + furosemide"])),
        draw(st.integers(0, 5)) * 20,
        status=draw(st.sampled_from(STATUSES)),
        dose=draw(st.sampled_from(["", "5 mg", "40 mg"])),
        assertion=draw(st.sampled_from([*range(6)])),
        experiencer=draw(st.sampled_from([*range(4)])),
    )
    made.temporality = draw(st.sampled_from(list(Temporality.values())))
    return made


@st.composite
def histories(draw: st.DrawFn) -> list[NotePlace]:
    """Notes of a few documents in a few versions, some corrected, replaced or taken back, at their places in Kafka."""
    notes = [
        coded(
            draw(st.sampled_from("abcde")),
            *draw(st.lists(mentions(), max_size=4)),
            minute=draw(st.integers(0, 3)),
            revision=draw(st.integers(0, 3)),
            document=draw(st.sampled_from(["", "x", "y", "z"])),
            replaces=draw(st.sampled_from(["", "", "x", "y"])),
            text=draw(st.sampled_from(["Some text.", "Some text.", ""])),
        )
        for _ in range(draw(st.integers(0, 8)))
    ]
    # One message has one content: of several of one id and revision the first is meant.
    once = {(note.note_message_id, note.meta.revision): note for note in reversed(notes)}
    return placed(*once.values())


def answer(places: list[NotePlace]) -> str:
    return json.dumps(timeline_json("k", timeline_of(state_of(*places))))


@given(histories(), st.randoms())
def test_the_order_of_arrival_and_repetitions_change_nothing(places: list[NotePlace], random: object) -> None:
    expected = answer(places)
    shuffled = [*places, *places]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert answer(shuffled) == expected


@given(histories())
def test_no_statement_of_a_standing_note_is_lost_or_told_twice(places: list[NotePlace]) -> None:
    found = timeline_of(state_of(*places))
    told = [one for row in (*found.allergies, *found.medications) for one in row.statements] + list(found.unnamed)
    kept = {(note.note_message_id, index) for note in found.notes for index, _ in enumerate(note.medications)}
    ingredients = sum(max(len(set(one.name.split(" + "))), 1) for note in found.notes for one in note.medications)
    assert len(told) == ingredients
    assert {one.note.note_message_id for one in told} == {note for note, _ in kept}
    for row in (*found.allergies, *found.medications):
        assert [one.place for one in row.statements] == sorted(one.place for one in row.statements)
        of_row = {one.place for one in (*row.statements, *(s for other in found.allergies for s in other.statements))}
        of_row |= {one.place for other in found.medications for one in other.statements}
        assert {one.place for odd in row.disagreements for one in odd.statements} <= of_row
