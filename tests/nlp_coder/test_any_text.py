from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.nlp_coder.handlers import Coder
from tests.nlp_coder.fakes import coded

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
ANY_TEXT = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=40).map("".join),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=ANY_TEXT)
async def test_every_text_gets_an_answer_whose_spans_lie_on_words(text: str, coder: Coder) -> None:
    answer = await coded(coder, text)
    spans = [span for code in answer.codes for span in code.spans]
    spans += [entity.span for entity in answer.entities]
    spans += [span for finding in answer.findings for span in finding.spans]
    for span in spans:
        piece = text[span.start : span.end]
        assert piece
        assert piece == piece.strip()
    if not answer.abstained:
        assert "".join(text[section.span.start : section.span.end] for section in answer.sections) == text


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=40))
async def test_what_stands_before_a_sentence_moves_its_spans_and_nothing_else(before: str, coder: Coder) -> None:
    text = f"{before}\n\nPatient has pneumonia."
    answer = await coded(coder, text)
    if not answer.abstained:
        last = answer.entities[-1]
        assert text[last.span.start : last.span.end] == "pneumonia"
