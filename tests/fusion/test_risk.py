import asyncio
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.json_format import Parse
from vigil.v1.encounters_pb2 import EncounterStatus
from vigil.v1.meta_pb2 import Span
from vigil.v1.notes_pb2 import Assertion, Entity, Experiencer, NoteCoded, Temporality
from vigil.v1.observations_pb2 import ObservationsReceived
from vigil.v1.risk_pb2 import CriticalFinding, PatientRisk, Score, Syndrome

from services.common.bus import Received
from services.common.clock import to_timestamp
from services.common.identity import message_id
from services.common.outcomes import Invalid
from services.common.settings import REPOSITORY
from services.common.stateful import States
from services.common.topics import Topic
from services.fusion.handlers import Fusion, fused
from services.fusion.state import Input, PatientRecord
from tests.fusion.making import (
    HEALTHY,
    KEY,
    NOON,
    SEPTIC,
    code,
    encounter,
    image,
    meta,
    note,
    observations,
)

FUSION = Fusion(clock=lambda: NOON + timedelta(hours=1))
TENSION: dict[str, float] = {"sbp": 84, "heart_rate": 128, "spo2": 86}


def risks(*messages: Input) -> list[PatientRisk]:
    record, made = PatientRecord(KEY), []
    for message in messages:
        record, risk = fused(record, message, FUSION)
        assert risk is not None
        made.append(risk)
    return made


def last(*messages: Input) -> PatientRisk:
    return risks(*messages)[-1]


def score(risk: PatientRisk, name: str) -> Score:
    return next(one for one in risk.scores if one.name == name)


def syndrome(risk: PatientRisk, name: str) -> Syndrome | None:
    return next((one for one in risk.syndromes if one.name == name), None)


def finding(risk: PatientRisk, label: str) -> CriticalFinding | None:
    return next((one for one in risk.critical_findings if one.label == label), None)


def test_every_input_makes_one_risk_with_its_own_id_and_a_higher_revision() -> None:
    made = risks(encounter("e", 0), observations("o", 1, SEPTIC), note("n", 2), image("i", 3, {}))
    assert [risk.caused_by for risk in made] == [["e"], ["o"], ["n"], ["i"]]
    assert [risk.meta.message_id for risk in made] == [message_id("risk", one) for one in "eoni"]
    assert [risk.meta.revision for risk in made] == [1, 2, 3, 4]


def test_a_risk_carries_the_times_of_its_cause_and_where_the_patient_is() -> None:
    risk = last(encounter("e", 0, ward="AMU", bed="07"), observations("o", 30, HEALTHY, arrived=31))
    assert risk.meta.event_time == to_timestamp(NOON + timedelta(minutes=30))
    assert risk.meta.ingest_time == to_timestamp(NOON + timedelta(minutes=31))
    assert risk.as_of == risk.meta.event_time
    assert (risk.ward, risk.bed, risk.meta.patient_key) == ("AMU", "07", KEY)
    assert risk.encounter_status == EncounterStatus.ENCOUNTER_STATUS_IN_PROGRESS


def test_a_risk_without_a_stay_of_its_own_gets_the_known_one() -> None:
    admitted = encounter("e", 0)
    admitted.meta.encounter_key = "stay"
    assert last(admitted, observations("o", 1, HEALTHY)).meta.encounter_key == "stay"


def with_stay(message: ObservationsReceived, stay: str) -> ObservationsReceived:
    message.meta.encounter_key = stay
    return message


def test_a_message_that_names_no_stay_is_about_the_last_one_that_was_named() -> None:
    made = risks(
        observations("a", 0, HEALTHY),
        with_stay(observations("b", 1, HEALTHY), "s" * 32),
        observations("c", 2, HEALTHY),
        note("d", 3),
        with_stay(observations("e", 4, HEALTHY), "t" * 32),
        image("f", 5, {}),
    )
    assert [risk.meta.encounter_key[:1] for risk in made] == ["", "s", "s", "s", "t", "t"]


def test_a_stay_that_ended_is_not_that_of_later_messages() -> None:
    left = encounter("b", 1, status=EncounterStatus.ENCOUNTER_STATUS_DISCHARGED)
    made = risks(with_stay(observations("a", 0, HEALTHY), "s" * 32), left, encounter("c", 2), note("d", 3))
    assert [risk.meta.encounter_key[:1] for risk in made] == ["s", "s", "", ""]


def test_the_last_stay_that_was_named_is_known_after_a_restart() -> None:
    record, _ = fused(PatientRecord(KEY), with_stay(observations("a", 0, HEALTHY), "s" * 32), FUSION)
    _, risk = fused(PatientRecord.FromString(record.SerializeToString()), note("b", 1), FUSION)
    assert risk is not None
    assert risk.meta.encounter_key == "s" * 32


