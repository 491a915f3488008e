from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.common.topics import Topic
from services.note_ingest.drafts import (
    About,
    Arrival,
    Code,
    Draft,
    Identity,
    Measurement,
    Measurements,
    MeasurementStatus,
    Note,
    Parsed,
    Protocol,
    Sex,
    Stay,
    StayStatus,
    Subject,
)
from services.note_ingest.intake import Intake, age_at, take_in
from services.note_ingest.refusals import Refused

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PATIENT = Subject(Identity("WARD", "MRN-77"), Identity("WARD", "V-9"))
MLLP = Arrival(Protocol.HL7V2, "hl7v2:X", NOW)
NOTE = Note(PATIENT, NOW - timedelta(hours=1), "Short of breath.", document_id="DOC-1")


def made(draft: Draft, intake: Intake, arrival: Arrival = MLLP) -> Any:
    [publish] = take_in(Parsed(arrival, (draft,)), intake)
    return publish


def measured(intake: Intake, code: str, value: float | None, unit: str = "", text: str = "", **more: Any) -> Any:
    measurement = Measurement((Code(code, "LN"),), NOW, value, text, unit, **more)
    return made(Measurements(PATIENT, NOW, (measurement,)), intake).message.observations[0]


def test_the_key_of_every_message_is_the_patients_and_tells_nothing(intake: Intake) -> None:
    publish = made(NOTE, intake)
    assert publish.key == publish.message.meta.patient_key == intake.keys.key("WARD", "MRN-77")
    assert "MRN" not in publish.key
    assert publish.message.meta.encounter_key == intake.keys.key("WARD", "V-9")


def test_the_same_note_by_two_protocols_is_one_note(intake: Intake) -> None:
    by_mllp = made(NOTE, intake).message
    by_grpc = made(replace(NOTE, type_code="CN"), intake, Arrival(Protocol.GRPC, "grpc", NOW)).message
    assert by_mllp.meta.message_id == by_grpc.meta.message_id


@pytest.mark.parametrize(
    "other",
    [
        replace(NOTE, version=1),
        replace(NOTE, preliminary=True),
        replace(NOTE, document_id="DOC-2"),
        replace(NOTE, subject=Subject(Identity("CLINIC", "MRN-77"))),
        replace(NOTE, document_id=""),
    ],
)
def test_another_version_document_or_authority_is_another_note(intake: Intake, other: Note) -> None:
    assert made(NOTE, intake).message.meta.message_id != made(other, intake).message.meta.message_id


def test_a_note_without_a_number_is_known_by_its_patient_and_content(intake: Intake) -> None:
    unnumbered = replace(NOTE, document_id="")
    other_patient = replace(unnumbered, subject=Subject(Identity("WARD", "MRN-78")))
    other_text = replace(unnumbered, text="Breathing well.")
    ids = [made(note, intake).message.meta.message_id for note in (unnumbered, other_patient, other_text, unnumbered)]
    assert ids[0] == ids[3]
    assert len(set(ids)) == 3


def test_a_correction_has_a_higher_revision(intake: Intake) -> None:
    assert made(replace(NOTE, version=7), intake).message.meta.revision == 7


def test_line_ends_of_a_note_are_newlines(intake: Intake) -> None:
    assert made(replace(NOTE, text="a\r\nb\rc"), intake).message.text == "a\nb\nc"


@pytest.mark.parametrize("text", ["", " \n ", "x" * 10_001])
def test_a_note_without_text_or_over_the_limit_is_refused(intake: Intake, text: Any) -> None:
    with pytest.raises(Refused):
        made(replace(NOTE, text=text), intake)


def test_an_authority_goes_by_its_aliases_and_default(intake: Intake) -> None:
    aliased = replace(intake, authorities={"URN:OID:1.2": "WARD"})
    assert aliased.key(Identity("urn:oid:1.2", "1")) == aliased.key(Identity("WARD", "1"))
    assert aliased.key(Identity("", "1")) == aliased.key(Identity("HOSPITAL", "1"))


