import pytest

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
        ("Stricture.,2.  Dysphagia.", ["Stricture.", ",2.  Dysphagia."]),
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
