import pytest

from services.nlp_coder.handlers import Coder
from services.nlp_coder.reading import ReadNote, read_note
from tests.nlp_coder.fakes import coded


@pytest.mark.parametrize(
    ("text", "phrase", "code"),
    [
        ("Community-acquired pneumonia", "Community-acquired pneumonia", "J18.9"),
        ("COPD exacerbation", "COPD exacerbation", "J44.1"),
        ("urinary tract infections", "urinary tract infections", "N39.0"),
        ("Diarrhoea and oedema", "Diarrhoea", "R19.7"),
        ("essential hypertension", "essential hypertension", "I10"),
        ("right tension pneumothorax", "tension pneumothorax", "J93.0"),
        ("acute\nappendicitis", "acute\nappendicitis", "K35.80"),
        ("Ménière's disease", "Ménière's disease", "H81.09"),
        ("glioblastoma multiforme", "glioblastoma multiforme", "C71.9"),
        ("stomach cancer", "stomach cancer", "C16.9"),
    ],
)
def test_terms_are_found_as_clinicians_write_them(text: str, phrase: str, code: str, coder: Coder) -> None:
    note = read_note(text, coder.reader)
    found = {text[slice(*note.document.span(m.mention.first, m.mention.last))]: m.mention.code for m in note.mentions}
    assert found[phrase] == code


def test_a_term_does_not_cross_a_sentence_or_a_comma(coder: Coder) -> None:
    note = read_note("Heart. Failure to thrive, back, pain", coder.reader)
    assert "I50.9" not in {read.mention.code for read in note.mentions}
    assert "M54.9" not in {read.mention.code for read in note.mentions}


def test_a_coma_score_is_no_coma(coder: Coder) -> None:
    assert [read.phrase for read in read_note("Glasgow coma score 15. No coma.", coder.reader).mentions] == ["coma"]


def test_the_longest_term_wins(coder: Coder) -> None:
    note = read_note("acute respiratory failure", coder.reader)
    assert [read.phrase for read in note.mentions] == ["acute respiratory failure"]


@pytest.mark.parametrize(
    ("text", "whole", "part"),
    [
        ("Ductal carcinoma in situ of the left breast", "D05.12", "C50"),
        ("Non insulin dependent diabetes mellitus", "E11.9", "E10"),
        ("Iron deficiency anemia", "D50.9", "E61.1"),
    ],
)
def test_no_part_of_a_name_stands_for_what_the_name_excludes(text: str, whole: str, part: str, coder: Coder) -> None:
    note = read_note(text, coder.reader)
    assert whole in _codes(note)
    assert not any(code.startswith(part) for code in _codes(note))


@pytest.mark.parametrize(("header", "is_status"), [("PROCEDURE PERFORMED", False), ("ASSESSMENT", True)])
def test_an_operation_that_a_note_reports_is_no_status_yet(header: str, is_status: bool, coder: Coder) -> None:
    note = read_note(f"{header}: Coronary artery bypass.", coder.reader)
    assert ("Z95.1" in _codes(note)) == is_status


def _codes(note: ReadNote) -> set[str]:
    return {read.mention.code for read in note.mentions} | {loose.mention.code for loose in note.loose}


def test_a_section_header_is_no_mention(coder: Coder) -> None:
    assert read_note("HISTORY OF PRESENT ILLNESS: well", coder.reader).mentions == []


async def test_every_code_of_the_dictionary_is_in_the_code_set(coder: Coder) -> None:
    codes = {term.code for term in coder.reader.dictionary.values}
    assert codes - {""} <= set(coder.reader.code_set.codes)
    answer = await coded(coder, "pneumonia")
    assert answer.code_set_version.startswith("ICD-10-CM ")


def test_an_acronym_that_is_also_a_word_needs_its_capitals(coder: Coder) -> None:
    codes = [read.mention.code for read in read_note("Pad dry, cap on. Known PAD.", coder.reader).mentions]
    assert codes == ["I73.9"]