@pytest.mark.parametrize(
    ("sent", "name", "kept", "kept_unit"),
    [
        (("8867-4", 88, "bpm"), "heart_rate", 88, "/min"),
        (("8310-5", 98.6, "[degF]"), "temperature", 37.0, "Cel"),
        (("8480-6", 16, "kPa"), "sbp", 120.0098521354, "mm[Hg]"),
        (("3150-6", 40, "%"), "fio2", 0.4, "1"),
        (("3150-6", 40, ""), "fio2", 0.4, "1"),
        (("3150-6", 0.4, ""), "fio2", 0.4, "1"),
        (("2345-7", 5.5, "mmol/L"), "glucose", 99.0858, "mg/dL"),
        (("2524-7", 18.016, "mg/dL"), "lactate", 2.0, "mmol/L"),
        (("6690-2", 12000, "{cells}/uL"), "wbc", 12.0, "10*9/L"),
    ],
)
def test_values_are_kept_in_one_unit_a_name(
    intake: Intake, sent: tuple[str, float, str], name: str, kept: float, kept_unit: str
) -> None:
    code, value, unit = sent
    observation = measured(intake, code, value, unit)
    assert (observation.name, observation.value, observation.unit) == (name, pytest.approx(kept), kept_unit)
    assert not observation.out_of_range
    assert observation.sent_unit == (unit if unit not in {"", kept_unit} else "")


@pytest.mark.parametrize(
    ("code", "value", "ways", "kept"),
    [
        ("8480-6", 120, ("mm(hg)", "mm[hg]", "MM[HG]", "torr"), 120),
        ("8867-4", 80, ("/MIN", "b/min", "beats per minute", "{beats}/min", "/min {beats}", "{bpm}"), 80),
        ("9279-1", 18, ("rpm", "resp/min", "breaths per minute", "{breaths}/MIN"), 18),
        ("8310-5", 37, ("degrees C", "deg. C", "ºC", "°C", "CEL"), 37),
        ("8310-5", 98.6, ("degrees F", "ºF", "[DEGF]"), 37),
        ("59408-5", 97, ("{percent}", "% {O2}"), 97),
        ("3150-6", 0.4, ("{fraction}", "{FiO2}"), 0.4),
        ("3150-6", 40, ("%{FiO2}",), 0.4),
        ("3151-8", 2, ("L/m", "lpm", "L/MIN"), 2),
    ],
)
def test_units_are_read_as_senders_write_them(
    intake: Intake, code: str, value: Any, ways: tuple[str, ...], kept: Any
) -> None:
    for unit in ways:
        observation = measured(intake, code, value, unit)
        assert (observation.value, observation.out_of_range) == (pytest.approx(kept), False), unit


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("sbp", ("8459-0", "8460-8", "8461-6")),
        ("dbp", ("8453-3", "8454-1", "8455-8")),
        ("temperature", ("8310-5", "8328-7", "8329-5", "8331-1", "8332-9", "8333-7", "75539-7", "60836-4")),
        ("heart_rate", ("8867-4", "8889-8", "8893-0", "40443-4", "76477-9")),
        ("spo2", ("59408-5", "2708-6", "2710-2", "59410-1")),
    ],
)
def test_a_vital_sign_is_known_by_every_way_to_measure_it(intake: Intake, name: str, codes: tuple[str, ...]) -> None:
    assert {measured(intake, code, 40).name for code in codes} == {name}


@pytest.mark.parametrize(
    ("code", "value", "unit"),
    [
        ("8867-4", 80, "{beats}"),
        ("8867-4", 900, "/min"),
        ("8310-5", 98.6, ""),
        ("59408-5", 140, "%"),
        ("2524-7", 2, "kg"),
    ],
)
def test_what_is_impossible_or_in_no_unit_of_its_kind_is_kept_and_flagged(
    intake: Intake, code: str, value: Any, unit: str
) -> None:
    observation = measured(intake, code, value, unit)
    assert (observation.value, observation.out_of_range) == (value, True)


@pytest.mark.parametrize(
    ("word", "kept", "flagged"), [("A", "alert", False), ("New Confusion", "confusion", False), ("?", "?", True)]
)
def test_consciousness_is_one_of_five_words(intake: Intake, word: str, kept: Any, flagged: bool) -> None:
    observation = measured(intake, "67775-7", None, text=word)
    assert (observation.name, observation.text_value, observation.out_of_range) == ("avpu", kept, flagged)


