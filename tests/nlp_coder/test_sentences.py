import pytest

from services.nlp_coder.data_files import rows
from services.nlp_coder.sections import header_names, sections_of
from services.nlp_coder.sentences import abbreviations, sentence_starts


def sentences(text: str) -> list[str]:
    starts = sentence_starts(text, abbreviations(), [])
    pieces = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    return [piece.strip() for piece in pieces if piece.strip()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No fever. Cough.", ["No fever.", "Cough."]),
        ("Seen by Dr. Smith today. Stable.", ["Seen by Dr. Smith today.", "Stable."]),
        ("Temp. 38.5 C. Pulse 90.", ["Temp. 38.5 C. Pulse 90."]),
        ("1. Pneumonia\n2. Sepsis", ["1. Pneumonia", "2. Sepsis"]),
        ("- fever\n- cough", ["- fever", "- cough"]),
        (
            "The patient denies any chest pain, shortness of breath, nausea\nvomiting or diarrhea.",
            ["The patient denies any chest pain, shortness of breath, nausea\nvomiting or diarrhea."],
        ),
        ("no fever\n\ncough", ["no fever", "cough"]),
        ("No fever; cough present", ["No fever;", "cough present"]),
        ("No fever; chills; or cough. Pale; weak", ["No fever; chills; or cough.", "Pale;", "weak"]),
        ("Stricture.,2.  Dysphagia.", ["Stricture.", ",2.  Dysphagia."]),
        ("no nystagmus. papilledema present", ["no nystagmus.", "papilledema present"]),
        ("no assoc. nausea", ["no assoc. nausea"]),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def names(text: str) -> list[str]:
    return [section.name for section in sections_of(text, header_names())]


def test_hospital_headers_are_found_in_any_case_and_place() -> None:
    text = "PMH: HTN.\nFamily History:\nmother: MI\n\n**Assessment and Plan**\n1. Sepsis"
    assert names(text) == ["past_medical_history", "family_history", "assessment"]


def test_a_label_inside_an_examination_does_not_end_its_section() -> None:
    assert names("PHYSICAL EXAM:\nLungs: clear\nHeart: regular") == ["physical_exam"]


def test_an_unknown_shouted_header_ends_the_section_before_it() -> None:
    assert names("FAMILY HISTORY: diabetes\nVENTILATOR SETTINGS: none") == ["family_history", "other"]


def test_sections_cover_the_whole_text_without_overlap() -> None:
    text = "Before.\nHPI: fever.\r\nPlan: rest"
    found = sections_of(text, header_names())
    assert "".join(text[section.start : section.end] for section in found) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Impression: 1. No PE. 2. Small effusion.", ["Impression: 1. No PE.", "2. Small effusion."]),
        ("Aspirin 81 mg q.d., Lasix b.i.d. She left.", ["Aspirin 81 mg q.d., Lasix b.i.d.", "She left."]),
        ("a) pain\nb) swelling", ["a) pain", "b) swelling"]),
        ("#1 PNA\n# HTN: stable", ["#1 PNA", "# HTN: stable"]),
        ("denies CP or\nSOB. He has no\nFever.", ["denies CP or\nSOB.", "He has no\nFever."]),
        ("LUNGS: Clear,HEART: Regular", ["LUNGS: Clear,", "HEART: Regular"]),
        ("Chest pain? No. Fever? Yes.", ["Chest pain? No.", "Fever? Yes."]),
        ("Tube No. 5 in place. Stable.", ["Tube No. 5 in place.", "Stable."]),
        ("Fever\tNo\nCough\tYes", ["Fever\tNo", "Cough\tYes"]),
        ("Potassium 3.5, glucose 110. Stable.", ["Potassium 3.5, glucose 110.", "Stable."]),
    ],
)
def test_lists_tables_and_abbreviations_keep_their_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_text_wrapped_at_seventy_columns_keeps_its_sentences_and_ends_short_lines() -> None:
    text = (
        "She presents with three days of productive cough and no shaking chills\n"
        "Fever was not measured at home. She was sent to the medical floor in\n"
        "Guarded condition.\n"
        "CV: Regular rate and rhythm, no murmurs, rubs or gallops\n"
        "Abdomen soft"
    )
    assert sentences(text)[-3:] == [
        "She was sent to the medical floor in\nGuarded condition.",
        "CV: Regular rate and rhythm, no murmurs, rubs or gallops",
        "Abdomen soft",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PMH: HTN, DM. PSH: none. FHx: MI.", ["past_medical_history", "past_surgical_history", "family_history"]),
        ("PMH - HTN\nFamily Hx - CAD", ["past_medical_history", "family_history"]),
        ("Past Medical Hx\nGout", ["past_medical_history"]),
        ("Medications (home): none", ["medications"]),
        ("HISTORY OF THE PRESENT ILLNESS:\npain", ["history_of_present_illness"]),
        ("Vitals: 37,FAMILY HISTORY:, stroke", ["vital_signs", "family_history"]),
        ("PE\nnot seen", ["other"]),
    ],
)
def test_headers_are_found_as_hospitals_write_them(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_headers_are_told_in_lower_case_and_once() -> None:
    written = [header for header, _name, _source in rows("sections.tsv", 3)]
    assert written == [header.lower() for header in written]
    assert len(written) == len(set(written))
