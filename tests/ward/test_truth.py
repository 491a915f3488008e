from vigil.v1.alerts_pb2 import Alert

from services.common.identity import PatientKeys
from ward.generate import Ward
from ward.people import AUTHORITY, Patient
from ward.truth import Verdict, judge

KEYS = PatientKeys(b"0123456789abcdef0123")


def patient(ward: Ward, title: str) -> Patient:
    return next(p for p in ward.patients if title in p.course.title)


def alert(who: Patient, rule: str, ident: str = "a") -> Alert:
    return Alert(id=ident + rule, patient_key=KEYS.key(AUTHORITY, who.mrn), rule=rule, reason=f"because of {rule}")


def verdict(who: Patient, *alerts: Alert) -> Verdict:
    (found,) = judge([who], alerts, KEYS)
    return found


def test_the_story_is_found_when_every_expected_alert_came(ward: Ward) -> None:
    septic = patient(ward, "septic")
    found = verdict(septic, alert(septic, "news2_high"), alert(septic, "syndrome:suspected_sepsis"))
    assert found.right
    assert list(found.found) == ["news2_high", "syndrome:suspected_sepsis"]


def test_an_expected_alert_that_did_not_come_is_missed(ward: Ward) -> None:
    septic = patient(ward, "septic")
    found = verdict(septic, alert(septic, "news2_high"))
    assert not found.right
    assert list(found.missed) == ["syndrome:suspected_sepsis"]


def test_any_alert_about_the_well_patient_is_a_false_alarm(ward: Ward) -> None:
    well = patient(ward, "well")
    assert verdict(well).right
    assert verdict(well, alert(well, "news2_single_red")).false_alarms == ("news2_single_red",)


def test_an_alert_that_no_story_explains_is_a_false_alarm(ward: Ward) -> None:
    septic = patient(ward, "septic")
    expected = [alert(septic, rule) for rule in septic.course.truth.must]
    found = verdict(septic, *expected, alert(septic, "critical_finding:pneumothorax"))
    assert found.false_alarms == ("critical_finding:pneumothorax",)


def test_two_alerts_for_one_reason_are_a_duplicate(ward: Ward) -> None:
    septic = patient(ward, "septic")
    found = verdict(septic, alert(septic, "news2_high", "a"), alert(septic, "news2_high", "b"))
    assert found.duplicates == ("news2_high",)


def test_alerts_about_patients_of_other_wards_are_passed_over(ward: Ward) -> None:
    other = Alert(id="x", patient_key="f" * 32, rule="news2_high")
    assert verdict(patient(ward, "well"), other).right