def test_drivers_name_what_gives_points_with_the_measurement_behind_it() -> None:
    risk = last(observations("o", 0, HEALTHY | {"resp_rate": 28, "temperature": 38.6}))
    assert [(one.name, one.value, one.weight) for one in risk.drivers] == [
        ("resp_rate", "28 /min", 3),
        ("temperature", "38.6 Cel", 1),
    ]
    evidence = risk.drivers[0].evidence
    assert (evidence.kind, evidence.message_id, evidence.observation_id) == ("observation", "o", "o-resp_rate")
    assert evidence.statement == "resp_rate 28 /min"


def test_missing_inputs_are_stated_with_the_reason_and_the_range() -> None:
    risk = last(
        observations("a", -120, {"temperature": 39.5}),
        observations("b", 0, {"resp_rate": 28, "spo2": 97, "sbp": 120, "heart_rate": 80}),
    )
    news2 = score(risk, "news2")
    missing = {part.name: part.missing_reason for part in news2.components if part.missing}
    assert missing == {"temperature": "stale", "oxygen": "absent", "consciousness": "absent"}
    assert (news2.partial, news2.total, news2.lowest, news2.highest) == (True, 3, 3, 11)
    assert all(not part.value and not part.points for part in news2.components if part.missing)


def test_a_value_with_an_event_time_far_ahead_is_missing_for_that_reason() -> None:
    ahead = observations("b", 60 * 3, {"resp_rate": 28, "avpu": "voice", "sbp": 84}, arrived=1)
    risk = last(observations("a", 0, {"sbp": 120, "heart_rate": 80}), ahead)
    missing = {part.name: part.missing_reason for part in score(risk, "news2").components if part.missing}
    assert (missing["resp_rate"], missing["consciousness"], missing["spo2"]) == ("future", "future", "absent")
    assert "sbp" not in missing


def test_a_component_says_which_measurement_stands_for_it() -> None:
    components = {part.name: part for part in score(last(observations("o", 0, HEALTHY)), "news2").components}
    assert components["consciousness"].value == "gcs 15"
    assert components["oxygen"].value == "fio2 0.21"
    assert components["sbp"].observation_id == "o-sbp"


@pytest.mark.parametrize("fields", [{"age_years": 12}, {"age_years": 30, "pregnant": True}])
def test_scores_abstain_for_children_and_in_pregnancy(fields: dict[str, int]) -> None:
    risk = last(encounter("e", 0, **fields), note("n", 1, [code("A41.9")]), observations("o", 2, SEPTIC))
    assert all(one.abstained and not one.components for one in risk.scores)
    assert not risk.drivers
    assert not risk.syndromes


def test_a_child_known_only_from_results_is_out_of_scope_and_has_a_bed() -> None:
    results = observations("o", 2, SEPTIC)
    results.age_years, results.ward, results.bed = 6, "PED", "4"
    risk = last(note("n", 1, [code("A41.9")]), results, observations("p", 3, SEPTIC))
    assert all(one.abstained for one in risk.scores)
    assert not risk.syndromes
    assert (risk.ward, risk.bed) == ("PED", "4")


def test_infection_in_the_text_and_qsofa_make_suspected_sepsis() -> None:
    risk = last(note("n", -60, [code("J18.9", "Pneumonia, unspecified organism")]), observations("o", 0, SEPTIC))
    found = syndrome(risk, "suspected_sepsis")
    assert found is not None
    assert list(found.sources) == ["text", "physiology"]
    assert found.sentence == (
        "Suspected sepsis: J18.9 Pneumonia, unspecified organism in the notes, "
        "with qSOFA 3 (respirations 28 /min, systolic 84 mmHg, GCS 13)."
    )
    text = found.evidence[0]
    assert (text.kind, text.message_id, [(span.start, span.end) for span in text.spans]) == (
        "note",
        "received-n",
        [(3, 12)],
    )
    assert [one.observation_id for one in found.evidence[1:]] == ["o-resp_rate", "o-sbp", "o-gcs"]
    assert "Sepsis-3" in found.basis


def test_pneumonia_on_the_image_and_qsofa_make_suspected_sepsis() -> None:
    found = syndrome(last(image("i", -60, {"pneumonia": 0.93}), observations("o", 0, SEPTIC)), "suspected_sepsis")
    assert found is not None
    assert list(found.sources) == ["image", "physiology"]
    assert found.evidence[0].sop_instance_uid == "1.2.i"
    assert found.evidence[0].statement == "pneumonia 0.93 by cxr_findings"


def test_text_image_and_physiology_are_all_named() -> None:
    report = note("n", -50, findings={"consolidation": "positive"})
    found = syndrome(
        last(image("i", -60, {"pneumonia": 0.93}), report, observations("o", 0, SEPTIC)), "suspected_sepsis"
    )
    assert found is not None
    assert set(found.sources) == {"text", "image", "physiology"}


