"""What only the model proposes goes into the answer by a compiled loop, just as it would by rules and objects."""

from dataclasses import replace
from itertools import accumulate

import numpy as np
import pytest
from vigil.v1.meta_pb2 import ModelVersion
from vigil.v1.notes_pb2 import NoteCode, NoteCoded

from services.nlp_coder import messages
from services.nlp_coder.coding import LONGEST_RANKING, Basis, RankedCode, ranked_codes
from services.nlp_coder.features import Occurrences
from services.nlp_coder.guesses import NO_GUESSES, Guesses, set_apart
from services.nlp_coder.handlers import Coder
from services.nlp_coder.models import LEAST_CONTRIBUTION, Prediction, Proposed
from services.nlp_coder.ranking import candidates_of
from services.nlp_coder.reading import read_note

NOTES = [
    "No fever. Acute pancreatitis, gout and a fractured left hip; father had colon cancer.\nHistory of stroke.",
    "Caf\u00e9-au-lait spots, T 39 \u00b0C, \u2019s-Gravenhage na\u00efve \u0149 \ufdfa "
    + "x" * 300
    + " chest pain chest pain",
    "ASSESSMENT: Pneumonia. Diabetes nurse. Former smoker.",
    "pain",
]


def proposed(note: str, seed: int, coder: Coder) -> tuple[Basis, Prediction]:
    """An answer of any numbers for a note."""
    random = np.random.default_rng(seed)
    read = read_note(note, coder.reader)
    words = len(read.document.words)
    firsts = random.integers(0, words, 40)
    lasts = np.minimum(firsts + random.integers(1, 4, 40), words)
    occurrences = Occurrences(np.arange(40), np.ones(40, dtype=np.float32), np.stack([firsts, lasts], axis=1))
    codes = coder.icd_coder.vocabulary.codes
    answer = Proposed(
        random.choice(len(codes), 100, replace=False),
        random.choice(np.array([0.0, 0.001, 0.01, 0.2, 0.9], dtype=np.float32), 100),
        random.random(100, dtype=np.float32),
        random.integers(0, 40, (100, 3)),
        -np.sort(-random.choice(np.array([0, LEAST_CONTRIBUTION, 0.1], dtype=np.float32), (100, 3)), axis=1),
    )
    found = candidates_of(read, coder.ranker.hits)
    basis = Basis(read, found, occurrences, None)
    return basis, Prediction({}, ModelVersion(), answer)


@pytest.mark.parametrize("note", NOTES)
@pytest.mark.parametrize("seed", range(5))
def test_a_guess_is_written_as_any_other_code(note: str, seed: int, coder: Coder) -> None:
    basis, prediction = proposed(note, seed, coder)

    def answered(whole: Prediction, guesses: Guesses) -> NoteCoded:
        answer = NoteCoded()
        codes = ranked_codes(replace(basis, prediction=whole), coder.ranker, coder.reader)
        messages.add_codes(answer, codes, guesses)
        return answer

    whole, guesses = set_apart(prediction, basis.note, basis.occurrences, coder.ranker.threshold, coder.guesses)
    assert len(guesses.columns) > len(coder.guesses.codes) / 100
    assert answered(whole, guesses) == answered(prediction.whole(coder.guesses.codes), NO_GUESSES)


def test_a_position_beyond_the_words_of_a_note_is_no_word(coder: Coder) -> None:
    basis, prediction = proposed(NOTES[0], 1, coder)
    answer = prediction.proposed
    assert answer is not None
    broken = replace(prediction, proposed=replace(answer, positions=answer.positions + 1000))
    assert set_apart(broken, basis.note, basis.occurrences, 2.0, coder.guesses)[1] == NO_GUESSES


def test_the_best_hundred_of_codes_and_guesses_are_answered(coder: Coder) -> None:
    scores = [0.5 - at / 1000 for at in range(60)]
    codes = [RankedCode(f"A{score}", "", score, False, [(0, 1)], ["x"], "model", None, True) for score in scores]
    each = [NoteCoded(codes=[NoteCode(code=f"B{score}")]).SerializeToString() for score in scores]
    begins = [0, *accumulate(map(len, each))]
    names = [f"B{score}" for score in scores]
    guesses = Guesses(range(60), scores, b"".join(each), begins, names, {name: at for at, name in enumerate(names)})
    answer = NoteCoded()
    messages.add_codes(answer, codes, guesses)
    assert [code.code for code in answer.codes] == [f"{letter}{score}" for score in scores[:50] for letter in "AB"]
    assert len(answer.codes) == LONGEST_RANKING


def test_a_guess_that_the_guidelines_add_is_answered_once(coder: Coder) -> None:
    basis, prediction = proposed(NOTES[0], 0, coder)
    _whole, guesses = set_apart(prediction, basis.note, basis.occurrences, coder.ranker.threshold, coder.guesses)
    codes = [guesses.code(row) for row in range(len(guesses.columns))]
    twice = RankedCode(codes[3], "", 0.5, True, [(0, 1)], ["x"], "guideline", None, True)
    answer = NoteCoded()
    messages.add_codes(answer, [twice], guesses)
    assert [code.code for code in answer.codes] == [twice.code, *codes[:3], *codes[4:]]
