"""Model input of `note_entities`, windows of long notes, and what is made of its states."""

import asyncio
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.settings import REPOSITORY
from services.common.triton import ModelUnavailable
from services.nlp_coder import entity_features, forms
from services.nlp_coder.batching import Turns
from services.nlp_coder.document import load_grammar, read
from services.nlp_coder.entity_features import (
    COLUMNS,
    DRUGS,
    MAX_WORDS,
    NAMES,
    OVERLAP,
    PLACES,
    EntityInput,
    EntityVocabulary,
    encoded,
    joined,
    key_of,
    windows_of,
)
from services.nlp_coder.entity_kernels import best_spans, names_table
from services.nlp_coder.entity_model import KINDS, NoteEntities, load_note_entities
from services.nlp_coder.entity_spans import BEGIN, END, INSIDE, SINGLE, edges
from services.nlp_coder.handlers import Coder
from services.nlp_coder.outage import Outage
from tests.nlp_coder.fakes import LocalInference, coded, entity_reader, session_of

FOLDER = REPOSITORY / "triton_models" / "note_entities"
NOTES = [
    "MEDICATIONS: Lasix 40 mg b.i.d., aspirin. He has chest pain and a fever.",
    "Naloxone reverses the antihypertensive effect of clonidine in hypertensive rats.",
    "CT of the head showed a small infarct in the left frontal lobe. Hemoglobin 9.2 g/dL. " * 9,
    "",
    "fever",
]


def path_of(spans: list[list[int]], count: int) -> list[int]:
    """States that say what spans say."""
    states = [0] * count
    for first, last, label in spans:
        base = 1 + 4 * label
        states[first:last] = [base + INSIDE] * (last - first)
        states[first], states[last - 1] = base + BEGIN, base + END
        if last - first == 1:
            states[first] = base + SINGLE
    return states