@pytest.mark.parametrize(
    "stated",
    [
        {"assertion": Assertion.ASSERTION_ABSENT},
        {"assertion": Assertion.ASSERTION_POSSIBLE},
        {"assertion": Assertion.ASSERTION_UNSPECIFIED},
        {"temporality": Temporality.TEMPORALITY_HISTORICAL},
        {"experiencer": Experiencer.EXPERIENCER_FAMILY},
        {"selected": False},
    ],
)
def test_an_infection_that_is_not_stated_of_this_patient_now_does_not_count(stated: dict[str, Any]) -> None:
    assert not last(note("n", -60, [code("J18.9", **stated)]), observations("o", 0, SEPTIC)).syndromes


@pytest.mark.parametrize("value", ["L20.9", "J45.909", "I10", "B35.1", "N20.0"])
def test_other_diseases_are_no_infection(value: str) -> None:
    assert not last(note("n", -60, [code(value)]), observations("o", 0, SEPTIC)).syndromes


def test_infection_without_qsofa_and_qsofa_without_infection_are_no_sepsis() -> None:
    assert not last(note("n", -60, [code("J18.9")]), observations("o", 0, HEALTHY)).syndromes
    assert not last(observations("o", 0, SEPTIC)).syndromes


def test_text_and_image_older_than_two_days_no_longer_support_anything() -> None:
    messages = note("n", -60 * 49, [code("J18.9")]), image("i", -60 * 49, {"pneumonia": 0.9})
    assert not last(*messages, observations("o", 0, SEPTIC)).syndromes
    assert last(*messages, observations("o", -60 * 2, SEPTIC)).syndromes


def test_an_image_out_of_scope_supports_nothing() -> None:
    assert not last(image("i", -60, {"pneumonia": 0.93}, in_scope=False), observations("o", 0, SEPTIC)).syndromes


@pytest.mark.parametrize("value", ["J93.11", "J93.9", "J95.811", "S27.0XXA"])
def test_a_pneumothorax_in_the_text_is_critical(value: str) -> None:
    found = finding(last(note("n", 0, [code(value, "Pneumothorax")])), "pneumothorax")
    assert found is not None
    assert found.sentence == f"Pneumothorax in the notes: {value} Pneumothorax."
    assert found.evidence[0].message_id == "received-n"


def test_a_positive_report_finding_is_critical_and_a_negative_one_is_not() -> None:
    assert finding(last(note("n", 0, findings={"pneumothorax": "positive"})), "pneumothorax")
    assert not last(note("n", 0, findings={"pneumothorax": "negative"})).critical_findings
    assert not last(note("n", 0, findings={"pneumothorax": "uncertain"})).critical_findings


def test_a_later_note_that_denies_it_ends_a_finding_whatever_comes_first() -> None:
    stated, denied = note("a", 0, [code("J93.9")]), note("b", 60, findings={"pneumothorax": "negative"})
    assert not last(stated, denied).critical_findings
    assert not last(denied, stated).critical_findings


def denial(name: str, minutes: float, denied_code: str, **fields: Any) -> NoteCoded:
    """A note that denies a disease as nlp-coder writes it: a mention with a code, and no selected code."""
    known: dict[str, Any] = {
        "type": "disease",
        "assertion": Assertion.ASSERTION_ABSENT,
        "temporality": Temporality.TEMPORALITY_CURRENT,
        "experiencer": Experiencer.EXPERIENCER_PATIENT,
    }
    made = note(name, minutes, [code(denied_code, selected=False, assertion=Assertion.ASSERTION_ABSENT)])
    made.entities.append(Entity(code=denied_code, span=Span(start=3, end=12), **(known | fields)))
    return made


def test_a_later_mention_that_denies_a_disease_ends_it_whatever_comes_first() -> None:
    stated, denied, vitals = note("a", -60, [code("J15.9")]), denial("b", -30, "J18.9"), observations("o", 0, SEPTIC)
    assert last(stated, vitals).syndromes
    assert not last(stated, denied, vitals).syndromes
    assert not last(denied, stated, vitals).syndromes


def test_a_mention_that_denies_a_disease_before_it_was_stated_ends_nothing() -> None:
    assert last(denial("b", -90, "J18.9"), note("a", -60, [code("J18.9")]), observations("o", 0, SEPTIC)).syndromes


def test_denying_one_disease_of_a_site_leaves_the_others() -> None:
    cellulitis, abscess = note("a", -60, [code("L03.115")]), note("b", -50, [code("L02.415")])
    found = syndrome(
        last(cellulitis, abscess, denial("c", -30, "L02.91"), observations("o", 0, SEPTIC)), "suspected_sepsis"
    )
    assert found is not None
    assert [one.message_id for one in found.evidence if one.kind == "note"] == ["received-a"]


