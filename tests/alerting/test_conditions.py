import pytest
from vigil.v1.alerts_pb2 import Severity

from services.alerting.conditions import judge
from services.alerting.policy import DEFAULT_POLICY
from tests.alerting.making import HIGH, RED, pneumothorax, risk, sepsis


def holding(**given: object) -> dict[str, str]:
    judged = judge(risk(1, **given), DEFAULT_POLICY)  # type: ignore[arg-type]
    return {rule: condition.sentence for rule, condition in judged.conditions.items()}


def test_a_total_of_seven_or_more_calls_for_emergency_assessment() -> None:
    sentences = holding(points=HIGH)
    assert sentences == {
        "news2_high": "NEWS2 is 8, which calls for emergency assessment: "
        "respirations 29 /min, SpO₂ 90 %, pulse 120 /min."
    }


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ({"resp_rate": 2, "spo2": 2, "oxygen": 2}, set()),
        ({"resp_rate": 3, "spo2": 2, "sbp": 1}, {"news2_single_red"}),
        ({"resp_rate": 3, "spo2": 2, "sbp": 2}, {"news2_high"}),
        ({"resp_rate": 2, "spo2": 2, "oxygen": 2, "sbp": 1}, {"news2_high"}),
        ({}, set()),
    ],
)
def test_the_published_limits_decide(points: dict[str, int], expected: set[str]) -> None:
    assert set(holding(points=points)) == expected


def test_a_sentence_uses_clinical_words_and_units() -> None:
    assert holding(points=RED)["news2_single_red"].endswith("(total 3): GCS 12.")
    assert "temperature 39.4 °C" in holding(points={"temperature": 3})["news2_single_red"]
    assert "systolic pressure 88 mmHg" in holding(points={"sbp": 3})["news2_single_red"]


def test_a_sentence_names_the_four_worst_and_counts_the_rest() -> None:
    sentence = holding(points={"temperature": 1, "resp_rate": 3, "spo2": 3, "sbp": 3, "oxygen": 2})["news2_high"]
    assert sentence.endswith(
        "respirations 29 /min, SpO₂ 90 %, systolic pressure 88 mmHg, supplemental oxygen and 1 more."
    )


def test_a_score_that_does_not_apply_raises_nothing() -> None:
    assert holding(points=HIGH, abstained="pregnancy") == {}


def test_a_critical_finding_is_critical_and_keeps_the_evidence_of_all_who_state_it() -> None:
    findings = [pneumothorax("note-1"), pneumothorax("note-2")]
    condition = judge(risk(1, findings=findings), DEFAULT_POLICY).conditions["critical_finding:pneumothorax"]
    assert condition.severity == Severity.SEVERITY_CRITICAL
    assert [item.message_id for item in condition.evidence] == ["note-1", "note-2"]


@pytest.mark.parametrize(
    ("sources", "alerts"), [(("text",), False), (("text", "text"), False), (("text", "physiology"), True)]
)
def test_a_syndrome_needs_two_agreeing_sources(sources: tuple[str, ...], *, alerts: bool) -> None:
    assert ("syndrome:suspected_sepsis" in holding(syndromes=[sepsis(sources)])) is alerts


def test_what_is_for_the_reader_never_reaches_the_ward() -> None:
    disagreement = sepsis(("text", "image"))
    disagreement.name = "report_and_image_disagree"
    assert holding(syndromes=[disagreement]) == {}


def test_every_rule_has_a_severity_a_sentence_and_a_published_basis_or_says_local_policy() -> None:
    for rule in DEFAULT_POLICY.rules:
        assert rule.severity
        assert rule.sentence
        assert rule.basis
