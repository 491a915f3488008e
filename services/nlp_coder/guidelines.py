"""From what a text says to what may be coded: denied, past and family mentions, status codes, Excludes1.

ICD-10-CM Official Guidelines for Coding and Reporting FY2026 (US Centers for Medicare & Medicaid Services and National
Center for Health Statistics).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from services.nlp_coder.assertion import HISTORICAL_SECTIONS, Reading
from services.nlp_coder.code_set import CATEGORY_CHARACTERS, CodeSet
from services.nlp_coder.document import Document, word_range
from services.nlp_coder.evidence import SYMPTOMS, ChronicConditions, ReadMention
from services.nlp_coder.excludes import excluded_codes
from services.nlp_coder.history_codes import code_of
from services.nlp_coder.phrases import PhraseTable
from services.nlp_coder.specificity import Reason, outdone
from services.nlp_coder.standing import Standing, StandingTables, load_standing_tables, standing_of
from services.nlp_coder.status_codes import StatusMention, StatusTerm, load_status_terms, status_mentions

# The firmest first; of what is asked in one place and denied in another, the denial holds.
_REASONS: tuple[Reason, ...] = ("past", "denied", "family", "other", "hypothetical")
# Kinds of notes whose uncertain diagnoses are not coded as if they existed (IV.H; inpatients' are, II.H).
_OUTPATIENT_KINDS = frozenset({"emergency", "clinic", "outpatient", "office", "ambulatory"})
_STATUS = "Z"
# What names leave open: a term that denies the unspecified form denies all of its kind.
_OPEN = ("unspecified", "without")


class Scored(Protocol):
    """A candidate code. `selected`: its score reaches the operating point. `spans`: the characters it rests on.

    `guessed`: only the model proposes it; no words of the note are a name of it.
    """

    @property
    def code(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def selected(self) -> bool: ...
    @property
    def guessed(self) -> bool: ...
    @property
    def spans(self) -> Sequence[tuple[int, int]]: ...


@dataclass(frozen=True, slots=True)
class Withheld:
    """Why a code is not selected. `by`: the code that stands instead of it, where there is one.

    "less_specific": the note says it more closely; "borrowed": its words are those of another code's name.
    """

    reason: Reason
    by: str = ""


@dataclass(frozen=True, slots=True)
class HistoryCode:
    """A history, family or status code, and the codes of the `conditions` it stands for.

    words: (first, after the last) of each mention and of what made it a past or a relative's one, in order.
    """

    code: str
    conditions: tuple[str, ...]
    words: tuple[tuple[int, int], ...]
    reading: Reading


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the guidelines add to the candidates, and which of them they withhold."""

    added: Sequence[HistoryCode]
    withheld: Mapping[str, Withheld]


@dataclass(frozen=True, slots=True)
class Guidelines:
    """The tables; loaded once."""

    code_set: CodeSet
    standing: StandingTables
    status_terms: PhraseTable[StatusTerm]


def load_guidelines(code_set: CodeSet, chronic: ChronicConditions) -> Guidelines:
    """Read the tables. Raises ValueError for a slip in one."""
    return Guidelines(code_set, load_standing_tables(code_set, chronic), load_status_terms(code_set))


@dataclass(frozen=True, slots=True)
class Spoken:
    """How a note speaks of conditions: each mention's standing, all standings by code, and the codes they add."""

    standings: Sequence[tuple[ReadMention, Standing]]
    said: Mapping[str, set[Standing]]
    added: Sequence[HistoryCode]


def spoken_of(mentions: Sequence[ReadMention], document: Document, guidelines: Guidelines) -> Spoken:
    """Read the standing of every mention, and the history, family and status codes of the note."""
    statuses = list(status_mentions(document, guidelines.status_terms))
    # A word of a status phrase says nothing else: a "former smoker" is none, and cataract surgery no cataract.
    used = {word for status in statuses for word in range(status.first, status.last)}
    inside = [read for read in mentions if read.mention.first in used and read.mention.last - 1 in used] if used else []
    outside = [
        (read, standing_of(read, document, guidelines.standing))
        for read in mentions
        if not inside or read.mention.first not in used or read.mention.last - 1 not in used
    ]
    standings: list[tuple[ReadMention, Standing]] = [*outside, *((read, _as_status(read)) for read in inside)]
    said = _said(standings, guidelines.code_set)
    return Spoken(standings, said, _history(outside, statuses, said, guidelines.standing, document))