@pytest.mark.parametrize(
    "fields",
    [
        {"assertion": Assertion.ASSERTION_POSSIBLE},
        {"temporality": Temporality.TEMPORALITY_HISTORICAL},
        {"experiencer": Experiencer.EXPERIENCER_FAMILY},
    ],
)
def test_what_is_not_denied_of_this_patient_now_ends_nothing(fields: dict[str, Any]) -> None:
    messages = note("a", -60, [code("J18.9")]), denial("b", -30, "J18.9", **fields)
    assert last(*messages, observations("o", 0, SEPTIC)).syndromes


def test_a_note_that_also_states_the_disease_does_not_deny_it() -> None:
    both = denial("b", -30, "J18.9")
    both.entities.add().CopyFrom(both.entities[0])
    both.entities[1].assertion = Assertion.ASSERTION_POSSIBLE
    assert last(note("a", -60, [code("J18.9")]), both, observations("o", 0, SEPTIC)).syndromes


def test_the_published_example_of_a_denied_sepsis_ends_a_sepsis() -> None:
    example = Parse((REPOSITORY / "proto/examples/notes-coded/sepsis_denied.json").read_text(), NoteCoded())
    example.meta.CopyFrom(meta("b", -30))
    found = syndrome(last(note("a", -60, [code("A41.9")]), example, observations("o", 0, SEPTIC)), "suspected_sepsis")
    assert found is not None
    assert [one.statement[:5] for one in found.evidence if one.kind == "note"] == ["N39.0"]


def test_a_denied_pneumonia_does_not_end_a_urinary_infection() -> None:
    messages = note("a", -60, [code("N39.0")]), note("b", -30, findings={"pneumonia": "negative"})
    assert syndrome(last(*messages, observations("o", 0, SEPTIC)), "suspected_sepsis")


@pytest.mark.parametrize("label", ["meningioma", "glioma", "pituitary"])
def test_a_brain_tumour_on_the_image_is_critical(label: str) -> None:
    found = finding(last(image("i", 0, {label: 0.97, "no_tumour": 0.01})), "brain_tumour")
    assert found is not None
    assert found.evidence[0].statement.startswith(label)


def test_pneumonia_and_its_absence_are_not_critical() -> None:
    assert not last(image("i", 0, {"pneumonia": 0.99})).critical_findings
    assert not last(image("i", 0, {"no_tumour": 0.99, "glioma": 0.01})).critical_findings


def test_a_clear_picture_of_the_same_study_takes_nothing_back_but_a_later_study_does() -> None:
    tumour, clear = image("a", 0, {"glioma": 0.9}, study="s"), image("b", 1, {"glioma": 0.1}, study="s")
    assert finding(last(tumour, clear), "brain_tumour")
    assert not last(tumour, image("c", 60, {"glioma": 0.1}, study="t")).critical_findings


def test_a_pneumothorax_with_failing_circulation_may_be_under_tension() -> None:
    stated = note("n", -30, findings={"pneumothorax": "positive"})
    found = syndrome(last(stated, observations("o", 0, HEALTHY | TENSION)), "tension_pneumothorax")
    assert found is not None
    assert found.basis == "local policy"
    assert not last(stated, observations("o", 0, HEALTHY | TENSION | {"sbp": 130})).syndromes


def test_a_brain_tumour_with_a_low_coma_score_may_raise_the_pressure() -> None:
    messages = image("i", -30, {"glioma": 0.97}), observations("o", 0, HEALTHY | {"gcs": 12})
    assert syndrome(last(*messages), "raised_intracranial_pressure")


class Stored(dict[bytes, bytes]):
    """What the table holds."""


def handle(
    message: Input, states: States[PatientRecord], topic: Topic = Topic.OBSERVATIONS_RECEIVED
) -> list[PatientRisk]:
    received = Received(topic, 0, 0, KEY.encode(), message, {})
    return [publish.message for publish in asyncio.run(FUSION.handle(received, states))]  # type: ignore[misc]


def test_the_handler_publishes_the_risk_and_keeps_the_state() -> None:
    states = States(PatientRecord, Stored())
    (risk,) = handle(observations("o", 0, SEPTIC), states)
    kept = states.get(KEY)
    assert kept is not None
    assert kept.risk == risk
    assert score(risk, "news2").band == "high"


def test_a_repeated_message_publishes_nothing() -> None:
    states = States(PatientRecord, Stored())
    assert len(handle(observations("o", 0, SEPTIC), states)) == 1
    assert handle(observations("o", 0, SEPTIC), states) == []


def test_a_message_about_nobody_is_invalid() -> None:
    with pytest.raises(Invalid):
        handle(observations("o", 0, SEPTIC, key=""), States(PatientRecord, Stored()))
