"""Operations, devices and states that a note tells of, as the status codes of ICD-10-CM (Z79 to Z99)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from services.nlp_coder.assertion import HISTORICAL_SECTIONS, Reading
from services.nlp_coder.code_set import CodeSet
from services.nlp_coder.data_files import rows
from services.nlp_coder.document import Document
from services.nlp_coder.phrases import PhraseTable, matches, phrase_table
from services.nlp_coder.tokens import words_of

_WHEN = ("past", "any", "allergies")
_ALLERGIES = "allergies"
# A list of allergens is short; what comes later stands under a header that was not recognised.
_MOST_ALLERGY_WORDS = 20
# First words of a list that is empty.
_NO_ALLERGIES = frozenset({"no", "none", "nil", "nka", "nkda", "deny", "denies", "denied", "negative", "unknown"})


@dataclass(frozen=True, slots=True)
class StatusTerm:
    """What a phrase stands for; `when`: one of `_WHEN`, as explained in the table."""

    code: str
    when: str


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
        terms.append((words_of(phrase).norms, StatusTerm(code, when)))
    return phrase_table(terms)


def status_mentions(document: Document, terms: PhraseTable[StatusTerm]) -> Iterator[StatusMention]:
    """States of the patient, in order. An operation of this stay is none yet."""
    found = [match for match in matches(terms, document) if not document.in_header(match[0])]
    readings = document.readings([(first, last) for first, last, _term in found])
    for (first, last, term), reading in zip(found, readings, strict=True):
        if reading.experiencer == "patient" and _applies(term, document, first, reading):
            yield StatusMention(first, last, term.code, reading)


def in_allergy_list(document: Document, word: int) -> bool:
    """Whether a word stands in the list under a header "Allergies", as an allergen or what it does."""
    section = document.sections[document.section[word]]
    if section.name != _ALLERGIES:
        return False
    first = bisect_left(document.words.starts, section.body)
    return first <= word < first + _MOST_ALLERGY_WORDS and document.words.norms[first] not in _NO_ALLERGIES


def _applies(term: StatusTerm, document: Document, word: int, reading: Reading) -> bool:
    if term.when == "allergies":
        # What is listed is a condition that comes with the drug, and reads so.
        return reading.status in ("present", "conditional") and in_allergy_list(document, word)
    is_past = reading.historical or document.section_name(word) in HISTORICAL_SECTIONS
    return reading.status == "present" and (is_past or term.when == "any")
