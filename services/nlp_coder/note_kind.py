"""Which kind of note a text is, for senders that do not say: by its title, its headers and what it says of itself."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from services.nlp_coder.data_files import rows
from services.nlp_coder.document import Document
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
    found: dict[str, KindCue] = {**dict(_in_headers(document, cues)), **dict(_in_text(document, cues))}
    totals: dict[str, float] = defaultdict(float)
    for cue in found.values():
        totals[cue.kind] += cue.weight
    ranked = sorted(totals.items(), key=lambda entry: (-entry[1], entry[0]))
    if not ranked or ranked[0][1] < _ENOUGH:
        return ""
    return ranked[0][0] if len(ranked) == 1 or ranked[0][1] - ranked[1][1] >= _LEAD else ""


def _in_title(document: Document, cues: Cues) -> Iterator[KindCue]:
    lines = [line for line in _LINE.split(document.text[: _TITLE_LINES * _TITLE_CHARS]) if line.strip()]
    for line in lines[:_TITLE_LINES]:
        norms = words_of(line[:_TITLE_CHARS]).norms
        if len(norms) <= _TITLE_WORDS:
            yield from (cue for _phrase, cue in _matches(norms, cues["title"]))


def _in_headers(document: Document, cues: Cues) -> Iterator[tuple[str, KindCue]]:
    for section in document.sections:
        norms = words_of(document.text[section.start : section.body]).norms
        for phrase, cue in _matches(norms, cues["header"]):
            # The whole header, give or take a word: "Procedure performed today:".
            if len(norms) <= len(phrase.split()) + 1:
                yield phrase, cue


def _in_text(document: Document, cues: Cues) -> Iterator[tuple[str, KindCue]]:
    table, norms = cues["text"], document.words.norms[:_MOST_WORDS]
    for start in table.beginnings(document.numbered):
        found = table.longest_from(norms, start, len(norms)) if start < len(norms) else None
        if found is not None:
            yield found[1]


def _matches(norms: list[str], table: PhraseTable[tuple[str, KindCue]]) -> Iterator[tuple[str, KindCue]]:
    for start in range(len(norms)):
        found = table.longest_from(norms, start, len(norms))
        if found is not None:
            yield found[1]
