"""What real notes say of their medications: parts to the right name, statuses, and names that are none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vigil.v1.notes_pb2 import Assertion, NoteCoded

from services.nlp_coder.document import load_grammar, read
from services.nlp_coder.dosing import _frequency_pattern
from services.nlp_coder.entities import FoundEntity, entities_of
from services.nlp_coder.entity_model import NOTE, LabelledWords
from services.nlp_coder.handlers import Coder
from services.nlp_coder.prescriptions import _cues, _told
from services.nlp_coder.reading import read_note
from services.nlp_coder.tokens import matches_between
from tests.nlp_coder.fakes import coded, entity_reader
from tests.nlp_coder.test_entities import without_model

# text, names as written: what is said of each, in order of the text
CASES = [
    ("Lipitor 80 mg q.d. discontinued today, Vioxx 25 mg.", {"Lipitor": "80 mg, 1/d, stopped", "Vioxx": "25 mg"}),
    ("Atenolol, and he is maintained on Coumadin.", {"Atenolol": "", "Coumadin": "continued"}),
    ("Broad antibiotics and Solu-Medrol 1 g IV qd were started.",
     {"antibiotics": "started", "Solu-Medrol": "1 g, intravenous, 1/d, started"}),
    ("Amlodipine and lisinopril are on hold.", {"Amlodipine": "held", "lisinopril": "held"}),
    ("He was on vancomycin and Levaquin was given x1 dose.", {"vancomycin": "", "Levaquin": "started, once"}),
    ("Given the patient's previous sulfa allergies, Naprosyn was decreased.",
     {"sulfa": "allergy", "Naprosyn": "changed"}),
    ("He could not tolerate penicillin due to allergy and due to being on Coumadin.",
     {"penicillin": "allergy", "Coumadin": ""}),
    ("She has not been taking Allegra daily.", {"Allegra": "1/d"}),
    ("The patient cannot be taken off Coumadin.", {"Coumadin": ""}),
    ("I wanted her to start taking Neurontin 300 mg b.i.d.", {"Neurontin": "started, 300 mg, 2/d"}),
    ("She was tapered off heparin.", {"heparin": "stopped"}),
    ("Place on Lovenox 30 mg, which may be stopped 24 hours before.", {"Lovenox": "started, 30 mg"}),
    ("Placed on prednisone following the Solu-Medrol.", {"prednisone": "started", "Solu-Medrol": ""}),
    ("He had to back down on his WelChol because of backache.", {"WelChol": "changed"}),
    ("Prescription written for albuterol.", {"albuterol": "started"}),
    ("Vicodin 5/500 mg one to two every four to six hours p.r.n.", {"Vicodin": "1-2, 4-6/d, as needed"}),
    ("Percocet 5/325 mg 4-6 hours p.r.n.", {"Percocet": "4-6/d, as needed"}),
    ("Flecainide 200 in the morning and 100 in the evening.", {"Flecainide": "200, 1/d, 100, 1/d"}),
    ("Metronidazole 500 mg #14 1 BID for 7 days.", {"Metronidazole": "500 mg, 1, 2/d, 7 d"}),
    ("Multivitamins one daily, Protonix 40 mg b.i.d.", {"Multivitamins": "1, 1/d", "Protonix": "40 mg, 2/d"}),
    ("Amoxicillin 125 per 5 mL, 1 teaspoon t.i.d.", {"Amoxicillin": "1 [tsp_us], 3/d"}),
    ("Praziquantel 3.6 g total in 3 doses.", {"Praziquantel": "3.6 g"}),
    ("Neurontin 300 mg per day x 1 week and then 300 mg b.i.d.", {"Neurontin": "300 mg/d, 1 wk, 300 mg, 2/d"}),
    ("Benadryl 25 mg at the hour of sleep as needed.", {"Benadryl": "25 mg, 1/d, as needed"}),
    ("Lyrica 100 mg q.daily.", {"Lyrica": "100 mg, 1/d"}),
    ("She tried Advair but got vaginal irritation.", {"Advair": ""}),
    ("Amitriptyline for her migraines, which occur once a week.", {"Amitriptyline": ""}),
    ("Allergies to Betadine and IV contrast.", {"Betadine": "allergy"}),
    ("Ferrous sulfate with vitamin C 1 tablet twice a day.", {"Ferrous sulfate": "1 {tbl}, 2/d"}),
    ("Albuterol and Flovent inhalers two puffs b.i.d.", {"Albuterol": "2 {puff}, 2/d", "Flovent": "2 {puff}, 2/d"}),
    ("Claritin and albuterol inhaler as needed.", {"Claritin": "", "albuterol": "as needed"}),
    ("Restart Allegra and Flonase daily.", {"Allegra": "started, 1/d", "Flonase": "started, 1/d"}),
    ("Lasix and potassium 20 mEq daily.", {"Lasix": "", "potassium": "20 meq, 1/d"}),
    ("Zantac 150 mg daily, fentanyl 75 mcg IV.", {"Zantac": "150 mg, 1/d", "fentanyl": "75 ug, intravenous"}),
    ("Lotrimin AF 1% cream, apply q.i.d. Dispense: 4 oz.", {"Lotrimin AF": "1 %, 4/d"}),
    ("She developed toxicity from the tamoxifen and therefore stopped it herself.", {"tamoxifen": "stopped"}),
    ("She was on Lipitor for a year. She stopped taking it in May.", {"Lipitor": "stopped"}),
    ("He takes Lasix. We will stop it if he is dizzy.", {"Lasix": "continued"}),
    ("Continue 300 mcg daily of Synthroid.", {"Synthroid": "continued, 300 ug, 1/d"}),
    ("We gave a 20 mL/kg bolus of normal saline.", {"normal saline": "20 mL/kg"}),
    ("Skelaxin 800 mg b.i.d. to t.i.d. p.r.n.", {"Skelaxin": "800 mg, 2-3/d, as needed"}),
    ("Klonopin 4 mg in a.m. and 6 mg at h.s.", {"Klonopin": "4 mg, 1/d, 6 mg, 1/d"}),
    ("MEDS:\nMicronase 2.5 mg Tab PO QAM #30.", {"Micronase": "2.5 mg, oral, 1/d"}),
    ("Adenosine 6 mg IV was given at once.", {"Adenosine": "6 mg, intravenous, started"}),
    ("Metformin held for contrast, Lasix 20 mg daily.", {"Metformin": "held", "Lasix": "20 mg, 1/d"}),
    ("Warfarin, metformin held.", {"Warfarin": "", "metformin": "held"}),
    ("Lisinopril, held metformin.", {"Lisinopril": "", "metformin": "held"}),
    ("Piperacillin-tazobactam 4.5 g IV q6h.", {"Piperacillin-tazobactam": "4.5 g, intravenous, 4/d"}),
    ("Allergies: penicillin - Bactrim.", {"penicillin": "allergy", "Bactrim": "allergy"}),
]  # fmt: skip


def told(answer: NoteCoded) -> dict[str, str]:
    """Of each medication its parts and status in order of the text; the last of two mentions of one name."""
    return {
        answer.text[one.span.start : one.span.end]: ", ".join(attribute.value for attribute in one.attributes)
        for one in answer.entities
        if one.type == "medication"
    }


@pytest.mark.parametrize(("text", "expected"), CASES)
async def test_each_part_and_status_goes_to_its_medication(coder: Coder, text: str, expected: dict[str, str]) -> None:
    found = told(await coded(without_model(coder), text))
    assert {name: found.get(name) for name in expected} == expected


async def test_a_list_of_medications_after_one_of_allergies_is_none_of_allergies(coder: Coder) -> None:
    text = "ALLERGIES\n1.  PENICILLIN.\n\nPRESENT MEDICATIONS\n1.  Lipitor 20 mg q.d.\n2.  Metoprolol 25 mg b.i.d."
    assert told(await coded(without_model(coder), text)) == {
        "PENICILLIN": "allergy",
        "Lipitor": "20 mg, 1/d",
        "Metoprolol": "25 mg, 2/d",
    }


async def test_a_medication_that_is_put_back_is_started(coder: Coder) -> None:
    answer = await coded(without_model(coder), "Taken off Coumadin for five days and will be placed back on Coumadin.")
    statuses = [said.value for one in answer.entities for said in one.attributes if said.name == "status"]
    assert statuses == ["stopped", "started"]


@pytest.mark.parametrize(
    ("text", "ingredients"),
    [
        ("Penicillin.", "penicillin"),
        ("Insulin 20 units.", "insulin"),
        ("Takes vitamins 2 tablets daily.", "vitamin"),
        ("MEDICATIONS: B12 1000 mcg IM monthly.", "cyanocobalamin"),
        ("FeSO4 225mg tid.", "ferrous sulfate"),
        ("Z-Pak.", "azithromycin"),
        ("Tylenol No. 3.", "acetaminophen + codeine"),
        ("Tylenol #3 q6h prn.", "acetaminophen + codeine"),
        ("Carboplatin and VP-16.", "etoposide"),
        ("Velosulin 10 units, then Humulin.", "insulin"),
        ("Insulin pork 10 units.", "insulin pork"),
        ("Amoxicillin-clavulanate 875 mg b.i.d.", "amoxicillin + clavulanic acid"),
        ("Robitussin Cough and Cold.", "dextromethorphan + guaifenesin + pseudoephedrine"),
    ],
)
async def test_names_as_notes_write_them_have_their_ingredients(coder: Coder, text: str, ingredients: str) -> None:
    answer = await coded(without_model(coder), text)
    assert ingredients in [one.name for one in answer.entities if one.type == "medication"]


@pytest.mark.parametrize(
    "text",
    [
        "She is a junior at high school.",
        "LABORATORY DATA: Cyclosporine 163, lactic acid 0.8, C-peptide pending.",
        "I ordered yearly digoxin levels.",
        "The wall was cleaned with ether.",
        "ALLERGIES: Mushroom, cherry.",
    ],
)
async def test_what_is_no_medication_is_not_taken_for_one(coder: Coder, text: str) -> None:
    assert not told(await coded(without_model(coder), text))


async def test_an_allergen_is_named_though_it_is_an_everyday_word(coder: Coder) -> None:
    assert told(await coded(without_model(coder), "ALLERGIES: Iodine.")) == {"Iodine": "allergy"}


async def test_a_name_with_a_number_denies_nothing_and_as_needed_at_night_is_taken(coder: Coder) -> None:
    answer = await coded(without_model(coder), "Tylenol No. 3 p.r.n. and amitriptyline at night as needed.")
    assert {one.assertion for one in answer.entities if one.type == "medication"} == {Assertion.ASSERTION_PRESENT}


def with_spans(coder: Coder, text: str, *spans: tuple[str, str]) -> list[FoundEntity]:
    """Entities of a note of which a model labelled some words: (words, label of MACCROBAT)."""
    note = read_note(text, coder.reader)
    norms, labelled = note.document.words.norms, []
    for words, label in spans:
        [first] = [index for index in range(len(norms)) if norms[index : index + len(words.split())] == words.split()]
        labelled.append(LabelledWords("maccrobat", first, first + len(words.split()), label))
    return entities_of(note, [], labelled, NOTE, entity_reader(coder).tables)


@pytest.mark.parametrize(
    ("words", "label"),
    [
        ("alert", "Sign_symptom"),
        ("medication", "Medication"),
        ("condition", "Diagnostic_procedure"),
        ("sick contact", "Disease_disorder"),
    ],
)
def test_words_that_name_nothing_are_no_entities(coder: Coder, words: str, label: str) -> None:
    text = "Alert, with afebrile course; medications as listed; stable condition; no sick contacts."
    # The dictionary knows contacts as a status, Z20.9.
    assert {one.code for one in with_spans(coder, text, (words, label))} == {"Z20.9"}
    assert with_spans(coder, text, ("afebrile", "Sign_symptom"))


def test_a_place_inside_a_mention_is_told_with_it(coder: Coder) -> None:
    found = with_spans(coder, "Chest pain; the abdomen is soft.", ("chest", "Biological_structure"))
    assert [one.type for one in found] == ["sign_symptom"]
    found = with_spans(coder, "Chest pain; the abdomen is soft.", ("abdomen", "Biological_structure"))
    assert [one.type for one in found] == ["sign_symptom", "anatomy"]


def test_a_result_is_no_date_and_never_of_the_test_after_it(coder: Coder) -> None:
    text = "Age 50, weight 07/10/2008 was 256 pounds."
    found = with_spans(
        coder, text, ("50", "Lab_value"), ("weight", "Diagnostic_procedure"), ("256 pound", "Lab_value"),
        ("07 10 2008", "Lab_value"),
    )  # fmt: skip
    assert [(said.name, said.value) for one in found for said in one.attributes] == [
        ("value", "256 pounds"),
        ("unit", "pounds"),
    ]


PIECES = [
    "b.i.d.", "b.i.d", "b. i. d.", "q8h", "q. 6 h.", "x", "x3", "3", ".5", "one", "a", "in", "the", "morning", "every",
    "4-6", "hours", "prn", "daily", "times", "/day", "h.s", "at", "bedtime", "was", "started", "re-started", "stopped",
    "taking", "it", "this", "(hives)", "is", "on", "Given", "given", "during", "has", "been", "held", "d/c'd", "to",
    "from", "takes", "he", "no", "longer", "went", "off", "of", "Lasix", ",", ".", "\n", "increase", "Allergies:",
    "causes", "a rash",
]  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join))
def test_what_says_how_often_and_what_happens_begins_only_where_it_may(text: str) -> None:
    told = _told(read(text, load_grammar()), [])
    sides = [(told.before, "before"), (told.after, "after"), (told.it, "it")]
    for places, pattern in [(told.often, _frequency_pattern()), *((own, _cues(side)) for own, side in sides)]:
        found = [match.span() for match in matches_between(pattern, text, places, 0, len(text))]
        assert found == [match.span() for match in pattern.finditer(text)]
