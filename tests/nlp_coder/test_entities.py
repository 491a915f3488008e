"""Medications with what is said of them, and entities as a whole, by rules alone and with the model."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vigil.v1.notes_pb2 import Assertion, Entity, Experiencer, NoteCoded

from services.nlp_coder.handlers import Coder
from services.nlp_coder.outage import Outage
from tests.nlp_coder.fakes import LocalInference, coded, entity_reader

LIST = (
    "MEDICATIONS: Lisinopril 10 mg p.o. q.d., Xanax 0.25 mg p.o. q.8h. p.r.n., Bactrim DS 1 tablet b.i.d. x 10 days,"
    " and Flonase two sprays in each nostril daily.\nALLERGIES: Penicillin.\n"
    "PLAN: Stop metformin. Increase Lasix to 80 mg twice a day. Aspirin was discontinued. Continue Coumadin."
)


def without_model(coder: Coder) -> Coder:
    """The same coder, its entity model away."""
    reader = entity_reader(coder)
    away = replace(reader.model, triton=LocalInference(failures=10**9), outage=Outage(0))
    return replace(coder, entities=replace(reader, model=away))


def of(answer: NoteCoded, text: str, type_: str = "medication") -> Entity:
    """The one entity of a type with some characters."""
    [found] = [
        one
        for one in answer.entities
        if one.type == type_ and answer.text[one.span.start : one.span.end].lower() == text.lower()
    ]
    return found


def said(answer: NoteCoded, text: str) -> dict[str, str]:
    return {attribute.name: attribute.value for attribute in of(answer, text).attributes}


@pytest.fixture(params=["with the model", "without"])
def either(request: pytest.FixtureRequest, coder: Coder) -> Coder:
    return coder if request.param == "with the model" else without_model(coder)


async def test_a_medication_has_its_own_dose_route_frequency_and_duration(either: Coder) -> None:
    answer = await coded(either, LIST, kind="progress")
    assert said(answer, "Lisinopril") == {"dose": "10 mg", "route": "oral", "frequency": "1/d"}
    xanax = of(answer, "Xanax")
    assert xanax.name == "alprazolam"
    dose, route, frequency, needed = xanax.attributes
    assert (dose.amount, dose.unit, route.value) == (0.25, "mg", "oral")
    assert (frequency.times_per_day, frequency.times_per_day_high) == (3, 3)
    assert needed.as_needed
    assert not needed.HasField("times_per_day")
    bactrim = next(one for one in answer.entities if one.name == "sulfamethoxazole + trimethoprim")
    assert {one.name: one.value for one in bactrim.attributes} == {
        "dose": "1 {tbl}",
        "frequency": "2/d",
        "duration": "10 d",
    }
    assert said(answer, "Flonase") == {"dose": "2 {spray}", "route": "nasal", "frequency": "1/d"}


async def test_what_happens_to_a_medication_is_told(either: Coder) -> None:
    answer = await coded(either, LIST, kind="progress")
    statuses = {"Penicillin": "allergy", "metformin": "stopped", "Lasix": "changed", "Aspirin": "stopped"}
    assert {name: said(answer, name)["status"] for name in statuses} == statuses
    assert said(answer, "Coumadin")["status"] == "continued"


async def test_what_bacteria_are_sensitive_to_is_no_allergy_of_the_patient(coder: Coder) -> None:
    answer = await coded(coder, "Sputum grew Streptococcus pneumoniae, sensitive to penicillin.", kind="progress")
    assert "status" not in said(answer, "penicillin")


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("He was given 500 mg of vancomycin intravenously.", "vancomycin", {"dose": "500 mg", "route": "intravenous"}),
        ("Aspirin 81 mg daily and 40 mg of Lipitor at bedtime.", "Aspirin", {"dose": "81 mg", "frequency": "1/d"}),
        ("Aspirin 81 mg daily and 40 mg of Lipitor at bedtime.", "Lipitor", {"dose": "40 mg", "frequency": "1/d"}),
        ("Take metoprolol 25 mg Lasix 40 mg daily.", "metoprolol", {"dose": "25 mg"}),
        ("1. Digoxin 0.125 mg daily.\n2. Lasix 40 mg daily.", "Digoxin", {"dose": "0.125 mg", "frequency": "1/d"}),
        ("Tylenol 1-2 tablets every 4 to 6 hours as needed.", "Tylenol", {"dose": "1-2 {tbl}"}),
        (
            "Oral prednisone, 60 mg daily for 7 days.",
            "prednisone",
            {"route": "oral", "dose": "60 mg", "duration": "7 d"},
        ),
    ],
)
async def test_parts_go_to_the_right_medication(coder: Coder, text: str, name: str, expected: dict[str, str]) -> None:
    found = said(await coded(without_model(coder), text), name)
    assert {key: found.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    "text", ["Serum potassium 4.1, glucose 98.", "Drinks water. Date of birth today.", "Hemoglobin 12"]
)
async def test_what_a_laboratory_measures_is_no_medication(coder: Coder, text: str) -> None:
    answer = await coded(without_model(coder), text)
    assert not [one for one in answer.entities if one.type == "medication"]


async def test_an_everyday_word_beside_a_dose_is_a_medication(coder: Coder) -> None:
    answer = await coded(without_model(coder), "Potassium 20 mEq daily.")
    assert said(answer, "Potassium") == {"dose": "20 meq", "frequency": "1/d"}


async def test_a_medication_reads_like_any_mention(coder: Coder) -> None:
    answer = await coded(without_model(coder), "No aspirin.\nFAMILY HISTORY: Mother on warfarin.")
    assert of(answer, "aspirin").assertion == Assertion.ASSERTION_ABSENT
    assert of(answer, "warfarin").experiencer == Experiencer.EXPERIENCER_FAMILY


async def test_a_symptom_has_its_concept_and_its_severity(coder: Coder) -> None:
    answer = await coded(without_model(coder), "Severe headache with left knee pain.")
    headache = of(answer, "headache", "sign_symptom")
    assert (headache.concept, headache.name) == ("SYMP:0000504", "headache")
    assert [(one.name, one.value) for one in headache.attributes] == [("severity", "severe")]


async def test_without_the_model_the_answer_says_so_and_has_what_the_tables_know(coder: Coder) -> None:
    answer = await coded(without_model(coder), f"{LIST} Pneumonia.")
    assert answer.degraded
    assert "entities are from the dictionary" in answer.degraded_reason
    assert [model.name for model in answer.models] == ["icd_coder"]
    assert not answer.entity_rules
    assert {one.origin for one in answer.entities} == {"dictionary", "drug names"}


async def test_with_the_model_the_answer_names_it(coder: Coder) -> None:
    answer = await coded(coder, LIST)
    assert not answer.degraded
    assert {model.name for model in answer.models} == {"icd_coder", "note_entities"}
    assert answer.entity_rules


async def test_an_abstract_is_marked_by_the_rules_of_abstracts(coder: Coder) -> None:
    text = (
        "Naloxone reverses the antihypertensive effect of clonidine. In unanesthetized, spontaneously hypertensive rats"
        " the decrease in blood pressure and heart rate produced by intravenous clonidine, 5 to 20 micrograms/kg, was"
        " inhibited or reversed by naloxone, 0.2 to 2 mg/kg. The hypotensive effect of 100 mg/kg alpha-methyldopa was"
        " also partially reversed by naloxone."
    )
    answer = await coded(coder, text)
    assert answer.entity_rules == "bc5cdr"
    chemicals = {text[one.span.start : one.span.end] for one in answer.entities if one.type == "medication"}
    assert {"Naloxone", "clonidine", "alpha-methyldopa"} <= chemicals


PIECES = [
    "Lasix", "40 mg", "p.o.", "b.i.d.", "fever", "no", "\n", ", ", ". ", "aspirin", "\u00e9\u0301", "\U0001f600", "of",
    "x 3 days", "stopped", "ALLERGIES:", "12.5", "<", "%", "left knee", "severe", "(", ")", "hemoglobin", "\r\n", "q",
]  # fmt: skip


def _stands_apart(entity: Entity) -> bool:
    return entity.type == "anatomy" or entity.code.startswith("Z")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join)
)  # fmt: skip
async def test_entities_of_any_text_are_in_order_and_slice_to_words(coder: Coder, text: str) -> None:
    answer = await coded(coder, text)
    spans = [(one.span.start, one.span.end) for one in answer.entities]
    assert spans == sorted(spans)
    for one in answer.entities:
        assert text[one.span.start : one.span.end].strip()
        for attribute in one.attributes:
            assert text[attribute.span.start : attribute.span.end].strip()
    others = sorted((one.span.start, one.span.end) for one in answer.entities if not _stands_apart(one))
    assert all(first[1] <= second[0] for first, second in pairwise(others))


async def test_without_entities_the_note_is_coded_alike_and_the_dictionary_marks_what_it_knows(coder: Coder) -> None:
    text = "Takes lisinopril 10 mg daily for hypertension."
    whole, codes_alone = await coded(coder, text), await coded(replace(coder, entities=None), text)
    assert codes_alone.codes == whole.codes
    assert [entity.code for entity in codes_alone.entities] == ["I10"]
    assert {model.name for model in codes_alone.models} == {"icd_coder"}
    assert not codes_alone.degraded
