"""Operations, devices and states that a note tells of, as the status codes of ICD-10-CM (Z79 to Z99)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from services.nlp_coder.assertion import HISTORICAL_SECTIONS, Reading
from services.nlp_coder.code_set import CodeSet
from services.nlp_coder.data_files import rows
from services.nlp_coder.document import Document
from services.nlp_coder.phrases import PhraseTable, matches, phrase_table
from services.nlp_coder.tokens import words_of

_WHEN = ("past", "any")


@dataclass(frozen=True, slots=True)
class StatusTerm:
    """What a phrase stands for; `only_past`: only as something that was done before."""

    code: str
    only_past: bool


@dataclass(frozen=True, slots=True)
class StatusMention:
    """A status in a note: words `first` up to but not including `last`."""

    first: int
    last: int
    code: str
    reading: Reading


def load_status_terms(code_set: CodeSet) -> PhraseTable[StatusTerm]:
    """Read `data/status_phrases.tsv`. Raises ValueError for an unknown code or time."""
    terms = []
    for phrase, when, code, _source in rows("status_phrases.tsv", 4):
        if when not in _WHEN or code not in code_set.codes:
            raise ValueError(f"status_phrases.tsv: {phrase}: {when} {code} is not known")
        terms.append((words_of(phrase).norms, StatusTerm(code, only_past=when == "past")))
    return phrase_table(terms)


def status_mentions(document: Document, terms: PhraseTable[StatusTerm]) -> Iterator[StatusMention]:
    """States of the patient, in order. An operation of this stay is none yet."""
    for first, last, term in matches(terms, document.words.norms, document.stops):
        if document.in_header(first):
            continue
        reading = document.reading(first, last)
        is_past = reading.historical or document.section_name(first) in HISTORICAL_SECTIONS
        if reading.status == "present" and reading.experiencer == "patient" and (is_past or not term.only_past):
            yield StatusMention(first, last, term.code, reading)
