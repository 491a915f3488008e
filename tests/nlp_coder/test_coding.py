import pytest
from vigil.v1 import notes_pb2
from vigil.v1.meta_pb2 import Span
from vigil.v1.notes_pb2 import NoteCoded

from services.common.identity import message_id
from services.common.outcomes import Invalid
from services.common.topics import Topic
from services.nlp_coder.handlers import Coder, code_note, code_received_note
from tests.nlp_coder.fakes import coded, note_received

NOTE = """HISTORY OF PRESENT ILLNESS: 68-year-old man with fever and productive cough. Denies chest pain.
PMH: hypertension, prior appendicitis.
FAMILY HISTORY: Mother with breast cancer.
ASSESSMENT: Community-acquired pneumonia with sepsis. No evidence of pulmonary embolism."""


def selected(answer: NoteCoded) -> set[str]:
    return {code.code for code in answer.codes if code.selected}


async def test_asserted_conditions_are_selected(coder: Coder) -> None:
    assert {"J18.9", "A41.9", "R50.9", "I10"} <= selected(await coded(coder, NOTE))


async def test_negated_past_and_family_mentions_are_never_selected(coder: Coder) -> None:
    chosen = selected(await coded(coder, NOTE))
    assert not [code for code in chosen if code[:3] in {"R07", "K35", "C50", "I26"}]


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("No pneumonia.", "J18"),
        ("Family history of stroke.", "I63"),
        ("History of pneumothorax.", "J93"),
        ("Return if you have chest pain.", "R07"),
        ("His brother has epilepsy.", "G40"),
    ],
)
async def test_a_mention_that_is_not_current_selects_nothing(text: str, category: str, coder: Coder) -> None:
    assert not [code for code in selected(await coded(coder, text)) if code.startswith(category)]


async def test_a_chronic_condition_in_the_history_is_coded(coder: Coder) -> None:
    assert "I10" in selected(await coded(coder, "PMH: hypertension"))


async def test_what_is_asked_and_then_denied_is_not_selected(coder: Coder) -> None:
    answer = await coded(coder, "INDICATION: COPD. Pneumonia?\nIMPRESSION: No evidence of pneumonia.", kind="radiology")
    assert "J18.9" not in selected(answer)


async def test_a_code_reads_as_its_firmest_mention(coder: Coder) -> None:
    answer = await coded(coder, "INDICATION: Rule out pneumonia.\nIMPRESSION: Right lower lobe pneumonia.")
    code = next(code for code in answer.codes if code.code == "J18.9")
    assert code.selected
    assert code.assertion == notes_pb2.ASSERTION_PRESENT


async def test_codes_are_ranked_and_each_shows_its_words(coder: Coder) -> None:
    answer = await coded(coder, NOTE)
    scores = [code.score for code in answer.codes]
    assert scores == sorted(scores, reverse=True)
    assert len(answer.codes) <= 100
    assert all(code.spans and code.rationale and code.origin for code in answer.codes)
    assert all(0 <= code.score <= 1 for code in answer.codes)
    assert {code.origin for code in answer.codes} >= {"model", "dictionary+model"}


async def test_what_only_the_model_proposes_is_asserted_by_nobody(coder: Coder) -> None:
    answer = await coded(coder, NOTE)
    unread = {code.origin for code in answer.codes if code.assertion == notes_pb2.ASSERTION_UNSPECIFIED}
    assert unread == {"model"}
    assert all(code.assertion == notes_pb2.ASSERTION_UNSPECIFIED for code in answer.codes if code.origin == "model")


async def test_spans_count_characters_of_the_text_as_sent(coder: Coder) -> None:
    text = "\r\n😷 Pa\u0301ciente \U0001d51b note:\r\n  Severe pneumonia\r\nand se\u0301psis 🫁 with fever."
    answer = await coded(coder, text)
    pneumonia = next(code for code in answer.codes if code.code == "J18.9")
    assert [text[span.start : span.end] for span in pneumonia.spans] == ["pneumonia"]
    assert "se\u0301psis" in [text[entity.span.start : entity.span.end] for entity in answer.entities]


async def test_asked_spans_are_answered_in_their_order(coder: Coder) -> None:
    text = "No fever. Mother with stroke."
    asked = [Span(start=22, end=28), Span(start=3, end=8), Span(start=8, end=9), Span(start=500, end=600)]
    answer = await code_note(note_received(text), coder, asked)
    assertions = [(item.assertion, item.experiencer) for item in answer.span_assertions]
    assert assertions == [
        (notes_pb2.ASSERTION_PRESENT, notes_pb2.EXPERIENCER_FAMILY),
        (notes_pb2.ASSERTION_ABSENT, notes_pb2.EXPERIENCER_PATIENT),
        (notes_pb2.ASSERTION_PRESENT, notes_pb2.EXPERIENCER_PATIENT),
        (notes_pb2.ASSERTION_PRESENT, notes_pb2.EXPERIENCER_PATIENT),
    ]
    trigger = answer.span_assertions[1].trigger
    assert text[trigger.start : trigger.end] == "No"


async def test_the_answer_carries_its_cause_and_is_made_again_with_the_same_id(coder: Coder) -> None:
    note = note_received(NOTE, kind="progress", replaces_document_id="doc-0")
    first, second = [await code_received_note(note, coder) for _ in range(2)]
    answer, again = first.message, second.message
    assert isinstance(answer, NoteCoded)
    assert isinstance(again, NoteCoded)
    assert first.to == Topic.NOTES_CODED
    assert first.key == note.meta.patient_key
    assert answer.meta.message_id == again.meta.message_id == message_id("coded", "note-1")
    assert answer.meta.event_time == note.meta.event_time
    assert answer.meta.ingest_time == note.meta.ingest_time
    assert answer.meta.synthetic
    assert (answer.note_message_id, answer.document_id, answer.kind) == ("note-1", "doc-1", "progress")
    assert answer.replaces_document_id == "doc-0"
    assert answer.text == NOTE
    assert [model.name for model in answer.models] == ["icd_coder", "note_entities"]


async def test_a_note_without_an_id_is_invalid(coder: Coder) -> None:
    note = note_received("fever")
    note.meta.message_id = ""
    with pytest.raises(Invalid):
        await code_received_note(note, coder)


@pytest.mark.parametrize("text", ["", " ", "\n\r\n", "...", "12 34", "\u0301", "😷"])
async def test_a_note_without_words_gets_an_empty_answer(text: str, coder: Coder) -> None:
    answer = await coded(coder, text)
    assert not answer.codes
    assert not answer.degraded
    assert not answer.abstained
    assert answer.text == text


async def test_another_language_is_abstained_from_with_the_reason(coder: Coder) -> None:
    answer = await coded(coder, "El paciente niega fiebre y dolor de cabeza desde ayer.")
    assert answer.abstained == "not in English: es"
    assert not answer.codes


async def test_a_code_of_another_release_has_its_categorys_name(coder: Coder) -> None:
    codes = {code.code: code for code in (await coded(coder, "She fell down the stairs. Accidental fall.")).codes}
    older = [code for code in codes.values() if code.code not in coder.reader.code_set.codes]
    assert older
    assert all(code.display and not code.billable for code in older)
