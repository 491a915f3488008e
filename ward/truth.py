"""Holds the alerts that came against what each story says should be found."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from vigil.v1.alerts_pb2 import Alert

from services.common.identity import PatientKeys
from ward.people import AUTHORITY, Patient


@dataclass(frozen=True, slots=True)
class Verdict:
    """What should have been found for one patient and what was.

    found: rule and reason of each alert. missed: rule and meaning of what was expected and did not come.
    false_alarms: rules that should not have come. duplicates: rules with more than one alert.
    """

    patient: Patient
    found: dict[str, str]
    missed: dict[str, str]
    false_alarms: tuple[str, ...]
    duplicates: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Everything expected came, once, and nothing else."""
        return not (self.missed or self.false_alarms or self.duplicates)


def judge(patients: Iterable[Patient], alerts: Iterable[Alert], keys: PatientKeys) -> list[Verdict]:
    """A verdict a patient; alerts about anyone else are passed over."""
    by_patient: dict[str, list[Alert]] = {}
    for alert in alerts:
        by_patient.setdefault(alert.patient_key, []).append(alert)
    return [_verdict(patient, by_patient.get(keys.key(AUTHORITY, patient.mrn), [])) for patient in patients]


def _verdict(patient: Patient, alerts: list[Alert]) -> Verdict:
    truth = patient.course.truth
    right = [*truth.must, *truth.may]
    rules = Counter(alert.rule for alert in alerts)
    return Verdict(
        patient=patient,
        found={alert.rule: alert.reason for alert in sorted(alerts, key=lambda alert: alert.opened_at.ToNanoseconds())},
        missed={rule: meaning for rule, meaning in truth.must.items() if not any(_is(rule, came) for came in rules)},
        false_alarms=tuple(came for came in rules if not any(_is(rule, came) for rule in right)),
        duplicates=tuple(rule for rule, count in rules.items() if count > 1),
    )


def _is(pattern: str, rule: str) -> bool:
    return re.fullmatch(pattern, rule) is not None