@pytest.mark.parametrize(("word", "kept"), [("Room air", "air"), ("Y", "oxygen")])
def test_oxygen_may_be_told_in_words(intake: Intake, word: str, kept: str) -> None:
    observation = measured(intake, "57485-5", None, text=word)
    assert (observation.name, observation.text_value, observation.out_of_range) == ("on_oxygen", kept, False)


def test_a_word_where_a_number_belongs_never_reaches_a_score(intake: Intake) -> None:
    assert measured(intake, "8867-4", None, text="fast").out_of_range


@pytest.mark.parametrize("part", ["text", "unit", "code"])
def test_no_part_of_a_result_may_be_longer_than_a_thousand_characters(intake: Intake, part: str) -> None:
    def sent(length: int) -> Any:
        parts = {"text": "Positive", "unit": "", "code": "X"} | {part: "x" * length}
        return measured(intake, parts["code"], None, parts["unit"], parts["text"])

    assert sent(1000)
    with pytest.raises(Refused, match="longer than 1000 characters"):
        sent(1001)


def test_an_unknown_code_is_kept_as_sent(intake: Intake) -> None:
    observation = measured(intake, "99999-9", 3, "furlong")
    assert (observation.loinc, observation.name, observation.unit) == ("99999-9", "99999-9", "furlong")


def test_a_device_code_is_known(intake: Intake) -> None:
    group = Measurements(PATIENT, NOW, (Measurement((Code("MDC_ECG_HEART_RATE", "MDC"),), NOW, 80.0),))
    [observation] = made(group, intake).message.observations
    assert (observation.name, observation.loinc) == ("heart_rate", "8867-4")


def test_a_correction_keeps_the_id_of_the_value_and_changes_the_messages(intake: Intake) -> None:
    first = Measurements(PATIENT, NOW, (Measurement((Code("8867-4", "LN"),), NOW, 88.0),))
    wrong = replace(first.measurements[0], value=98.0, status=MeasurementStatus.CORRECTED)
    before, after = made(first, intake).message, made(replace(first, measurements=(wrong,)), intake).message
    assert before.observations[0].observation_id == after.observations[0].observation_id
    assert before.meta.message_id != after.meta.message_id
    assert made(first, intake).message.meta.message_id == before.meta.message_id


def all_of(intake: Intake, *measurements: Measurement) -> list[Any]:
    observations = made(Measurements(PATIENT, NOW, measurements), intake).message.observations
    return [(o.name, o.value, o.status) for o in observations]


@pytest.mark.parametrize("code", ["85354-9", "55284-4", "NIBP"])
def test_a_blood_pressure_in_one_text_is_two_values(intake: Intake, code: str) -> None:
    pair = Measurement((Code(code, "LN"),), NOW, text="120/80", unit="mm[Hg]")
    assert all_of(intake, pair) == [("sbp", 120, 1), ("dbp", 80, 1)]
    taken_back = replace(pair, text="", status=MeasurementStatus.WITHDRAWN)
    assert all_of(intake, taken_back) == [("sbp", 0, 3), ("dbp", 0, 3)]
    assert [name for name, _, _ in all_of(intake, replace(pair, text="refused"))] == [code.lower()]


EYE, VERBAL, MOTOR = (
    Measurement((Code(code, "LN"),), NOW, value) for code, value in (("9267-6", 3.0), ("9270-0", 4.0), ("9268-4", 6.0))
)


def test_the_coma_scale_is_summed_from_its_parts(intake: Intake) -> None:
    assert all_of(intake, EYE, VERBAL, MOTOR)[3:] == [("gcs", 13, 1)]
    corrected = replace(MOTOR, value=5.0, status=MeasurementStatus.CORRECTED)
    assert all_of(intake, EYE, VERBAL, corrected)[3:] == [("gcs", 12, 2)]
    assert all_of(intake, replace(EYE, value=None, status=MeasurementStatus.WITHDRAWN))[1:] == [("gcs", 0, 3)]


