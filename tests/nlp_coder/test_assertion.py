import re
from typing import get_args

import pytest

from services.nlp_coder.assertion import Reading
from services.nlp_coder.data_files import rows
from services.nlp_coder.document import Grammar, load_grammar, read, word_range
from services.nlp_coder.tokens import words_of
from services.nlp_coder.triggers import Category, spelled_out


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return load_grammar()


def reading_of(text: str, mention: str, grammar: Grammar) -> Reading:
    document = read(text, grammar)
    start = text.index(mention)
    words = word_range(document, start, start + len(mention))
    assert words is not None
    return document.reading(*words)


@pytest.mark.parametrize(
    ("text", "mention", "status"),
    [
        ("Patient has pneumonia.", "pneumonia", "present"),
        ("No evidence of pneumonia.", "pneumonia", "absent"),
        ("He denies chest pain, dyspnea or cough.", "cough", "absent"),
        ("Denies fever but has chills.", "fever", "absent"),
        ("Denies fever but has chills.", "chills", "present"),
        ("No fever, however there is a productive cough.", "cough", "present"),
        ("Without pneumothorax or effusion.", "effusion", "absent"),
        ("Pneumonia was ruled out.", "Pneumonia", "absent"),
        ("Pneumothorax is not seen.", "Pneumothorax", "absent"),
        ("Pulmonary embolism is unlikely.", "Pulmonary embolism", "absent"),
        ("Pneumonia cannot be excluded.", "Pneumonia", "possible"),
        ("Pneumonia has not been ruled out.", "Pneumonia", "possible"),
        ("Findings are suspicious for malignancy.", "malignancy", "possible"),
        ("Possible UTI.", "UTI", "possible"),
        ("r/o PE", "PE", "possible"),
        ("Rule out PE.", "PE", "possible"),
        ("Film to confirm position and exclude pneumothorax.", "pneumothorax", "possible"),
        ("?PE", "PE", "possible"),
        ("Probable pneumonia in the right lower lobe.", "pneumonia", "possible"),
        ("Return if you develop fever.", "fever", "hypothetical"),
        ("Heparin for DVT prophylaxis.", "DVT", "hypothetical"),
        ("At risk for falls and delirium.", "delirium", "hypothetical"),
        ("Dyspnea on exertion.", "Dyspnea", "conditional"),
        ("No significant change in pleural effusion.", "pleural effusion", "present"),
        ("No increase in edema.", "edema", "present"),
        ("Not only pneumonia but also empyema.", "pneumonia", "present"),
        ("Gram negative sepsis.", "sepsis", "present"),
        ("Fever: no\nCough: yes", "Fever", "absent"),
        ("Fever: no\nCough: yes", "Cough", "present"),
        ("Chest pain: denied.", "Chest pain", "absent"),
        ("No fever.\nCough for three days.", "Cough", "present"),
        ("There is no pneumothorax. There is a small effusion.", "effusion", "present"),
        ("w/o edema", "edema", "absent"),
        ("Negative for rash, fever and\nheadache.", "headache", "absent"),
        ("Sepsis secondary to pneumonia", "pneumonia", "present"),
        ("No cause of the sepsis other than pneumonia", "pneumonia", "present"),
        ("Patient is not septic. Pneumonia improving.", "Pneumonia", "present"),
        ("Lungs: no effusion", "effusion", "absent"),
        ("To return if she has fever or jaundice.", "jaundice", "hypothetical"),
        ("No acute coronary syndrome.", "acute coronary syndrome", "absent"),
        ("No significant change in acute pancreatitis.", "acute pancreatitis", "present"),
        ("Cough, no fever", "Cough", "present"),
        ("Fever, cough and dyspnea were denied.", "Fever", "absent"),
        ("Consolidation, pneumothorax has resolved.", "Consolidation", "present"),
    ],
)
def test_a_mention_reads_as_its_sentence_asserts_it(text: str, mention: str, status: str, grammar: Grammar) -> None:
    assert reading_of(text, mention, grammar).status == status


