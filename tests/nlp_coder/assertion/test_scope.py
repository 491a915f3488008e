"""What holds of every sentence: where a scope ends, and where words are."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.assertion import Example, examples
from services.nlp_coder.assertion import Reading
from services.nlp_coder.document import Grammar, load_grammar, read, word_range
from services.nlp_coder.tokens import words_of
from tests.nlp_coder.assertion.test_challenge import FLOORS, HERE

GRAMMAR = load_grammar()
SYMPTOMS = st.sampled_from(["fever", "chest pain", "dyspnea", "rash", "haematuria", "syncope", "nausea", "stroke"])
NEGATIONS = ["No ", "Denies ", "Negative for ", "Without "]
OPENINGS = st.sampled_from([*NEGATIONS, "Possible ", "Patient has ", "History of ", "Mother with ", "Return for "])
ENDS = st.sampled_from([". ", ".\n", "!  ", "; ", "\n\n"])
AFTERWARDS = st.lists(st.one_of(OPENINGS, SYMPTOMS), max_size=5).map(" ".join)
PIECES = st.sampled_from(
    [
        "no",
        "denies",
        "but",
        ",",
        ".",
        "fever",
        "-rash",
        "+",
        "(-)",
        "?",
        ":",
        "or",
        "\n",
        "e\u0301d\u00e8me",
        "ru\u0308led out",
    ]
)
ANY_TEXT = st.one_of(st.text(max_size=120), st.lists(PIECES, max_size=25).map(" ".join))


MODIFIER = (
    r"(?:a|an|the|his|her|some|any|no|mild|moderate|severe|small|large|new|old|left|right|bilateral|acute|chronic|active"
    r"|significant|recurrent|further|possible|probable|likely|suspected|presumed|questionable|known|focal|worsening"
    r"|persistent|recent|obvious|definite)\s"
)
MODIFIERS_BEFORE = re.compile(rf"(?<!\S){MODIFIER}+$", re.IGNORECASE)
MODIFIERS = re.compile(rf"{MODIFIER}+", re.IGNORECASE)


def reading_of(text: str, start: int, end: int, grammar: Grammar = GRAMMAR) -> Reading:
    return read(text, grammar).reading_of_span(start, end)


@settings(max_examples=40, deadline=None)
@given(
    opening=OPENINGS,
    symptom=SYMPTOMS,
    end=ENDS,
    after=st.lists(st.one_of(OPENINGS, SYMPTOMS), max_size=5).map(" ".join),
)
def test_what_follows_the_end_of_a_sentence_never_changes_its_reading(
    opening: str, symptom: str, end: str, after: str
) -> None:
    text = f"{opening}{symptom}{end}"
    span = (len(opening), len(opening) + len(symptom))
    assert reading_of(f"{text}Then {after}", *span) == reading_of(text, *span)


@settings(max_examples=40, deadline=None)
@given(
    opening=st.sampled_from(["No ", "Denies ", "Negative for ", "Possible ", "Return for ", "Mother with "]),
    items=st.lists(SYMPTOMS, min_size=1, max_size=4, unique=True),
    more=SYMPTOMS,
)
def test_one_more_item_of_a_list_leaves_the_earlier_ones_as_they_were(
    opening: str, items: list[str], more: str
) -> None:
    shorter, longer = (f"{opening}{', '.join(listed)}." for listed in (items, [*items, more]))
    position = len(opening)
    for item in items:
        span = (position, position + len(item))
        before, after = reading_of(shorter, *span), reading_of(longer, *span)
        assert (before.status, before.experiencer) == (after.status, after.experiencer)
        position += len(item) + 2


@settings(max_examples=40, deadline=None)
@given(opening=st.sampled_from(NEGATIONS), denied=SYMPTOMS, had=SYMPTOMS)
@pytest.mark.parametrize("but", ["but has", "except", "however has", "although there is", "; has"])
def test_a_conjunction_ends_a_negation(opening: str, denied: str, had: str, but: str) -> None:
    text = f"{opening}{denied} {but} {had}"
    assert reading_of(text, len(opening), len(opening) + len(denied)).status == "absent"
    assert reading_of(text, len(text) - len(had), len(text)).status == "present"


@settings(max_examples=80, deadline=None)
@given(text=ANY_TEXT)
def test_any_text_is_read_and_every_trigger_lies_on_words(text: str) -> None:
    document = read(text, GRAMMAR)
    for first in range(len(document.words)):
        reading = document.reading(first, first + 1)
        if reading.trigger is not None:
            start, end = document.span(*reading.trigger)
            assert 0 <= start < end <= len(text)
            assert text[start:end] == text[start:end].strip()


@settings(max_examples=80, deadline=None)
@given(text=ANY_TEXT)
def test_normalising_moves_no_offset(text: str) -> None:
    words = words_of(text)
    assert words.starts == sorted(words.starts)
    for start, end, norm in zip(words.starts, words.ends, words.norms, strict=True):
        assert start < end <= len(text)
        piece = text[start:end]
        assert piece == piece.strip()
        if piece.isascii() and piece.islower() and len(piece) < 5:
            assert norm.startswith(piece[:2])


@settings(max_examples=40, deadline=None)
@given(before=st.text(max_size=30), symptom=SYMPTOMS)
def test_a_paragraph_before_moves_spans_and_nothing_else(before: str, symptom: str) -> None:
    text = f"{before}\n\nThere is no {symptom}."
    start = text.rindex(symptom)
    reading = reading_of(text, start, start + len(symptom))
    assert reading.trigger is not None
    document = read(text, GRAMMAR)
    first, last = document.span(*reading.trigger)
    assert (reading.status, text[first:last]) == ("absent", "no")
    words = word_range(document, start, start + len(symptom))
    assert words is not None
    assert document.span(*words) == (start, start + len(symptom))


def beginnings(one: Example) -> list[int]:
    """Where the concept begins with each of the modifiers before it, and without those it has."""
    before = MODIFIERS_BEFORE.search(one.text, 0, one.start)
    own = MODIFIERS.match(one.text, one.start, one.end)
    words = re.finditer(r"\S+", before[0]) if before else ()
    return [*(before.start() + word.start() for word in words if before), *([own.end()] if own else [])]


@pytest.mark.parametrize("name", FLOORS)
def test_a_concept_reads_the_same_with_and_without_its_articles_and_modifiers(name: str) -> None:
    table = examples(HERE / name)
    spans = [(one, start) for one in table for start in beginnings(one)]
    assert len(spans) > len(table) / 10
    differing = [
        one.text[start : one.end]
        for one, start in spans
        if replace(reading_of(one.text, start, one.end), trigger=None)
        != replace(reading_of(one.text, one.start, one.end), trigger=None)
    ]
    assert not differing
