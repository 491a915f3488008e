"""Names of drugs in a note, and their ingredients."""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.nlp_coder.data_files import rows
from services.nlp_coder.document import Document
from services.nlp_coder.phrases import PhraseTable, matches, phrase_table
from services.nlp_coder.tokens import words_of


@dataclass(frozen=True, slots=True)
class Drug:
    """What a name stands for: ingredients, joined by " + ".

    is_everyday: a medication only beside a dose or in a list of medications.
    """

    ingredients: str
    is_everyday: bool


@dataclass(slots=True)
class DrugMention:
    """A name in a note: words `first` up to but not including `last`."""

    first: int
    last: int
    drug: Drug


def load_drugs() -> PhraseTable[Drug]:
    """The table of names."""
    drugs: dict[tuple[str, str], Drug] = {}
    named = []
    for name, ingredients, when, _source in rows("drug_names.tsv", 4):
        drug = drugs.setdefault((ingredients, when), Drug(ingredients, when == "dose"))
        named.append((tuple(words_of(name).norms), drug))
    return phrase_table(named)


def drugs_in(document: Document, drugs: PhraseTable[Drug]) -> list[DrugMention]:
    """Longest names, left to right; "piperacillin-tazobactam" is one."""
    found = [DrugMention(*one) for one in matches(drugs, document)]
    return _joined([_without_strength(_with_number(one, document, drugs), document) for one in found], document)


def _joined(found: list[DrugMention], document: Document) -> list[DrugMention]:
    """With names that nothing but a hyphen parts as one medication."""
    kept: list[DrugMention] = []
    starts, ends = document.words.starts, document.words.ends
    for one in found:
        if kept and kept[-1].last == one.first and document.text[ends[one.first - 1] : starts[one.first]] == "-":
            before = kept[-1].drug
            drug = Drug(f"{before.ingredients} + {one.drug.ingredients}", before.is_everyday and one.drug.is_everyday)
            kept[-1] = DrugMention(kept[-1].first, one.last, drug)
        else:
            kept.append(one)
    return kept


# A sign that parts words: "Tylenol #3" is a name of its own.
_NUMBER = re.compile(r"\s?#\d\b")


def _with_number(one: DrugMention, document: Document, drugs: PhraseTable[Drug]) -> DrugMention:
    if not _NUMBER.match(document.text, document.words.ends[one.last - 1]):
        return one
    longest = drugs.longest_from(document.columns.numbers, one.first, one.last + 1)
    return DrugMention(one.first, *longest) if longest is not None and longest[0] > one.last else one


# "Zantac 150" is a product, "Zantac 150 mg" a product and its dose.
_UNIT = re.compile(r"\s?-?\s?(?:mg|mcg|g|gm|ml|cc|units?|meq|%)(?![A-Za-z])", re.IGNORECASE)


def _without_strength(one: DrugMention, document: Document) -> DrugMention:
    last = one.last - 1
    if (
        last > one.first
        and document.words.norms[last].isdigit()
        and _UNIT.match(document.text, document.words.ends[last])
    ):
        return DrugMention(one.first, last, one.drug)
    return one