def past_of(code: str, spoken: Spoken) -> HistoryCode | str | None:
    """What stands instead of a code that the note tells of the past alone; "" for nothing, None when it is not past."""
    if _contradiction(code, spoken.said) != "past":
        return None
    history = _history_of(code, spoken.added)
    return next((one for one in spoken.added if one.code == history), "")


def apply_guidelines(
    codes: Sequence[Scored],
    mentions: Sequence[ReadMention],
    document: Document,
    guidelines: Guidelines,
    kind: str = "",
) -> Ruling:
    """Rule on candidate codes of a note, in any order. kind: as in NoteReceived. Pure."""
    spoken = spoken_of(mentions, document, guidelines)
    standings, said, added = spoken.standings, spoken.said, spoken.added
    taken = _taken(standings, said)
    withheld: dict[str, Withheld] = {}
    is_outpatient = kind in _OUTPATIENT_KINDS
    for candidate in codes:
        code, reason = candidate.code, None
        if code[:CATEGORY_CHARACTERS] in said:
            reason = _contradiction(code, said, is_outpatient=is_outpatient)
        if reason is None and taken and candidate.selected and code not in said:
            reason = _borrowed(candidate.spans, taken, document)
        if reason is not None:
            withheld[code] = Withheld(reason)
    chosen = [one for one in codes if one.selected and one.code not in withheld]
    current = [read for read, standing in standings if standing in ("current", "uncertain")]
    outdone_codes = outdone(chosen, current, taken, document, guidelines.code_set)
    withheld |= {code: Withheld(reason, by) for code, (reason, by) in outdone_codes.items()}
    past = [code for code, one in withheld.items() if one.reason == "past"]
    withheld |= {code: Withheld("past", _history_of(code, added)) for code in past}
    # What the text names in full goes before what only the model reads in it: "type 1 diabetes" is not type 2.
    named = {read.mention.code for read in mentions}
    kept = (one for one in chosen if one.code not in withheld)
    chosen = sorted(kept, key=lambda one: (one.code not in named, -one.score, one.code))
    together = [*(one.code for one in chosen), *(one.code for one in added)]
    excluded = excluded_codes(together, guidelines.code_set, _Related(mentions, document))
    withheld |= {code: Withheld("excludes1", other) for code, other in excluded.items()}
    return Ruling([one for one in added if one.code not in excluded], withheld)


class _Related:
    """Whether two codes are about one condition.

    A symptom is coded beside what excludes it unless both stand in one sentence: "joint pain" here and "headache" there
    are two pains (I.A.12.a, unrelated conditions). Two diagnoses that exclude each other are taken to be related.
    """

    def __init__(self, mentions: Sequence[ReadMention], document: Document) -> None:
        self._sentences: dict[str, set[int]] = {}
        for read in mentions:
            self._sentences.setdefault(read.mention.code, set()).add(document.sentence[read.mention.first])

    def __call__(self, code: str, other: str) -> bool:
        if SYMPTOMS not in (code[0], other[0]):
            return True
        return not self._sentences.get(code, set()).isdisjoint(self._sentences.get(other, ()))


def _as_status(read: ReadMention) -> Standing:
    """The dictionary may know the status itself ("Z95.1"); any other code is not what the phrase says."""
    return "current" if read.mention.code[0] == _STATUS else "past"


def _said(standings: Iterable[tuple[ReadMention, Standing]], code_set: CodeSet) -> dict[str, set[Standing]]:
    """How the note speaks of each code, and of the codes that an unspecified one stands for, by their beginning.

    Every category that is spoken of has an entry, if only an empty one.
    """
    said: dict[str, set[Standing]] = defaultdict(set)
    for read, standing in standings:
        code = read.mention.code
        said[code].add(standing)
        said[_kind_of(code, code_set)].add(standing)
        said[code[:CATEGORY_CHARACTERS]]  # an entry, if only an empty one
    return dict(said)


