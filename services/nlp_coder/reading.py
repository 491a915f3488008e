"""From a text to its document and dictionary mentions: what both the model's training and the service begin with."""

from __future__ import annotations

import gc
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from services.nlp_coder.code_set import CodeSet, load_code_set
from services.nlp_coder.dictionary import Dictionary, Mention, find_mentions, load_dictionary
from services.nlp_coder.document import Document, Grammar, load_grammar, read
from services.nlp_coder.evidence import (
    ChronicConditions,
    CodeEvidence,
    ReadMention,
    chronic_conditions,
    gathered,
    hidden_words,
    is_patients,
)
from services.nlp_coder.excludes import excludes
from services.nlp_coder.guidelines import Guidelines, load_guidelines
from services.nlp_coder.loose import LooseMention, LooseTable, find_loose, loose_table

# Absence of limbs and organs, transplants, implants and other states after operations.
_LEFT_BY_OPERATIONS = ("Z89", "Z90", "Z94", "Z95", "Z96", "Z97", "Z98")


@dataclass(frozen=True, slots=True)
class Reader:
    """All tables that reading needs; loaded once."""

    code_set: CodeSet
    dictionary: Dictionary
    grammar: Grammar
    chronic: ChronicConditions
    loose: LooseTable
    guidelines: Guidelines


@dataclass(frozen=True, slots=True)
class ReadNote:
    """A note with its dictionary mentions in order, and the terms of the patient whose words stand apart, by code.

    evidence: the mentions again, by code.
    """

    document: Document
    mentions: list[ReadMention]
    loose: list[LooseMention]
    evidence: dict[str, CodeEvidence]


def load_reader() -> Reader:
    """Load the code set and every table. Two to four seconds.

    The collector looks through none of it, neither while it grows (a third of the time) nor later.
    """
    gc.disable()
    try:
        return _loaded()
    finally:
        gc.freeze()
        gc.enable()


def _loaded() -> Reader:
    code_set = load_code_set()
    dictionary = load_dictionary(code_set)
    chronic = chronic_conditions()
    guidelines = load_guidelines(code_set, chronic)
    return Reader(code_set, dictionary, load_grammar(), chronic, loose_table(dictionary), guidelines)


def read_note(text: str, reader: Reader) -> ReadNote:
    """Read `text`. Pure; never raises on any text."""
    document = read(text, reader.grammar)
    found, norms = find_mentions(reader.dictionary, document), document.words.norms
    kept = [
        mention
        for mention in found
        if mention.code and not document.in_header(mention.first) and not _is_done_now(mention, document)
    ]
    readings = document.readings([(mention.first, mention.last) for mention in kept])
    mentions = [
        ReadMention(mention, reading, " ".join(norms[mention.first : mention.last]))
        for mention, reading in zip(kept, readings, strict=True)
    ]
    silent = [mention for mention in found if not mention.code]
    return ReadNote(document, mentions, _loose(document, mentions, silent, reader), gathered(mentions))


def _loose(
    document: Document, mentions: list[ReadMention], silent: Sequence[Mention], reader: Reader
) -> list[LooseMention]:
    """What is denied, said of others or names no condition is looked past; so is what a whole name excludes."""
    hidden = hidden_words(mentions, len(document.words))
    for mention in silent:
        hidden[mention.first : mention.last] = b"\x01" * (mention.last - mention.first)
    found = list(find_loose(reader.loose, document, hidden))
    firsts = [read.mention.first for read in mentions]
    readings = document.readings([(one.mention.first, one.mention.last) for one in found])
    return [
        one
        for one, reading in zip(found, readings, strict=True)
        if is_patients(reading)
        and not _is_done_now(one.mention, document)
        and not _is_excluded(one.mention, mentions, firsts, reader.code_set)
    ]


def _is_done_now(mention: Mention, document: Document) -> bool:
    """Whether it is an operation that the note reports, which leaves a status only for later notes."""
    return mention.code.startswith(_LEFT_BY_OPERATIONS) and document.section_name(mention.first) == "procedure"


def _is_excluded(part: Mention, mentions: list[ReadMention], firsts: list[int], code_set: CodeSet) -> bool:
    """Whether it stands inside a whole name that excludes it: "ductal carcinoma in situ" is no invasive carcinoma.

    firsts: first words of the mentions.
    """
    before = bisect_right(firsts, part.first)
    if before == 0:
        return False
    whole = mentions[before - 1].mention  # mentions do not overlap
    return part.last <= whole.last and (
        excludes(part.code, whole.code, code_set) or excludes(whole.code, part.code, code_set)
    )
