"""Which kind of note a text is, for senders that do not say: by its title, its headers and what it says of itself."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice

from services.nlp_coder import kernels
from services.nlp_coder.data_files import rows
from services.nlp_coder.document import Document
from services.nlp_coder.numbered import numbered
from services.nlp_coder.phrases import PhraseTable, phrase_table
from services.nlp_coder.tokens import words_of

UNKNOWN = ("", "other")  # how senders say that they do not know; note-ingest sends the latter
RADIOLOGY = "radiology"
# A title is one of the first lines and short. Local, like the weights of the table.
_TITLE_LINES, _TITLE_WORDS, _TITLE_CHARS = 4, 8, 100
_DECIDED = 3.0
# Evidence from which a note is of the kind, and by how much it leads.
_ENOUGH, _LEAD = 2.0, 0.5
# A longer note is told by its beginning.
_MOST_WORDS = 4_000
# Some systems send a line's end as a comma.
_LINE = re.compile(r"\n|,(?=[A-Z])|:")
_WHERE = ("title", "header", "text")


@dataclass(frozen=True, slots=True)
class KindCue:
    """What a phrase says: the kind, and how strongly."""

    kind: str
    weight: float


Cues = Mapping[str, PhraseTable[tuple[str, KindCue]]]


@cache
def load_kind_cues() -> Cues:
    """The table `note_kinds.tsv`, by where the phrases stand. Raises ValueError for a slip in it."""
    cues: dict[str, list[tuple[list[str], tuple[str, KindCue]]]] = {where: [] for where in _WHERE}
    for where, phrase, kind, weight, _source in rows("note_kinds.tsv", 5):
        if where not in cues:
            raise ValueError(f"note_kinds.tsv: {where} is not one of {', '.join(_WHERE)}")
        cues[where].append((words_of(phrase).norms, (phrase, KindCue(kind, float(weight)))))
    return {where: phrase_table(listed) for where, listed in cues.items()}


def kind_of(document: Document, cues: Cues) -> str:
    """The kind of a note, as in NoteReceived; "" when nothing tells it, or several are as likely."""
    title = next((cue.kind for cue in _in_title(document, cues) if cue.weight >= _DECIDED), None)
    if title is not None:
        return title
    found: dict[str, KindCue] = {**dict(_in_headers(document)), **dict(_in_text(document, cues))}
    totals: dict[str, float] = defaultdict(float)
    for cue in found.values():
        totals[cue.kind] += cue.weight
    ranked = sorted(totals.items(), key=lambda entry: (-entry[1], entry[0]))
    if not ranked or ranked[0][1] < _ENOUGH:
        return ""
    return ranked[0][0] if len(ranked) == 1 or ranked[0][1] - ranked[1][1] >= _LEAD else ""


def _in_title(document: Document, cues: Cues) -> Iterator[KindCue]:
    table, starts, numbers = cues["title"], document.words.starts, document.columns.numbers
    if not kernels.any_phrase_from_each(*table.trie, numbers, _TITLE_LINES * _TITLE_CHARS):
        return
    for begin, end in islice(_lines(document.text[: _TITLE_LINES * _TITLE_CHARS]), _TITLE_LINES):
        first, last = bisect_left(starts, begin), bisect_left(starts, min(end, begin + _TITLE_CHARS))
        if last - first <= _TITLE_WORDS:
            for phrase in kernels.phrases_from_each(*table.trie, numbers[first:last], _TITLE_WORDS).tolist():
                yield table.values[phrase][1]


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Characters of each line that is not blank."""
    begin = 0
    for end, following in (*(match.span() for match in _LINE.finditer(text)), (len(text), len(text))):
        if text[begin:end].strip():
            yield begin, end
        begin = following


def _in_headers(document: Document) -> Iterator[tuple[str, KindCue]]:
    for section in document.sections:
        if section.body > section.start:
            yield from _in_header(document.text[section.start : section.body])


@lru_cache(maxsize=1024)
def _in_header(header: str) -> Sequence[tuple[str, KindCue]]:
    """Notes share most of their headers."""
    norms = words_of(header).norms
    # The whole header, give or take a word: "Procedure performed today:".
    found = _matches(norms, load_kind_cues()["header"])
    return [(phrase, cue) for phrase, cue in found if len(norms) <= len(phrase.split()) + 1]


def _in_text(document: Document, cues: Cues) -> Iterator[tuple[str, KindCue]]:
    table = cues["text"]
    for phrase in kernels.phrases_from_each(*table.trie, document.columns.numbers, _MOST_WORDS).tolist():
        yield table.values[phrase]


def _matches(norms: list[str], table: PhraseTable[tuple[str, KindCue]]) -> Iterator[tuple[str, KindCue]]:
    for phrase in kernels.phrases_from_each(*table.trie, numbered(norms), len(norms)).tolist():
        yield table.values[phrase]