@lru_cache(maxsize=8192)
def _kind_of(code: str, code_set: CodeSet) -> str:
    """The beginning of all codes that a code which leaves things open stands for: J18 for J18.9; else the code."""
    known = code_set.codes.get(code)
    if known is None or not any(word in known.display.lower() for word in _OPEN):
        return code
    return code[:CATEGORY_CHARACTERS] + code[CATEGORY_CHARACTERS:].rstrip("09").rstrip(".")


def _contradiction(code: str, said: Mapping[str, set[Standing]], *, is_outpatient: bool = False) -> Reason | None:
    """Why a code cannot be coded as a current condition; None when it can. The closest mentions decide."""
    for length in range(len(code), CATEGORY_CHARACTERS - 1, -1):
        standings = said.get(code[:length])
        if not standings:
            continue
        if "current" in standings:
            return None
        if "uncertain" in standings and "denied" not in standings:
            return "uncertain" if is_outpatient else None
        return next(reason for reason in _REASONS if reason in standings)
    return None


def _taken(
    standings: Sequence[tuple[ReadMention, Standing]], said: Mapping[str, set[Standing]]
) -> dict[int, Reason | None]:
    """Words of mentions that are no current condition, with why; None for the words that made them so."""
    taken: dict[int, Reason | None] = {}
    for read, own in standings:
        # What was looked for and not found: the denial holds.
        standing: Standing = "denied" if own == "uncertain" and "denied" in said[read.mention.code] else own
        if standing == "current":
            continue
        if standing != "uncertain":
            taken |= dict.fromkeys(range(read.mention.first, read.mention.last), standing)
            for word in range(*(read.reading.trigger or (0, 0))):
                taken.setdefault(word, None)
    return taken


def _borrowed(
    spans: Sequence[tuple[int, int]], taken: Mapping[int, Reason | None], document: Document
) -> Reason | None:
    """Why a code that no mention names does not count: all its words are those of mentions that do not."""
    words = [word for span in spans for word in range(*(word_range(document, *span) or (0, 0)))]
    if any(word not in taken for word in words):
        return None
    return next((reason for word in words if (reason := taken[word]) is not None), None)


def _history(
    standings: Sequence[tuple[ReadMention, Standing]],
    statuses: Sequence[StatusMention],
    said: Mapping[str, set[Standing]],
    tables: StandingTables,
    document: Document,
) -> list[HistoryCode]:
    """History, family and status codes, in the order of the text."""
    found = [(status.code, "", (status.first, status.last), status.reading) for status in statuses]
    for read, standing in standings:
        condition, reading = read.mention.code, read.reading
        code = None
        if standing == "family":
            code = code_of(tables.history.family, condition)
        elif standing == "past" and _is_history(read, document) and _contradiction(condition, said) == "past":
            code = code_of(tables.history.personal, condition)
        if code is not None and reading.status == "present":
            found.append((code, condition, (read.mention.first, read.mention.last), reading))
    return _gathered(found)


def _history_of(code: str, added: Sequence[HistoryCode]) -> str:
    """The history code that stands instead of a past condition, or ""."""
    exact = (one.code for one in added if code in one.conditions)
    category = code[:CATEGORY_CHARACTERS]
    near = (one.code for one in added if any(condition.startswith(category) for condition in one.conditions))
    return next(exact, "") or next(near, "")


def _is_history(read: ReadMention, document: Document) -> bool:
    """Not what has resolved during this stay."""
    is_listed = document.section_name(read.mention.first) in HISTORICAL_SECTIONS
    return read.reading.historical and (is_listed or not read.reading.resolved)


def _gathered(found: Sequence[tuple[str, str, tuple[int, int], Reading]]) -> list[HistoryCode]:
    """One entry a code, of (code, condition or nothing, words, reading) each time."""
    conditions: dict[str, dict[str, None]] = {}
    words: dict[str, set[tuple[int, int]]] = {}
    readings: dict[str, Reading] = {}
    for code, condition, own, reading in found:
        conditions.setdefault(code, {}).update({condition: None} if condition else {})
        words.setdefault(code, set()).update({own, reading.trigger} if reading.trigger else {own})
        readings.setdefault(code, reading)
    gathered = [
        HistoryCode(code, tuple(conditions[code]), tuple(sorted(words[code])), reading)
        for code, reading in readings.items()
    ]
    return sorted(gathered, key=lambda one: (one.words, one.code))
