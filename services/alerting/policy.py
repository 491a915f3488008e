"""When to alert: rules as data, each with its severity, its sentence and the reason it is published with.

A patient has at most one alert a rule and subject. How alerts begin, change and end is in `lifecycle`.
"""

from dataclasses import dataclass
from enum import StrEnum

from vigil.v1.alerts_pb2 import Severity

RCP = "Royal College of Physicians, National Early Warning Score (NEWS) 2, 2017"
SEPSIS3 = "Singer et al., Sepsis-3, JAMA 2016;315:801"
LOCAL = "local policy"
ANY = "*"


class Looks(StrEnum):
    """What of a risk a rule looks at."""

    NEWS2_TOTAL = "news2_total"
    NEWS2_SINGLE = "news2_single"
    CRITICAL_FINDING = "critical_finding"
    SYNDROME = "syndrome"


class Clears(StrEnum):
    """When an alert resolves by itself."""

    # At the first risk in which the condition no longer holds and nothing it rested on is missing.
    ABSENT = "absent"
    # As ABSENT, and only after a person has acknowledged it: what a report or picture said must have been seen.
    SEEN_AND_ABSENT = "seen_and_absent"


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason for an alert.

    name: first part of `Alert.rule`. subject: label of a finding or name of a syndrome, `ANY` for all others.
    threshold: points (NEWS2) or agreeing sources (syndromes) from which the rule holds; below: from where on it
    no longer does, because a graver rule takes over (NEWS2 total).
    sentence: for a clinician; `{total}`, `{because}` and `{sentence}` are filled in.
    """

    name: str
    looks: Looks
    severity: Severity.ValueType
    sentence: str
    basis: str
    threshold: int = 1
    below: int | None = None
    subject: str = ANY
    clears: Clears = Clears.ABSENT


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules in force. Of several rules that look at the same subject the first one decides."""

    rules: tuple[Rule, ...]
    # Syndromes that are for the reader of the image or the coder, never for the ward.
    not_for_the_ward: frozenset[str] = frozenset()


# What a person may choose as reason of an acknowledgement, and how it is shown. Others are taken as they come.
ACKNOWLEDGE_REASONS = {
    "seen_at_bedside": "Seen at the bedside",
    "treatment_started": "Treatment started",
    "senior_called": "Senior or critical care called",
    "known_and_accepted": "Known, limits accepted for this patient",
    "measurement_wrong": "Measurement or reading is wrong",
    "other": "Other (say in the comment)",
}

NEWS2_EMERGENCY = 7
NEWS2_RED = 3  # one parameter in the red column
AGREEING_SOURCES = 2

DEFAULT_POLICY = Policy(
    rules=(
        Rule(
            name="news2_high",
            looks=Looks.NEWS2_TOTAL,
            severity=Severity.SEVERITY_HIGH,
            threshold=NEWS2_EMERGENCY,
            sentence="NEWS2 is {total}, which calls for emergency assessment: {because}.",
            basis=f"{RCP}: 7 or more, emergency response",
        ),
        Rule(
            name="news2_single_red",
            looks=Looks.NEWS2_SINGLE,
            severity=Severity.SEVERITY_MEDIUM,
            threshold=NEWS2_RED,
            below=NEWS2_EMERGENCY,
            sentence="A single NEWS2 parameter scores 3, which calls for urgent review (total {total}): {because}.",
            basis=f"{RCP}: 3 in a single parameter, urgent ward-based response",
        ),
        Rule(
            name="critical_finding",
            looks=Looks.CRITICAL_FINDING,
            severity=Severity.SEVERITY_CRITICAL,
            sentence="{sentence}",
            basis="American College of Radiology, Practice Parameter for Communication of Diagnostic Imaging Findings",
            clears=Clears.SEEN_AND_ABSENT,
        ),
        Rule(
            name="syndrome",
            subject="suspected_sepsis",
            looks=Looks.SYNDROME,
            severity=Severity.SEVERITY_CRITICAL,
            threshold=AGREEING_SOURCES,
            sentence="{sentence}",
            basis=f"{SEPSIS3}: suspected infection with qSOFA of 2 or more",
        ),
        Rule(
            name="syndrome",
            subject="tension_pneumothorax",
            looks=Looks.SYNDROME,
            severity=Severity.SEVERITY_CRITICAL,
            threshold=AGREEING_SOURCES,
            sentence="{sentence}",
            basis=LOCAL,
        ),
        Rule(
            name="syndrome",
            subject="raised_intracranial_pressure",
            looks=Looks.SYNDROME,
            severity=Severity.SEVERITY_CRITICAL,
            threshold=AGREEING_SOURCES,
            sentence="{sentence}",
            basis=LOCAL,
        ),
        Rule(
            name="syndrome",
            looks=Looks.SYNDROME,
            severity=Severity.SEVERITY_HIGH,
            threshold=AGREEING_SOURCES,
            sentence="{sentence}",
            basis=LOCAL,
        ),
    ),
    not_for_the_ward=frozenset({"report_and_image_disagree", "report_image_disagreement", "codes_and_record_disagree"}),
)
