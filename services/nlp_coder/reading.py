"""From a text to its document and dictionary mentions: what both the model's training and the service begin with."""

from __future__ import annotations

from dataclasses import dataclass

from services.nlp_coder.code_set import CodeSet, load_code_set
from services.nlp_coder.dictionary import Term, find_mentions, load_dictionary
from services.nlp_coder.document import Document, Grammar, load_grammar, read
from services.nlp_coder.evidence import ChronicConditions, ReadMention, chronic_conditions
from services.nlp_coder.phrases import PhraseTable


@dataclass(frozen=True, slots=True)
class Reader:
    """All tables that reading needs; loaded once."""

    code_set: CodeSet
    dictionary: PhraseTable[Term]
    grammar: Grammar
    chronic: ChronicConditions


@dataclass(frozen=True, slots=True)
class ReadNote:
    """A note with its dictionary mentions in order."""

    document: Document
    mentions: list[ReadMention]


def load_reader() -> Reader:
    """Load the code set and every table. Two to three seconds."""
    code_set = load_code_set()
    return Reader(code_set, load_dictionary(code_set), load_grammar(), chronic_conditions())


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
    return ReadNote(document, mentions)
