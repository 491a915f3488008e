"""From a text to its document and dictionary mentions: what both the model's training and the service begin with."""

from __future__ import annotations

import gc
from dataclasses import dataclass

from services.nlp_coder.code_set import CodeSet, load_code_set
from services.nlp_coder.dictionary import Term, find_mentions, load_dictionary
from services.nlp_coder.document import Document, Grammar, load_grammar, read
from services.nlp_coder.evidence import ChronicConditions, ReadMention, chronic_conditions, is_patients
from services.nlp_coder.guidelines import Guidelines, load_guidelines
from services.nlp_coder.loose import LooseMention, LooseTable, find_loose, loose_table
from services.nlp_coder.phrases import PhraseTable


@dataclass(frozen=True, slots=True)
class Reader:
    """All tables that reading needs; loaded once."""

    code_set: CodeSet
    dictionary: PhraseTable[Term]
    grammar: Grammar
    chronic: ChronicConditions
    loose: LooseTable
    guidelines: Guidelines


@dataclass(frozen=True, slots=True)
class ReadNote:
    """A note with its dictionary mentions in order, and the terms of the patient whose words stand apart, by code."""

    document: Document
    mentions: list[ReadMention]
    loose: list[LooseMention]


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
    mentions = [
        ReadMention(
            mention,
            document.reading(mention.first, mention.last),
            " ".join(document.words.norms[mention.first : mention.last]),
        )
        for mention in find_mentions(reader.dictionary, document)
        if not document.in_header(mention.first)
    ]
    return ReadNote(document, mentions, _loose(document, mentions, reader.loose))


def _loose(document: Document, mentions: list[ReadMention], table: LooseTable) -> list[LooseMention]:
    """What is denied, or said of others, is looked past; so is what reads so as a whole."""
    hidden = bytearray(len(document.words))
    for entry in mentions:
        if not is_patients(entry.reading):
            hidden[entry.mention.first : entry.mention.last] = b"\x01" * (entry.mention.last - entry.mention.first)
    found = find_loose(table, document, hidden)
    return [one for one in found if is_patients(document.reading(one.mention.first, one.mention.last))]
