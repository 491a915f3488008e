"""Model input of `note_entities`, windows of long notes, and what is made of its states."""

import asyncio
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.settings import REPOSITORY
from services.common.triton import ModelUnavailable
from services.nlp_coder.batching import Turns
from services.nlp_coder.document import load_grammar, read
from services.nlp_coder.entity_features import COLUMNS, MAX_WORDS, OVERLAP, EntityInput, encoded, joined, windows_of
from services.nlp_coder.entity_model import KINDS, NoteEntities, load_note_entities
from services.nlp_coder.entity_spans import consistent, edges, spans_of
from services.nlp_coder.handlers import Coder
from services.nlp_coder.outage import Outage
from tests.nlp_coder.fakes import LocalInference, coded, entity_reader, session_of

FOLDER = REPOSITORY / "triton_models" / "note_entities"
LABELS = ("A", "B")
NOTES = [
    "MEDICATIONS: Lasix 40 mg b.i.d., aspirin. He has chest pain and a fever.",
    "Naloxone reverses the antihypertensive effect of clonidine in hypertensive rats.",
    "CT of the head showed a small infarct in the left frontal lobe. Hemoglobin 9.2 g/dL. " * 9,
    "",
    "fever",
]


def spans_in(states: list[int]) -> list[tuple[int, int, str]]:
    words = [word for word, state in enumerate(states) if state]
    return list(spans_of(words, [states[word] for word in words], LABELS))


@given(st.lists(st.integers(0, 8), max_size=60))
def test_any_states_give_spans_in_order_that_do_not_overlap(states: list[int]) -> None:
    spans = spans_in(states)
    assert all(0 <= first < last <= len(states) for first, last, _label in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    covered = {word for first, last, _label in spans for word in range(first, last)}
    assert covered == {word for word, state in enumerate(states) if state}


def test_states_that_follow_the_rules_say_what_they_say() -> None:
    # Begin, inside, end of A; single B; begin, end of A at once after it.
    assert spans_in([0, 1, 2, 3, 8, 1, 3, 0]) == [(1, 4, "A"), (4, 5, "B"), (5, 7, "A")]


@given(st.lists(st.lists(st.integers(-3, 3), min_size=9, max_size=9), min_size=1, max_size=4))
def test_what_is_mended_follows_the_rules_and_nothing_scores_more_between_words_outside(rows: list[list[int]]) -> None:
    scores = np.array([OUTSIDE, *rows, OUTSIDE], dtype=np.float32)
    found = consistent(scores.argmax(axis=1), scores).tolist()
    assert is_legal(found)
    labels = {(state - 1) // 4 for state in scores.argmax(axis=1).tolist() if state}
    allowed = [0, *(state for state in range(1, 9) if (state - 1) // 4 in labels)]
    if all(scores.argmax(axis=1)[1:-1]):
        paths = ([0, *path, 0] for path in product(allowed, repeat=len(rows)))
        best = max(sum(scores[word, state] for word, state in enumerate(path)) for path in paths if is_legal(path))
        assert sum(scores[word, state] for word, state in enumerate(found)) >= best


OUTSIDE = [9.0, *[-9.0] * 8]


def is_legal(states: list[int]) -> bool:
    inside = -1
    for state in [*states, 0]:
        label, kind = divmod(state - 1, 4)
        goes_on = state > 0 and kind in (1, 2)
        if (inside >= 0) != goes_on or (goes_on and label != inside):
            return False
        inside = label if state and kind in (0, 1) else -1
    return True


@pytest.mark.parametrize(
    ("text", "words", "label", "expected"),
    [
        ("Patient's aspirin's dose", (1, 2), "Chemical", "aspirin"),
        ("CT (chest) today", (0, 2), "Test", "CT (chest)"),
        ("was < 20 mg/dL then", (1, 4), "Lab_value", "< 20 mg/dL"),
        ("fell to 45 % now", (2, 3), "Lab_value", "45 %"),
        ("fell to 45 % now", (2, 3), "Dosage", "45"),
    ],
)
def test_edges(text: str, words: tuple[int, int], label: str, expected: str) -> None:
    start, end = edges(read(text, load_grammar()), *words, label)
    assert text[start:end] == expected


@given(st.integers(1, 3 * MAX_WORDS))
def test_windows_put_together_are_the_note(count: int) -> None:
    whole = EntityInput(np.arange(count, dtype=np.int32)[:, None].repeat(COLUMNS, 1), np.arange(count, dtype=np.int32))
    windows = windows_of(whole)
    assert all(0 < len(window.ids) <= MAX_WORDS for window in windows)
    assert all((window.same >= 0).all() and (window.same < len(window.ids)).all() for window in windows)
    assert (joined([window.ids for window in windows], count) == whole.ids).all()
    assert len(windows) == 1 or len(windows[-1].ids) > OVERLAP


def test_equal_words_share_their_first_place(coder: Coder) -> None:
    document = read("Fever, chills. FEVER again; chills.", load_grammar())
    assert encoded(document, [], [], entity_reader(coder).model.vocabulary).same.tolist() == [0, 1, 0, 3, 1]


def test_an_unknown_word_has_its_beginning_and_ending(coder: Coder) -> None:
    vocabulary = entity_reader(coder).model.vocabulary
    [first, second] = encoded(read("xqzzyitis fever", load_grammar()), [], [], vocabulary).ids.tolist()
    assert tuple(first[:2]) == vocabulary.affixes("xqzzyitis")
    assert second[1] == 0


async def test_a_note_has_the_same_entities_alone_and_among_others(coder: Coder) -> None:
    alone = [await coded(coder, text) for text in NOTES]
    for order in (NOTES, NOTES[::-1]):
        together = await asyncio.gather(*(coded(coder, text) for text in order))
        by_text = {answer.text: answer for answer in together}
        for answer in alone:
            assert list(by_text[answer.text].entities) == list(answer.entities)
            assert by_text[answer.text].entity_rules == answer.entity_rules


async def test_a_note_of_several_windows_is_read_to_its_end(coder: Coder) -> None:
    text = "The weather was fine that day. " * 700 + "MEDICATIONS: Lisinopril 10 mg daily."
    answer = await coded(coder, text)
    assert "Lisinopril" in [text[one.span.start : one.span.end] for one in answer.entities]


def model_of(inference: LocalInference) -> NoteEntities:
    return load_note_entities(FOLDER / "assets", inference, Outage(0), Turns())


async def test_the_probe_makes_a_real_inference() -> None:
    await model_of(LocalInference()).probe()
    with pytest.raises(ModelUnavailable):
        await model_of(LocalInference(failures=1)).probe()


async def test_another_model_on_triton_than_the_vocabulary_names_is_no_model() -> None:
    with pytest.raises(ModelUnavailable, match="another model"):
        await model_of(LocalInference(sha256="f" * 64)).probe()


def test_what_ships_fits_together() -> None:
    entities = model_of(LocalInference())
    outputs = {output.name: output.shape[-1] for output in session_of("note_entities")[0].get_outputs()}
    assert outputs == {"states": len(entities.groups), "scores": entities.groups[-1].last, "kinds": len(KINDS)}
    config = (FOLDER / "config.pbtxt").read_text(encoding="utf-8")
    assert f"dims: [ -1, {len(entities.groups)} ]" in config
    assert entities.vocabulary.model_sha256 in config
    assert (FOLDER / "1" / "model.onnx").stat().st_size < 30_000_000
