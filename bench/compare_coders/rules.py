"""The rule-based family: the service's dictionary and assertion, with nothing learned."""

from __future__ import annotations

from collections.abc import Sequence

from bench.compare_coders.families import Family, Predict, best_first
from bench.compare_coders.metrics import Ranking
from bench.compare_coders.notes import Note
from services.nlp_coder.evidence import CodeEvidence, is_current
from services.nlp_coder.reading import Reader, load_reader, read_note

# How firmly a mention says that the patient has it now; the step between two levels outweighs all that orders within.
PLAIN, DOUBTFUL, PAST = 0.75, 0.5, 0.25
MOST_MENTIONS = 5


def fit(_notes: Sequence[Note], _setting: None) -> Predict:
    """Load the dictionary; the training notes are not looked at."""
    reader = load_reader()

    def predict(others: Sequence[Note]) -> list[Ranking]:
        return [ranking_of(note.text, reader) for note in others]

    return predict


def ranking_of(text: str, reader: Reader) -> Ranking:
    """Codes that the text says the patient has, may have or had, the firmest first."""
    note = read_note(text, reader)
    evidence = {code: entry for code, entry in note.evidence.items() if entry.patients}
    words = max(len(note.document.words), 1)
    return best_first(list(evidence), [_score(code, entry, words, reader) for code, entry in evidence.items()])


def _score(code: str, entry: CodeEvidence, words: int, reader: Reader) -> float:
    """Level, then number of mentions, then place in the note; 0 to 1."""
    current = [read for read in entry.patients if is_current(read.reading, code, reader.chronic)]
    is_plain = any(read.reading.status == "present" for read in current)
    level = PLAIN if is_plain else DOUBTFUL if current else PAST
    often = min(len(entry.patients), MOST_MENTIONS) / MOST_MENTIONS
    early = 1 - min(read.mention.first for read in entry.patients) / words
    return level + 0.2 * often + 0.04 * early


FAMILY = Family("rules", fit, (None,))
