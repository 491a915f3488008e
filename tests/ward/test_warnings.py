"""Whether the models warned before NEWS2 of 7, as the summary says it."""

from datetime import UTC, datetime, timedelta

import pytest
from vigil.v1.meta_pb2 import Meta
from vigil.v1.risk_pb2 import PatientRisk, RiskEstimate, Score

from services.common.clock import to_timestamp
from services.common.identity import PatientKeys
from services.common.topics import Topic
from ward.follow import Seen
from ward.people import AUTHORITY, Patient, roster
from ward.summary import summarise, text
from ward.warnings import Lead, leads, lines

KEYS = PatientKeys(b"0123456789abcdef0123")
START = datetime(2026, 11, 22, tzinfo=UTC)
PEOPLE = roster(7, "T", START)
SEPTIC = next(one for one in PEOPLE if one.course.title == "septic shock from pneumonia")


def risk(hour: float, news2: int, *, patient: Patient = SEPTIC, **alarms: bool) -> PatientRisk:
    at = to_timestamp(START + timedelta(hours=hour))
    return PatientRisk(
        meta=Meta(message_id=f"{patient.number}-{hour}", patient_key=KEYS.key(AUTHORITY, patient.mrn)),
        as_of=at,
        scores=[Score(name="news2", total=news2)],
        estimates=[RiskEstimate(name=k, alarm=alarm, as_of=at, probability=0.2) for k, alarm in alarms.items()],
    )


def lead(*risks: PatientRisk) -> Lead:
    seen = Seen()
    for one in risks:
        seen.take(Topic.PATIENT_RISK, one, 0.0)
    return next(one for one in leads(PEOPLE, seen.warned, KEYS) if one.patient is SEPTIC)


def test_a_model_that_warns_before_news2_of_7_is_ahead() -> None:
    found = lead(risk(3, 5, sepsis=True, mortality=False), risk(4, 8, sepsis=True, mortality=True))
    assert found.ahead == ("sepsis",)
    assert list(lines([found])) == [
        "Did the models warn before NEWS2 reached 7?",
        f"  ok   bed {SEPTIC.bed}, septic shock from pneumonia: NEWS2 of 7 at 04:00",
        "         mortality: alarm at 04:00, 0 min after it, highest 20%",
        "         sepsis: alarm at 03:00, 60 min before it, highest 20%",
        "A model warned first in 1 of 1 stories of deterioration, and in 0 of 0 others.",
    ]


def test_models_that_do_not_warn_are_said_not_to() -> None:
    found = lead(risk(4, 8, sepsis=False), risk(5, 9, sepsis=True))
    assert found.ahead == ()
    shown = "\n".join(lines([found]))
    assert "NO   bed" in shown
    assert "sepsis: alarm at 05:00, 60 min after it" in shown
    assert "first in 0 of 1" in shown


def test_a_model_without_an_alarm_says_how_often_it_answered_and_why_it_did_not() -> None:
    silent = risk(4, 8)
    silent.estimates.add(name="mortality", abstained="under 16 years of age")
    shown = "\n".join(lines([lead(risk(3, 5, mortality=False), silent)]))
    assert "mortality: no alarm in 1 answers, highest 20%; no answer at times: under 16 years of age" in shown


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_in_which_risks_are_seen_does_not_matter(order: int) -> None:
    risks = [risk(3, 5, sepsis=True), risk(4, 8, sepsis=True), risk(5, 9, sepsis=False)][::order]
    assert lead(*risks).ahead == ("sepsis",)


def test_alarms_of_patients_who_do_not_deteriorate_are_told_as_well() -> None:
    well = [one for one in PEOPLE if not one.course.truth.must]
    seen = Seen()
    for patient, alarm in ((SEPTIC, True), (well[0], True), (well[1], False)):
        seen.take(Topic.PATIENT_RISK, risk(3, 0, patient=patient, sepsis=alarm), 0.0)
    *_, said = lines(leads(PEOPLE, seen.warned, KEYS))
    assert said == f"A model warned first in 1 of 3 stories of deterioration, and in 1 of {len(PEOPLE) - 3} others."


def test_the_summary_says_it() -> None:
    shown = text(summarise([], [], Seen(), [lead(risk(3, 5, sepsis=True), risk(4, 8, sepsis=True))]))
    assert "A model warned first in 1 of 1" in shown