@pytest.mark.parametrize(
    "sent",
    [
        (EYE, MOTOR),
        (EYE, MOTOR, replace(VERBAL, value=None, text="1T")),
        (EYE, MOTOR, replace(VERBAL, value=9.0)),
        (EYE, MOTOR, replace(VERBAL, event_time=NOW - timedelta(hours=1))),
        (EYE, MOTOR, VERBAL, Measurement((Code("9269-2", "LN"),), NOW, 12.0)),
    ],
)
def test_the_coma_scale_is_not_summed_from_less_or_beside_a_total(
    intake: Intake, sent: tuple[Measurement, ...]
) -> None:
    assert len(all_of(intake, *sent)) == len(sent)


def test_two_values_that_nothing_tells_apart_are_two_observations(intake: Intake) -> None:
    left, right = (Measurement((Code("8480-6", "LN"),), NOW, value) for value in (80.0, 130.0))
    both = made(Measurements(PATIENT, NOW, (left, right)), intake).message.observations
    alone = made(Measurements(PATIENT, NOW, (left,)), intake).message.observations
    assert both[0].observation_id == alone[0].observation_id != both[1].observation_id
    again = made(Measurements(PATIENT, NOW, (left, right)), intake).message.observations
    assert [o.observation_id for o in again] == [o.observation_id for o in both]


def test_a_value_withdrawn_and_given_anew_in_one_message_is_one(intake: Intake) -> None:
    old = Measurement((Code("8480-6", "LN"),), NOW, status=MeasurementStatus.WITHDRAWN)
    new = Measurement((Code("8480-6", "LN"),), NOW, 130.0)
    ids = {o.observation_id for o in made(Measurements(PATIENT, NOW, (old, new)), intake).message.observations}
    assert len(ids) == 1


def test_a_merge_ends_the_stay_under_the_number_that_is_given_up(intake: Intake) -> None:
    merge = Stay(PATIENT, NOW, "A40", StayStatus.UNSTATED, merged=Identity("WARD", "OLD-1"))
    kept, ended = take_in(Parsed(MLLP, (merge,)), intake)
    old = intake.keys.key("WARD", "OLD-1")
    assert (kept.message.merged_patient_key, ended.key, ended.message.meta.patient_key) == (old, old, old)  # type: ignore[attr-defined]
    assert ended.message.status == StayStatus.CANCELLED.value  # type: ignore[attr-defined]
    assert (ended.message.trigger, ended.message.meta.encounter_key) == ("A40", "")  # type: ignore[attr-defined]
    assert take_in(Parsed(MLLP, (merge,)), intake)[1].message.meta.message_id == ended.message.meta.message_id  # type: ignore[attr-defined]


def test_a_merge_of_a_number_with_itself_ends_nothing(intake: Intake) -> None:
    made(Stay(PATIENT, NOW, "A47", StayStatus.UNSTATED, merged=Identity(" ward ", "MRN-77")), intake)


def test_results_carry_age_and_place_and_their_id_changes_with_them(intake: Intake) -> None:
    pulse = Measurement((Code("8867-4", "LN"),), NOW, 88.0, unit="/min")
    about = About("PED", "R1", "4", date(2020, 5, 1), Sex.FEMALE, pregnant=False)
    made: list[Any] = [
        take_in(Parsed(MLLP, (Measurements(PATIENT, NOW, (pulse,), stated),)), intake)[0].message
        for stated in (About(), about, about)
    ]
    plain, told, again = made
    assert (told.age_years, told.ward, told.room, told.bed, told.sex) == (6, "PED", "R1", "4", Sex.FEMALE.value)
    assert not plain.HasField("age_years")
    assert told.meta.message_id == again.meta.message_id != plain.meta.message_id
    assert told.observations == plain.observations


def test_an_encounter_carries_the_age_and_never_the_birth_date(intake: Intake) -> None:
    stay = Stay(PATIENT, NOW, "A01", StayStatus.IN_PROGRESS, ward="ICU", born=date(1950, 11, 24))
    publish = made(stay, intake)
    assert publish.to is Topic.ENCOUNTERS
    assert publish.message.age_years == 75
    assert b"1950" not in publish.message.SerializeToString()


@pytest.mark.parametrize(
    ("born", "age"),
    [(date(2000, 11, 23), 26), (date(2000, 11, 24), 25), (date(2026, 11, 23), 0), (date(2027, 1, 1), None)],
)
def test_age_is_in_completed_years(born: date, age: Any) -> None:
    assert age_at(born, NOW) == age