@pytest.mark.parametrize(
    ("text", "mention", "historical"),
    [
        ("History of stroke.", "stroke", True),
        ("h/o MI", "MI", True),
        ("Prior pneumonia in 2019.", "pneumonia", True),
        ("PMH: hypertension, asthma.", "asthma", True),
        ("Past medical history is significant for gout and presents with fever.", "gout", True),
        ("Past medical history is significant for gout and presents with fever.", "fever", False),
        ("He had pneumonia two years ago.", "pneumonia", True),
        ("History of present illness: fever.", "fever", False),
        ("3 day history of cough.", "cough", False),
        ("History of COPD, now with pneumonia.", "pneumonia", False),
        ("Compared with prior study there is a new effusion.", "effusion", False),
    ],
)
def test_the_past_is_told_from_the_present(text: str, mention: str, historical: bool, grammar: Grammar) -> None:
    assert reading_of(text, mention, grammar).historical is historical


@pytest.mark.parametrize(
    ("text", "mention", "experiencer"),
    [
        ("Mother with breast cancer.", "breast cancer", "family"),
        ("Family history of diabetes.", "diabetes", "family"),
        ("FAMILY HISTORY:\nStroke, hypertension.\nSOCIAL HISTORY: asthma at work", "hypertension", "family"),
        ("FAMILY HISTORY:\nStroke, hypertension.\nSOCIAL HISTORY: asthma at work", "asthma", "patient"),
        ("Father had MI, patient has angina.", "angina", "patient"),
        ("Mother reports fever since yesterday.", "fever", "patient"),
        ("Diabetes in his father.", "Diabetes", "family"),
        ("His roommate has tuberculosis.", "tuberculosis", "other"),
    ],
)
def test_whom_a_mention_is_about(text: str, mention: str, experiencer: str, grammar: Grammar) -> None:
    assert reading_of(text, mention, grammar).experiencer == experiencer


@pytest.mark.parametrize(
    ("text", "mention", "trigger"),
    [
        ("There is no pneumothorax.", "pneumothorax", "no"),
        ("Sepsis was therefore ruled out.", "Sepsis", "was therefore ruled out"),
        ("-fever, -chills, +cough", "chills", "-"),
        ("Fever: no", "Fever", "no"),
        ("Two sisters have lupus.", "lupus", "sisters"),
        ("FAMILY HISTORY: stroke", "stroke", "FAMILY HISTORY"),
        ("Denies:\n- cough\n- dyspnea", "dyspnea", "Denies"),
    ],
)
def test_the_trigger_that_decided_is_named(text: str, mention: str, trigger: str, grammar: Grammar) -> None:
    reading = reading_of(text, mention, grammar)
    assert reading.trigger is not None
    start, end = read(text, grammar).span(*reading.trigger)
    assert text[start:end] == trigger


def test_no_phrase_written_out_means_two_things() -> None:
    meanings: dict[tuple[str, ...], set[str]] = {}
    for phrase, category, direction, _reach, _source in rows("assertion_triggers.tsv", 5):
        if "[" not in phrase and "{" not in phrase:
            for side in ("forward", "backward") if direction in {"both", "-"} else (direction,):
                meanings.setdefault(
                    (":" * phrase.startswith(":"), side, *(words_of(phrase).norms or [phrase])), set()
                ).add(category)
    assert not {key: found for key, found in meanings.items() if len(found) > 1}


def test_every_trigger_has_a_known_category_direction_and_source() -> None:
    for phrase, category, direction, reach, source in rows("assertion_triggers.tsv", 5):
        assert set(category.split("+")) <= set(get_args(Category)), phrase
        assert direction in {"forward", "backward", "both", "-"}, phrase
        assert reach in {"-", "clause", "that", "list"} or re.sub("^(?:clause|that) ", "", reach).isdigit(), phrase
        assert source, phrase


def test_a_pattern_stands_for_every_phrase_it_spells() -> None:
    found = {" ".join(words) for words in spelled_out("[no|without] [new|] {sign} of", {"sign": "evidence|hint"})}
    assert found == {
        f"{no} {sign} of" for no in ("no", "without") for sign in ("new evidence", "new hint", "evidence", "hint")
    }


def test_a_pattern_with_a_bracket_too_many_is_named() -> None:
    with pytest.raises(ValueError, match="brackets"):
        list(spelled_out("no] sign", {}))


def test_part_of_a_word_after_non_is_absent(grammar: Grammar) -> None:
    document = read("Abdomen nontender.", grammar)
    assert document.reading_of_span(11, 17).status == "absent"
    assert document.reading_of_span(8, 17).status == "present"
