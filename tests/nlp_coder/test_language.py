from itertools import chain

import pytest
from vigil.v1.meta_pb2 import Span
from vigil.v1.notes_pb2 import ASSERTION_ABSENT, ASSERTION_PRESENT

from services.nlp_coder.handlers import Coder, code_note
from services.nlp_coder.language import reason_not_to_read
from tests.nlp_coder.fakes import coded, note_received
from tests.nlp_coder.language_samples import ENGLISH, FOREIGN, NOT_HUMAN, OTHER_SCRIPTS

# So near to each other that a sentence may be either; that it is not English is what counts.
ALIKE = {"no": {"no", "da"}, "da": {"no", "da"}}


def test_the_samples_are_as_many_and_as_different_as_they_should_be() -> None:
    assert len(FOREIGN) >= 12
    assert len(NOT_HUMAN) >= 15
    assert len(set(ENGLISH)) >= 30
    assert sum(map(len, (*FOREIGN.values(), OTHER_SCRIPTS, NOT_HUMAN, ENGLISH))) >= 80


@pytest.mark.parametrize(("language", "text"), [(code, text) for code, texts in FOREIGN.items() for text in texts])
def test_another_language_is_named(language: str, text: str, coder: Coder) -> None:
    reason = reason_not_to_read(text, "", coder.languages)
    assert reason in {f"not in English: {code}" for code in ALIKE.get(language, {language})}


@pytest.mark.parametrize("text", OTHER_SCRIPTS)
def test_another_script_is_named(text: str, coder: Coder) -> None:
    assert reason_not_to_read(text, "", coder.languages) == "not in English: another script"


@pytest.mark.parametrize("text", NOT_HUMAN.values(), ids=NOT_HUMAN.keys())
def test_what_is_no_human_text_is_said(text: str, coder: Coder) -> None:
    assert reason_not_to_read(text, "", coder.languages) == "not human text"


@pytest.mark.parametrize("text", ENGLISH)
def test_english_is_always_read(text: str, coder: Coder) -> None:
    assert reason_not_to_read(text, "", coder.languages) == ""
    assert reason_not_to_read(text.upper(), "", coder.languages) == ""
    if any(map(str.isalpha, text)):
        assert reason_not_to_read(f"{text}\n" * 30, "", coder.languages) == ""


async def test_nothing_is_coded_of_a_text_that_is_abstained_from(coder: Coder) -> None:
    for text in chain(FOREIGN["de"], OTHER_SCRIPTS[-1:], [NOT_HUMAN["SQL"]]):
        answer = await coded(coder, text)
        assert answer.abstained
        assert not [*answer.codes, *answer.entities, *answer.findings]
        assert not answer.truncated
        assert answer.text == text


async def test_spans_asked_of_a_text_that_is_abstained_from_are_answered_in_their_order(coder: Coder) -> None:
    text = "El paciente no tiene fiebre. Refiere tos y dolor de pecho desde hace dos semanas."
    spans = [Span(start=text.index(word), end=text.index(word) + len(word)) for word in ("tos", "fiebre", "dolor")]
    answer = await code_note(note_received(text), coder, spans)
    assert answer.abstained
    read_as = [one.assertion for one in answer.span_assertions]
    assert read_as == [ASSERTION_PRESENT, ASSERTION_ABSENT, ASSERTION_PRESENT]


def test_an_english_note_with_a_foreign_sentence_is_read(coder: Coder) -> None:
    text = "The patient was seen with her daughter, who translated. She said: me duele mucho el pecho desde ayer. "
    assert reason_not_to_read(text + "Chest pain, likely musculoskeletal. Discharged home.", "", coder.languages) == ""


def test_a_wrongly_stated_language_does_not_hide_english(coder: Coder) -> None:
    assert reason_not_to_read("The patient has chest pain and fever.", "es", coder.languages) == ""


def test_a_stated_language_settles_a_short_text(coder: Coder) -> None:
    assert reason_not_to_read("Dolor del pecho", "es-ES", coder.languages) == "not in English: es"
