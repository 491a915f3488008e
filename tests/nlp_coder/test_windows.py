"""A note longer than the model's window is read in several; nothing of it is dropped."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vigil.v1.meta_pb2 import ModelVersion

from services.nlp_coder import features, messages
from services.nlp_coder.batching import Row
from services.nlp_coder.features import (
    MAX_OCCURRENCES,
    OVERLAP,
    ModelInput,
    Occurrences,
    TermAt,
    Vocabulary,
    model_inputs,
    terms_of,
    windows_in,
    windows_of,
)
from services.nlp_coder.handlers import Coder
from services.nlp_coder.models import joined, merged
from services.nlp_coder.ranking import EVIDENCE, NO_CANDIDATES, ONE_WINDOW_WORDS, Candidates
from services.nlp_coder.reading import read_note
from tests.nlp_coder.fakes import coded

VOCABULARY = Vocabulary(
    {"a": 1, "b": 2}, np.array([0.0, 1.0, 2.0]), ["A00", "B00"], {"A00": 0, "B00": 1}, {"A00": 0}, 1.0, ""
)
QUIET = "She walks to the window and back without help. "
END = "Impression: acute appendicitis with peritonitis."


def terms(count: int) -> list[TermAt]:
    return [("a" if place % 3 else "b", place, place + 1) for place in range(count)]


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 3 * MAX_OCCURRENCES))
def test_windows_overlap_and_together_hold_every_term_in_its_order(count: int) -> None:
    windows = windows_of(terms(count), VOCABULARY)
    assert all(len(window.words) <= MAX_OCCURRENCES for window in windows)
    assert all(len(window.token_ids) == len(window.weights) == len(window.words) for window in windows)
    held = [window.words[0 if number == 0 else OVERLAP :] for number, window in enumerate(windows)]
    assert [tuple(words) for part in held for words in part.tolist()] == [
        (first, last) for _term, first, last in terms(count)
    ]
    assert all((a.words[-OVERLAP:] == b.words[:OVERLAP]).all() for a, b in pairwise(windows))


def test_a_note_of_one_window_keeps_the_order_that_the_model_was_trained_with() -> None:
    [window] = windows_of([("b", 7, 8), ("unknown", 1, 2), ("a", 0, 1)], VOCABULARY)
    assert window.token_ids.tolist() == [2, 1]
    assert window.words.tolist() == [[7, 8], [0, 1]]


def test_a_note_without_a_known_term_has_no_window() -> None:
    assert windows_of([("unknown", 0, 1)], VOCABULARY) == []


def test_each_window_weighs_as_a_note_of_its_own() -> None:
    first, *_rest = windows_of(terms(3 * MAX_OCCURRENCES), VOCABULARY)
    shares = {index: first.weights[first.token_ids == index].sum() for index in (1, 2)}
    assert np.hypot(shares[1], shares[2]) == pytest.approx(1.0, rel=1e-3)


def test_each_candidate_is_asked_about_where_it_is_mentioned() -> None:
    windows = windows_of(terms(3 * MAX_OCCURRENCES), VOCABULARY)
    shift = MAX_OCCURRENCES - OVERLAP
    places = [[5], [shift + 5], [0, 3 * MAX_OCCURRENCES + 9], [shift - 1, shift + OVERLAP]]
    found = Candidates(["A00", "B00", "C00", "D00"], np.zeros((4, len(EVIDENCE)), dtype=np.float32), places)
    asked = [one.chosen.tolist() for one in model_inputs(windows, found, VOCABULARY) if one.chosen is not None]
    assert asked == [[0, 1, 2, 3], [1, 3], [], [2]]
    assert all(len(one.evidence) == len(one.codes) for one in model_inputs(windows, found, VOCABULARY))


def row(*probabilities: float, positions: list[list[int]]) -> Row:
    """Two proposed codes, and one candidate before them that has no words of its own."""
    outputs = {
        "probability": np.array([0.3, *probabilities], dtype=np.float32),
        "support": np.array([0.0, *probabilities], dtype=np.float32),
        "top_codes": np.array([0, 1]),
        "positions": np.array([[0] * len(positions[0]), *positions]),
        "contributions": np.array([[0.0], [0.1], [0.1]], dtype=np.float32) * np.ones((1, len(positions[0]))),
    }
    return Row(outputs, ModelVersion(name="icd_coder"))


def window(words: list[tuple[int, int]]) -> ModelInput:
    ids, weights = np.arange(1, len(words) + 1), np.ones(len(words), dtype=np.float32)
    found = Candidates(["X00"], np.zeros((1, len(EVIDENCE)), dtype=np.float32))
    [made] = model_inputs([Occurrences(ids, weights, np.array(words))], found, VOCABULARY)
    return made


def test_of_each_code_the_surest_window_stands_with_its_words() -> None:
    windows = [window([(0, 1), (1, 2)]), window([(1, 2), (2, 3)])]
    rows = [row(0.9, 0.1, positions=[[1], [0]]), row(0.2, 0.6, positions=[[0], [1]])]
    scored = merged(["X00"], windows, rows, VOCABULARY.codes).scored
    assert {code: one.probability for code, one in scored.items()} == pytest.approx(
        {"X00": 0.3, "A00": 0.9, "B00": 0.6}
    )
    words = joined([window.occurrences for window in windows]).words
    assert [words[position].tolist() for position in scored["A00"].positions] == [[1, 2]]
    assert [words[position].tolist() for position in scored["B00"].positions] == [[2, 3]]
    assert scored["X00"].positions == []


WORDS = np.array([(0, 1), (1, 2), (5, 6)])


def test_a_term_that_comes_twice_is_asked_once_with_the_weight_of_both() -> None:
    twice = Occurrences(np.array([2, 1, 2]), np.array([0.2, 0.1, 0.3], dtype=np.float32), WORDS)
    [asked] = model_inputs([twice], NO_CANDIDATES, VOCABULARY)
    assert asked.occurrences.token_ids.tolist() == [1, 2]
    assert asked.occurrences.weights.tolist() == pytest.approx([0.1, 0.5])
    assert asked.occurrences.words.tolist() == [[1, 2], [0, 1]]


async def test_what_only_the_model_finds_at_the_end_of_a_long_note_is_found(
    coder: Coder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "MAX_OCCURRENCES", 128)
    monkeypatch.setattr(features, "OVERLAP", 32)
    text = QUIET * 60 + END
    answer = await coded(coder, text)
    assert not answer.truncated
    at_the_end = [
        code for code in answer.codes if code.origin == "model" and code.spans[-1].start >= text.index("Impression")
    ]
    assert at_the_end
    for code in answer.codes:
        assert all(text[span.start : span.end].strip() == text[span.start : span.end] != "" for span in code.spans)


async def test_a_long_note_is_read_to_its_end(coder: Coder) -> None:
    answer = await coded(coder, QUIET * 1500 + END)
    assert not answer.truncated
    assert any(code.code[:3] == "K35" for code in answer.codes)


async def test_only_what_is_longer_than_the_limit_is_truncated(coder: Coder) -> None:
    text = QUIET * 3 + END
    brief = replace(coder, max_note_chars=len(text) - len(END))
    assert not (await coded(replace(coder, max_note_chars=len(text)), text)).truncated
    answer = await coded(brief, text)
    assert answer.truncated
    assert answer.text == text
    assert not any(code.code[:3] == "K35" for code in answer.codes)


@pytest.mark.parametrize("limit", ["MOST_SECTIONS", "MOST_ENTITIES", "MOST_SPANS"])
async def test_an_answer_that_leaves_something_out_says_so(
    limit: str, coder: Coder, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "PMH: pneumonia, gout.\n\nAssessment: pneumonia. Plan: pneumonia."
    assert not (await coded(coder, text)).truncated
    monkeypatch.setattr(messages, limit, 1)
    answer = await coded(coder, text)
    assert answer.truncated
    assert min(len(answer.sections), len(answer.entities), *(len(code.spans) for code in answer.codes)) == 1


def test_a_note_without_places_of_its_candidates_is_one_window() -> None:
    assert 3 * ONE_WINDOW_WORDS <= MAX_OCCURRENCES


def test_the_service_sees_the_terms_of_a_note_that_training_sees(coder: Coder) -> None:
    note = read_note("Denies chest pain. 78 year old man, shortness of breath; acute renal failure.", coder.reader)
    vocabulary = coder.icd_coder.vocabulary
    [seen] = windows_in(note.document, note.mentions, vocabulary)
    [trained] = windows_of(terms_of(note.document, note.mentions), vocabulary)
    assert sorted(zip(seen.token_ids.tolist(), seen.words.tolist(), strict=True)) == sorted(
        zip(trained.token_ids.tolist(), trained.words.tolist(), strict=True)
    )
    assert seen.weights.sum() == pytest.approx(trained.weights.sum())
