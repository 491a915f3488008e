"""Notes come from outside: what they cost must grow with their length and no faster."""

import threading
from typing import Any

import pytest

from services.nlp_coder import handlers
from services.nlp_coder.document import load_grammar, read, word_range
from services.nlp_coder.handlers import Coder
from tests.nlp_coder.fakes import coded

LONG = 200_000
# Each takes minutes when it costs the square of its length, and a second or two when it does not.
HOSTILE = {
    "blanks": " ",
    "a word and blanks": "word" + " " * (LONG - 4),
    "a line of blanks": "\n" + " " * 1000,
    "full stops": "." * (LONG - 1) + "x",
    "triggers and terms": "no mi ",
    "answers": ": no\n",
    "terms": "mass ",
    "headers": "PMH:\n",
    "one giant word": "a",
    "one giant number": "1",
    "headers that do not end": ".a" + " " * 3000,
    "control characters": "".join(map(chr, range(32))),
    "NUL": "\x00",
    "emoji": "\U0001f637",
    "letters apart": "a ",
    "base64": "QUJDREVG",
    "no letters": "%$ 12.5 / ",
}


def test_what_is_beyond_reach_of_a_mention_changes_nothing() -> None:
    grammar = load_grammar()
    many, few = read("no mi " * 5000, grammar), read("no mi " * 40, grammar)
    assert many.triggers.of(0) == (0, 5000)
    assert [many.reading(word, word + 1).status for word in (5001, 9999)] == ["absent", "absent"]
    assert [few.reading(word, word + 1).status for word in (41, 79)] == ["absent", "absent"]


def test_a_trigger_far_away_still_decides_up_to_its_reach() -> None:
    grammar = load_grammar()
    near = read("no " + "mild " * 29 + "edema", grammar)
    far = read("no " + "mild " * 31 + "edema", grammar)
    assert near.reading(30, 31).status == "absent"
    assert far.reading(32, 33).status == "present"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_long_hostile_note_does_not_hang(piece: str, coder: Coder) -> None:
    text = (piece * (LONG // len(piece) + 1))[:LONG]
    handlers._read(text, "radiology", coder)


def test_a_span_of_the_whole_note_holds_all_its_words() -> None:
    document = read("one two three", load_grammar())
    assert word_range(document, 0, 13) == (0, 3)
    assert word_range(document, 4, 5) == (1, 2)
    assert word_range(document, 3, 4) is None
    assert word_range(document, 13, 0) is None


@pytest.mark.parametrize(("repeats", "in_loop"), [(10, True), (2000, False)])
async def test_a_long_note_is_worked_on_outside_the_event_loop(
    repeats: int, coder: Coder, monkeypatch: pytest.MonkeyPatch, *, in_loop: bool
) -> None:
    threads = set()

    def watched(name: str) -> None:
        original = getattr(handlers, name)

        def called(*args: Any) -> Any:
            threads.add(threading.current_thread())
            return original(*args)

        monkeypatch.setattr(handlers, name, called)

    for name in ("_read", "_fill"):
        watched(name)
    answer = await coded(coder, "Patient has pneumonia. " * repeats)
    assert answer.codes
    assert (threading.current_thread() in threads) is in_loop