@given(st.lists(st.lists(st.integers(0, 255), min_size=9, max_size=9), max_size=60))
@settings(deadline=None)  # the first call compiles
def test_any_scores_give_spans_in_order_that_do_not_overlap(rows: list[list[int]]) -> None:
    spans = best_spans(np.array(rows, dtype=np.uint8).reshape(-1, 9), 0, 2).tolist()
    assert all(0 <= first < last <= len(rows) and label in (0, 1) for first, last, label in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@given(st.lists(st.lists(st.integers(0, 6), min_size=9, max_size=9), min_size=1, max_size=4))
@settings(deadline=None)
def test_no_sequence_that_follows_the_rules_has_more_score(rows: list[list[int]]) -> None:
    scores = np.array(rows, dtype=np.uint8)
    found = path_of(best_spans(scores, 0, 2).tolist(), len(rows))
    assert is_legal(found)
    legal = (path for path in product(range(9), repeat=len(rows)) if is_legal(list(path)))
    best = max(sum(int(scores[word, state]) for word, state in enumerate(path)) for path in legal)
    assert sum(int(scores[word, state]) for word, state in enumerate(found)) == best


def is_legal(states: list[int]) -> bool:
    inside = -1
    for state in [*states, 0]:
        label, kind = divmod(state - 1, 4)
        goes_on = state > 0 and kind in (INSIDE, END)
        if (inside >= 0) != goes_on or (goes_on and label != inside):
            return False
        inside = label if state and kind in (BEGIN, INSIDE) else -1
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
    places = np.arange(count, dtype=np.int32)[:, None]
    whole = EntityInput(places.repeat(COLUMNS, 1), places.repeat(PLACES, 1))
    windows = windows_of(whole)
    assert all(0 < len(window.ids) <= MAX_WORDS for window in windows)
    assert all((window.same >= 0).all() and (window.same < len(window.ids)).all() for window in windows)
    assert (joined([window.ids for window in windows], count) == whole.ids).all()
    assert len(windows) == 1 or len(windows[-1].ids) > OVERLAP


def test_each_word_knows_where_else_it_stands() -> None:
    words = input_of("Fever, chills. FEVER again; chills. Fever.", vocabulary_of())
    assert words.same[:, 0].tolist() == [0, 1, 0, 3, 1, 0]
    assert words.same[:, 1].tolist() == [0, 1, 0, 3, 1, 2]
    assert words.same[:, 2].tolist() == [2, 4, 5, 3, 4, 5]


def vocabulary_of(*names: str) -> EntityVocabulary:
    """A vocabulary with a word, and names of one class."""
    words = [name.split() for name in names]
    keys = np.array([key_of(word) for name in words for word in name], dtype=np.int64)
    bounds = np.cumsum([0, *map(len, words)])
    table = names_table(keys, bounds, np.full(len(names), 2), 16)
    return EntityVocabulary({"fever": 1}, table, "")


def input_of(text: str, vocabulary: EntityVocabulary) -> EntityInput:
    return encoded(read(text, load_grammar()), [], [], vocabulary)


def states_in_names(text: str, vocabulary: EntityVocabulary) -> list[int]:
    """Of each word 0 outside of names, else 1 to 4 by its place in one of the second class."""
    marks = input_of(text, vocabulary).ids[:, 3] - vocabulary.offsets[4]
    assert (marks < NAMES).all()
    return [mark - 4 if mark else 0 for mark in marks.tolist()]


def test_the_longest_names_are_marked_by_their_normalised_words() -> None:
    vocabulary = vocabulary_of("renal", "renal cell tumor", "gout")
    assert states_in_names("Renal cell tumours, renal failure. Gout", vocabulary) == [1, 2, 3, 4, 0, 4]
    assert states_in_names("nothing", vocabulary_of()) == [0]


def test_a_mention_and_a_drug_add_to_the_mark_of_their_words() -> None:
    vocabulary = vocabulary_of("aspirin")
    words = encoded(read("takes aspirin now", load_grammar()), [], [(1, 2)], vocabulary)
    marks = words.ids[:, 3] - vocabulary.offsets[4]
    assert marks.tolist() == [0, 4 * NAMES + 4 + 4, 0]
    assert vocabulary.offsets[5] - vocabulary.offsets[4] == 9 * DRUGS * NAMES


def test_words_are_begun_to_be_remembered_anew_when_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entity_features, "_MOST_OTHERS", 8)
    vocabulary = vocabulary_of("fever")
    texts = ["Fever and chills at night", "no fever, no chills, no cough", "one two three four five six, six, ten"]
    for text in [*texts, *(f"{text} \u2019" for text in texts), *texts]:
        # Those that are numbered for all tables are begun anew as well.
        monkeypatch.setattr(forms, "_forms", forms._no_forms(forms._forms.begun + 1))
        for _once_new_and_once_known in range(2):
            found, fresh = input_of(text, vocabulary), input_of(text, vocabulary_of("fever"))
            assert (found.ids == fresh.ids).all()
            assert (found.same == fresh.same).all()


@given(st.lists(st.text(max_size=90), max_size=3))
@settings(max_examples=40, deadline=None)
def test_any_text_has_the_same_input_again_and_after_others(texts: list[str]) -> None:
    shared = vocabulary_of("fever", "renal cell")
    for text in [*texts, "Fever \u00e9t\u00e9 " + "x" * 90, *texts]:
        document = read(text, load_grammar())
        found, fresh = (
            encoded(document, [], [], shared),
            encoded(document, [], [], vocabulary_of("fever", "renal cell")),
        )
        assert (found.ids == fresh.ids).all()
        assert (found.same == fresh.same).all()
        assert (found.ids >= 0).all()
        assert (found.ids < shared.offsets[-1]).all()


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
    assert outputs == {"scores": entities.groups[-1].last, "kinds": len(KINDS)}
    config = (FOLDER / "config.pbtxt").read_text(encoding="utf-8")
    assert f"dims: [ -1, {entities.groups[-1].last} ]" in config
    assert entities.vocabulary.model_sha256 in config
    assert (FOLDER / "1" / "model.onnx").stat().st_size < 30_000_000
