"""What a mention says of the patient now: a current condition, a past one, a relative's, or none.

ICD-10-CM Official Guidelines FY2026: I.C.21.c.4 (history of), I.C.2.m (past cancer), I.C.9.d and e (past stroke and
heart attack), IV.I (chronic conditions), II.H and IV.H (uncertain diagnoses).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.nlp_coder import kernels
from services.nlp_coder.code_set import CATEGORY_CHARACTERS, CodeSet
from services.nlp_coder.data_files import rows
from services.nlp_coder.document import Document
from services.nlp_coder.evidence import TIMELESS, ChronicConditions, ReadMention
from services.nlp_coder.history_codes import HistoryCodes, code_of, holds, load_history_codes
from services.nlp_coder.phrases import PhraseTable, phrase_table
from services.nlp_coder.status_codes import in_allergy_list
from services.nlp_coder.tokens import words_of

Standing = Literal["current", "uncertain", "past", "denied", "family", "other", "hypothetical"]
_MALIGNANT, _STATUS = "C", "Z"
# Encounters for something: unlike a state, one that was is over.
_ENCOUNTERS = (("Z00", "Z13"), ("Z23", "Z23"), ("Z40", "Z53"))
# "A long history of": since then, and not once. The trigger table knows "3-week history of" itself.
_SINCE = frozenset({"long", "longstanding", "lifelong", "short", "brief", "chronic"})
_UNITS = frozenset({"hour", "day", "week", "month", "year"})
_DURATION_WORDS = 4
# How far cues are looked for, in words, inside the clause; local.
_CUES_BEFORE, _CUES_AFTER = 5, 12


@dataclass(frozen=True, slots=True)
class StandingTables:
    """What is known of conditions that pass. `cues`: phrase to "ongoing", "ended" or "repaired"."""

    chronic: ChronicConditions
    history: HistoryCodes
    cues: PhraseTable[str]


def load_standing_tables(code_set: CodeSet, chronic: ChronicConditions) -> StandingTables:
    cues = phrase_table((words_of(phrase).norms, effect) for phrase, effect, _source in rows("history_cues.tsv", 3))
    return StandingTables(chronic, load_history_codes(code_set), cues)


def standing_of(read: ReadMention, document: Document, tables: StandingTables) -> Standing:
    """How a mention counts."""
    reading = read.reading
    if reading.experiencer != "patient":
        return reading.experiencer
    if reading.status == "absent":
        return "denied"
    if reading.status == "hypothetical":
        return "hypothetical"
    if in_allergy_list(document, read.mention.first) and _is_reaction(read.mention.code, tables):
        return "hypothetical"
    if reading.historical and (_is_encounter(read.mention.code) or _is_over(read, document, tables)):
        return "past"
    return "uncertain" if reading.status == "possible" else "current"


def _is_encounter(code: str) -> bool:
    return any(first <= code[:CATEGORY_CHARACTERS] <= last for first, last in _ENCOUNTERS)


def _is_reaction(code: str, tables: StandingTables) -> bool:
    """Hives after penicillin, not hay fever or the allergy itself."""
    return code[0] != _STATUS and code not in tables.chronic


def _is_over(read: ReadMention, document: Document, tables: StandingTables) -> bool:
    code, trigger = read.mention.code, read.reading.trigger
    if code.startswith(TIMELESS) or code_of(tables.history.personal, code) is None:
        return False
    cues = _cues_near(read, document, tables.cues)
    if "ongoing" in cues or _lasts(read, document):
        return False
    if read.reading.resolved:
        return True
    if holds(tables.history.ends, code):
        # A cancer in a list of past diagnoses may be under treatment; "history of" says that it is not.
        is_said = trigger is not None and not document.in_header(trigger[0])
        return is_said or code[0] != _MALIGNANT or "ended" in cues
    if holds(tables.history.repaired, code):
        return not cues.isdisjoint(("repaired", "ended"))
    return code not in tables.chronic


def _cues_near(read: ReadMention, document: Document, cues: PhraseTable[str]) -> set[str]:
    mention, columns = read.mention, document.columns
    found = kernels.phrases_near(
        *cues.trie, columns.numbers, columns.stops, columns.sentence, columns.clauses,
        mention.first, mention.last, _CUES_BEFORE, _CUES_AFTER,
    )  # fmt: skip
    return {cues.values[phrase] for phrase in found.tolist()}


def _lasts(read: ReadMention, document: Document) -> bool:
    """Whether it is said for how long: "a long history of", "for 9 months", "since 2010"."""
    last, norms, trigger = read.mention.last, document.words.norms, read.reading.trigger
    if trigger is not None and not _SINCE.isdisjoint(norms[max(0, trigger[0] - 1) : trigger[1]]):
        return True
    following: Sequence[str] = norms[last : last + _DURATION_WORDS]
    if not following or not _same_clause(document, last, last - 1):
        return False
    return following[0] == "since" or (following[0] == "for" and not _UNITS.isdisjoint(following))


def _same_clause(document: Document, word: int, other: int) -> bool:
    return document.sentence[word] == document.sentence[other] and document.clauses[word] == document.clauses[other]
