"""What is said of codes that somebody assigned, and of those that nobody did."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vigil.v1.nlp_coder_service_pb2 import AuditCodesRequest, AuditCodesResponse
from vigil.v1.notes_pb2 import AssignedCode, AuditVerdict, NoteCoded

from services.nlp_coder.audit import missing_codes
from services.nlp_coder.audit_facts import facts_of
from services.nlp_coder.grpc_api import NlpCoderApi
from services.nlp_coder.handlers import Coder
from services.nlp_coder.reading import read_note
from tests.nlp_coder.fakes import LocalInference, coded, with_inference

Verdict = tuple[str, str, str]


async def audited(coder: Coder, text: str, *codes: str) -> AuditCodesResponse:
    request = AuditCodesRequest(id="1", text=text, codes=codes)
    return await NlpCoderApi(coder).AuditCodes(request, None)  # type: ignore[arg-type]  # the context is not used


def name_of(verdict: int) -> str:
    return AuditVerdict.Name(verdict).removeprefix("AUDIT_VERDICT_").lower()  # type: ignore[arg-type]


def assigned_with(*codes: str, system: str = "I10") -> dict[str, Any]:
    return {"assigned_codes": [AssignedCode(code=code, code_system=system) for code in codes]}


@pytest.mark.parametrize(
    ("text", "code", "verdict", "words", "suggested"),
    [
        ("Community-acquired pneumonia.", "J18.9", "supported", "pneumonia", ""),
        ("Community-acquired pneumonia.", "j189", "supported", "pneumonia", ""),
        ("History of pneumonia. Now hypertension.", "N39.0", "unsupported", "", ""),
        ("COPD exacerbation, no pneumonia.", "J18.9", "contradicted", "pneumonia", ""),
        ("COPD exacerbation, no pneumonia.", "J18.1", "contradicted", "pneumonia", ""),
        ("Chest pain. Mother had breast cancer.", "C50.919", "contradicted", "breast cancer", ""),
        ("Seen for asthma. Return if you develop fever.", "R50.9", "contradicted", "fever", ""),
        ("Intertrochanteric fracture of the right femur.", "S72.142A", "contradicted", "of the right", ""),
        ("Pain in the right hip.", "M25.552", "contradicted", "right hip", ""),
        ("Pain in both hips.", "M25.552", "supported", "hips", ""),
        ("Lobar pneumonia.", "J18.9", "less_specific", "Lobar pneumonia", "J18.1"),
        ("Acute cholecystitis.", "K81", "less_specific", "Acute cholecystitis", "K81.0"),
        ("Fracture of the left femur.", "S72.90XA", "less_specific", "left femur", "S72.92"),
        ("Severe headache for a week.", "R51", "supported", "headache", ""),
        ("Pneumonia.", "J99.999", "unsupported", "", ""),
        ("Fracture of left radius.", "S52.91XA", "contradicted", "left radius", ""),
        ("Rotator cuff tear, left shoulder.", "M75.101", "contradicted", "left", ""),
        ("Rotator cuff tear, left shoulder.", "M75.100", "less_specific", "left", "M75.102"),
        ("Type 1 diabetes.", "E11.9", "unsupported", "", ""),
        ("Type 1 diabetes.", "E10.9", "supported", "Type 1 diabetes", ""),
        ("Type 2 diabetes with polyneuropathy.", "E11.9", "less_specific", "polyneuropathy", "E11.42"),
        ("Esophageal varices with bleeding.", "I85.00", "less_specific", "with bleeding", "I85.01"),
        ("Esophageal varices without bleeding.", "I85.01", "contradicted", "without bleeding", ""),
        ("History of stroke in 2010.", "I63.9", "less_specific", "stroke", "Z86.73"),
        ("New stroke today. History of stroke in 2010.", "I63.9", "supported", "stroke", ""),
        ("History of asthma.", "J45.909", "supported", "asthma", ""),
        ("AKI on CKD stage 3.", "N18.9", "less_specific", "CKD stage 3", "N18.30"),
    ],
)
async def test_a_code_is_held_against_the_note(  # noqa: PLR0917 - a table
    text: str, code: str, verdict: str, words: str, suggested: str, coder: Coder
) -> None:
    result = (await audited(coder, text, code)).results[0]
    assert (result.code, name_of(result.verdict), result.suggested) == (code, verdict, suggested)
    spanned = " ".join(text[span.start : span.end] for span in result.spans)
    assert words.lower() in spanned.lower()
    assert bool(spanned) == bool(words)


async def test_every_assigned_code_has_one_verdict_in_its_place(coder: Coder) -> None:
    codes = ["zzz", "J18.9", "I10", "", "j18.9", "W19.XXX"]
    answer = await audited(coder, "Pneumonia and hypertension. Denies chest pain.", *codes)
    assert [result.code for result in answer.results[: len(codes)]] == codes
    assert {result.score for result in answer.results if result.code in ("zzz", "")} == {0.0}
    assert all(name_of(result.verdict) == "missing" for result in answer.results[len(codes) :])
    assert all(name_of(result.verdict) != "missing" for result in answer.results[: len(codes)])


async def test_what_nobody_coded_is_missing_the_likeliest_first(coder: Coder) -> None:
    text = "Septic shock from pneumonia. Atrial fibrillation. Hypertension. No pulmonary embolism."
    missing = (await audited(coder, text)).results
    assert {"J18.9", "I10", "I48.91"} <= {result.code for result in missing}
    assert "I26.99" not in {result.code for result in missing}
    assert all(result.spans for result in missing)
    assert [result.score for result in missing] == sorted((result.score for result in missing), reverse=True)


async def test_a_past_condition_beside_its_history_code_is_unsupported(coder: Coder) -> None:
    results = (await audited(coder, "History of stroke in 2010. Asthma.", "I63.9", "Z86.73")).results
    assert [name_of(result.verdict) for result in results[:2]] == ["unsupported", "supported"]


async def test_what_is_past_or_excluded_by_what_is_said_is_not_missing(coder: Coder) -> None:
    results = (await audited(coder, "Type 1 diabetes. History of stroke in 2010.", "E10.9")).results
    assert not {"E11.9", "I63.9"} & {result.code for result in results}


def test_what_the_note_denies_is_not_missing_however_high_it_ranks(coder: Coder) -> None:
    facts = facts_of(
        read_note("No pulmonary embolism. Asthma.", coder.reader),
        {"I26.99": 0.9, "J45.909": 0.9},
        coder.reader.guidelines,
    )
    listed = missing_codes([], facts, replace(coder.auditor.with_model, missing=0.0), coder.auditor.tables)
    assert [code for code, _omission in listed] == ["J45.909"]


async def test_what_may_come_is_not_missing(coder: Coder) -> None:
    results = (await audited(coder, "Hypertension. Return if you develop fever or chest pain.")).results
    assert "I10" in {result.code for result in results}
    assert not {"R50.9", "R07.9"} & {result.code for result in results}


async def test_what_is_coded_more_closely_is_not_missing(coder: Coder) -> None:
    text = "Lobar pneumonia. The pneumonia was treated with amoxicillin."
    assert not [result for result in (await audited(coder, text, "J18.1")).results if result.code.startswith("J18.9")]


async def test_a_more_specific_code_is_not_suggested_where_it_is_assigned_too(coder: Coder) -> None:
    results = (await audited(coder, "Lobar pneumonia.", "J18.9", "J18.1")).results
    assert [name_of(result.verdict) for result in results[:2]] == ["supported", "supported"]


async def test_a_received_note_with_codes_comes_out_audited(coder: Coder) -> None:
    note: NoteCoded = await coded(coder, "No pneumonia.", **assigned_with("J18.9"))
    assert [(result.code, name_of(result.verdict)) for result in note.audit] == [("J18.9", "contradicted")]


async def test_codes_of_another_system_are_not_audited_nor_notes_without_codes(coder: Coder) -> None:
    assert not (await coded(coder, "Pneumonia.", **assigned_with("233604007", system="SCT"))).audit
    assert not (await coded(coder, "Pneumonia.")).audit


async def test_a_text_that_is_not_read_gets_no_verdict_and_says_why(coder: Coder) -> None:
    answer = await audited(coder, "Der Patient hat seit zwei Tagen Fieber und Husten.", "J18.9")
    assert answer.abstained
    assert not answer.results


async def test_without_the_model_the_audit_is_marked_degraded(coder: Coder) -> None:
    answer = await audited(
        with_inference(coder, LocalInference(failures=99)), "Pneumonia, no sepsis.", "J18.9", "A41.9"
    )
    assert answer.degraded
    assert [name_of(result.verdict) for result in answer.results[:2]] == ["supported", "contradicted"]


async def test_a_code_is_supported_by_words_or_not_at_all(coder: Coder) -> None:
    everything = replace(coder.auditor.with_model, supported=0.0)
    generous = replace(coder, auditor=replace(coder.auditor, with_model=everything))
    [result] = [one for one in (await audited(generous, "Hello there.", "C50.919")).results if one.code == "C50.919"]
    assert (name_of(result.verdict), len(result.spans)) == ("unsupported", 0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.lists(
        st.sampled_from(["No ", "pneumonia", ". ", "left ", "knee pain", "\n", "é😀", "history of ", "fever"])
    ),
    codes=st.lists(st.one_of(st.text(max_size=8), st.sampled_from(["J18.9", "m25569", "R50", "W19.XXXA"])), max_size=4),
)
async def test_any_codes_of_any_text_have_a_verdict_each_whose_spans_lie_in_the_text(
    text: list[str], codes: list[str], coder: Coder
) -> None:
    whole = "The patient was seen. " + "".join(text)
    answer = await audited(coder, whole, *codes)
    assert answer.abstained or [result.code for result in answer.results[: len(codes)]] == codes
    for result in answer.results:
        assert 0.0 <= result.score <= 1.0
        assert all(0 <= span.start < span.end <= len(whole) for span in result.spans)
        assert bool(result.spans) == (name_of(result.verdict) != "unsupported")
        assert bool(result.suggested) == (name_of(result.verdict) == "less_specific")
