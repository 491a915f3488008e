"""Whatever stands in a note, there is an answer, and its spans hold the words that it claims."""

from collections.abc import Iterator

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vigil.v1.meta_pb2 import Span
from vigil.v1.notes_pb2 import NoteCoded

from cli.commands.code import as_json
from services.nlp_coder.handlers import Coder, code_note
from services.nlp_coder.tokens import words_of
from tests.nlp_coder.fakes import coded, note_received
from tests.nlp_coder.language_samples import ENGLISH

WORDS = [
    "No",
    "fever",
    "pneumonia",
    "Family history:",
    "PMH:",
    "\r\n",
    "\n\n",
    "denies",
    "but",
    "?",
    "PE",
    "Assessment:",
]
WORDS += [
    "\U0001f637",
    "e\u0301dema",
    "\u202e",
    "\u0000",
    "1.",
    "2.",
    ";",
    "Mother",
    "history of",
    "\U0001d51b",
    "\u0130",
]
PIECES = [
    "Patient has pneumonia and acute kidney injury. ",
    "ASSESSMENT: CHF exacerbation, type 2 diabetes, COPD.\n",
    "FINDINGS: small left pleural effusion, no pneumothorax. ",
    "Denies chest pain, nausea and vomiting. ",
    "Mother with breast cancer. ",
    "Family history: stroke.\r\n",
    *ENGLISH,
]
ANY_TEXT = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=40).map("".join),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=12)), max_size=12).map("".join),
)
quietly = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quietly
@given(text=ANY_TEXT, kind=st.sampled_from(["", "radiology", "progress", "other"]))
async def test_every_text_gets_an_answer_whose_spans_hold_whole_words(text: str, kind: str, coder: Coder) -> None:
    answer = await coded(coder, text, kind=kind)
    words = words_of(text)
    starts, ends = set(words.starts), set(words.ends)
    for span in spans_of(answer):
        assert span.start in starts
        assert span.end in ends
        assert span.start < span.end
    if not answer.abstained:
        assert "".join(text[section.span.start : section.span.end] for section in answer.sections) == text


def spans_of(answer: NoteCoded) -> Iterator[Span]:
    for code in answer.codes:
        yield from code.spans
    for entity in answer.entities:
        yield entity.span
    for finding in answer.findings:
        yield from finding.spans
        yield from (mention.span for mention in finding.mentions)


@quietly
@given(text=ANY_TEXT)
async def test_the_spans_of_a_code_hold_its_rationale(text: str, coder: Coder) -> None:
    answer = await coded(coder, text)
    for code in answer.codes:
        said = [" ".join(words_of(text[span.start : span.end]).norms) for span in code.spans]
        terms = code.rationale.partition(";")[0].split(", ")
        assert said
        assert all(any(f" {term} " in f" {words} " for words in said) for term in terms), (terms, said)
        assert all(any(f" {term} " in f" {words} " for term in terms) for words in said), (terms, said)


@quietly
@given(text=ANY_TEXT)
async def test_scores_are_probabilities_in_order_a_code_each(text: str, coder: Coder) -> None:
    answer = await coded(coder, text)
    scores = [code.score for code in answer.codes]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert len({code.code for code in answer.codes}) == len(answer.codes) <= 100


@quietly
@given(text=ANY_TEXT, ends=st.tuples(st.integers(-5, 400), st.integers(-5, 400)))
async def test_any_span_asked_for_is_answered_with_whole_words_that_decided(
    text: str, ends: tuple[int, int], coder: Coder
) -> None:
    asked = [Span(start=max(0, ends[0]), end=max(0, ends[1])), Span(start=0, end=len(text))]
    answer = await code_note(note_received(text), coder, asked)
    assert len(answer.span_assertions) == len(asked)
    words = words_of(text)
    for one in answer.span_assertions:
        if one.HasField("trigger"):
            assert one.trigger.start in words.starts
            assert one.trigger.end in words.ends


@quietly
@given(text=ANY_TEXT)
async def test_the_command_line_shows_of_every_answer_the_words_it_spans(text: str, coder: Coder) -> None:
    line = as_json(await coded(coder, text))
    details = [detail for one in line["findings"] for said in one.get("mentions", ()) for detail in said["details"]]
    assert all(text[one["start"] : one["end"]] == one["text"] for one in [*line["entities"], *details])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=40))
async def test_what_stands_before_a_sentence_moves_its_spans_and_nothing_else(before: str, coder: Coder) -> None:
    text = f"{before}\n\nPatient has pneumonia."
    answer = await coded(coder, text)
    if not answer.abstained:
        last = answer.entities[-1]
        assert text[last.span.start : last.span.end] == "pneumonia"
