"""Terms of the code set, and clinical synonyms, found in a note."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from string import ascii_uppercase

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder import kernels
from services.nlp_coder.code_relations import SIDES
from services.nlp_coder.code_set import Code, CodeSet, children
from services.nlp_coder.data_files import rows
from services.nlp_coder.document import Document
from services.nlp_coder.numbered import flags
from services.nlp_coder.phrases import PhraseTable, matches, phrase_table
from services.nlp_coder.tokens import words_of

# Chapters whose names are circumstances and not conditions (external causes, contact with services).
_CIRCUMSTANCES = "VWXYZ"
# Nobody writes longer names out; they would only cost memory.
_LONGEST_TERM_WORDS = 9
# Words of a term that may stand on both sides of a comma, or of a side; shorter ones meet by chance.
_FEWEST_OVER_COMMAS, _FEWEST_OVER_SIDES = 4, 3
# Stands for nothing, and keeps the terms inside it from matching: "coma score" is no coma.
_NO_CODE = ""
# Acronyms that in lower case are everyday words; only their capitals are the acronym.
_ALSO_WORDS = frozenset({"cap", "pad", "pin", "ha", "aids", "ms", "tips"})
_PARENTHESIS = re.compile(r"\s*[(\[][^)\]]*[)\]]")
_PARENTHESIS_ONLY = re.compile(r"(\w+) \((\w+)\) (.*)")
_JOINERS = frozenset({"of", "in", "with", "to", "and", "or", "due", "the"})
# Endings that say "nothing more is known", which notes leave out. Conventions I.A.6, ICD-10-CM Guidelines 2026.
_UNSPECIFIED = re.compile(
    r"(?:,? unspecified(?: (?:organism|site|type|cause|degree|side|whether [a-z ]+))?|,? NOS"
    r"|,? without (?:complications?|mention of [a-z ]+|obstruction or gangrene|status migrainosus, not intractable)"
    r"|,? of unspecified (?:site|organism|degree|type|severity)"
    r"|,? not elsewhere classified|,? due to unspecified organism|, not intractable|,? uncomplicated)+$"
)
_OPENING = re.compile(r"^Unspecified ", re.IGNORECASE)
# "Femoral neck fracture" is also a "fracture of the femoral neck".
_FRACTURE = " fracture"
_OTHER = re.compile(r"^(?:other|certain|encounter|personal history|family history)\b", re.IGNORECASE)
_SITE = re.compile(r"^(?P<kind>Malignant neoplasm|Secondary malignant neoplasm|Benign neoplasm) of (?P<site>.+)$")
# What notes call a neoplasm (ICD-10-CM Index, "Cancer", "Carcinoma", "Metastasis"); {0} is the site.
_NEOPLASMS = {
    "Malignant neoplasm": ("{0} cancer", "cancer of {0}", "{0} carcinoma", "carcinoma of {0}", "cancer of the {0}",
                           "carcinoma of the {0}", "malignant tumor of the {0}", "adenocarcinoma of the {0}",
                           "{0} adenocarcinoma", "adenocarcinoma of {0}"),
    "Secondary malignant neoplasm": ("{0} metastasis", "metastasis to {0}", "metastasis to the {0}",
                                     "metastatic disease to the {0}", "metastasis of the {0}"),
    "Benign neoplasm": ("benign tumor of {0}", "benign {0} tumor", "{0} adenoma"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Term:
    """What a phrase stands for. `rank`: 0 written so in a table, higher the more was left out."""

    code: str
    rank: int
    kind: str


@dataclass(slots=True)
class Mention:
    """A term in a note: words `first` up to but not including `last`.

    Not to be changed, though not frozen, like all that a note has dozens of: it would take three times as long to make.
    """

    first: int
    last: int
    code: str
    kind: str


@dataclass(frozen=True, slots=True)
class Dictionary(PhraseTable[Term]):
    """All terms. `has_code`: whether a phrase names a condition, bool [phrases]."""

    has_code: NDArray[np.bool_]


def load_dictionary(code_set: CodeSet) -> Dictionary:
    """Index names, inclusion terms, their usual short forms, and `data/synonyms/`, a file a chapter letter.

    Raises ValueError when a synonym names a code that the code set does not have.
    """
    best: dict[tuple[str, ...], tuple[tuple[int, ...], Term]] = {}
    for term, _source in rows("stop_terms.tsv", 2):
        best[tuple(words_of(term).norms)] = ((-2,), Term(_NO_CODE, 0, ""))
    candidates = [*_synonyms(code_set), *_code_set_terms(code_set)]
    for order, (text, code, rank) in enumerate(candidates):
        words = tuple(words_of(text).norms)
        if not words or len(words) > _LONGEST_TERM_WORDS or not _is_telling(words):
            continue
        place = (rank, not code.is_leaf, order)
        if words not in best or place < best[words][0]:
            best[words] = (place, Term(_specified(code, code_set), rank, entity_type(code.code)))
    table = phrase_table((words, term) for words, (_place, term) in best.items())
    has_code = np.array([term.code != _NO_CODE for term in table.values], dtype=np.bool_)
    return Dictionary(table.trie, table.values, table.words, table.bounds, has_code)


def find_mentions(dictionary: Dictionary, document: Document) -> list[Mention]:
    """Longest terms, left to right, that do not cross a sentence or punctuation, but for `bridged`.

    A term that names no condition is there without a code: its words are no part of any other.
    """
    found = [
        Mention(first, last, term.code, term.kind)
        for first, last, term in matches(dictionary, document)
        if not (document.words.norms[first] in _ALSO_WORDS and last == first + 1 and not _is_shouted(document, first))
    ]
    for long in bridged(dictionary, document):
        begin = bisect_right(found, long.first, key=_last_of)
        end = bisect_left(found, long.last, lo=begin, key=_first_of)
        # It takes the place of shorter terms inside it, and of nothing else.
        if all(long.first <= one.first and one.last <= long.last and one.last - one.first < long.last - long.first
               for one in found[begin:end]):  # fmt: skip
            found[begin:end] = [long]
    return found


_first_of, _last_of = attrgetter("first"), attrgetter("last")


def bridged(dictionary: Dictionary, document: Document) -> Iterator[Mention]:
    """Terms with a side in them ("neck of the right femur"), and long ones that commas part, left to right."""
    columns = document.columns
    rows = kernels.phrases_over_seams(
        *dictionary.trie, dictionary.has_code, _IS_SIDE, columns.numbers, columns.stops, columns.clauses,
        columns.sentence, _LONGEST_TERM_WORDS, _FEWEST_OVER_COMMAS, _FEWEST_OVER_SIDES,
    )  # fmt: skip
    for first, last, phrase in rows.tolist():
        term = dictionary.values[phrase]
        yield Mention(first, last, term.code, term.kind)


_IS_SIDE = flags(SIDES)


def _is_shouted(document: Document, word: int) -> bool:
    return document.text[slice(*document.span(word, word + 1))].isupper()


def _is_telling(words: Sequence[str]) -> bool:
    return any(len(word) > 1 and not word.isdigit() for word in words)


def entity_type(code: str) -> str:
    """Chapter 18 holds symptoms and signs (R00 to R69); the rest of what is indexed are diseases."""
    return "sign_symptom" if code.startswith("R") and code[1:2] < "7" else "disease"


def _synonyms(code_set: CodeSet) -> Iterator[tuple[str, Code, int]]:
    for letter in ascii_uppercase:
        for term, code, _source in rows(f"synonyms/{letter}.tsv", 3):
            if code not in code_set.codes or code[0] != letter:
                raise ValueError(f"synonyms/{letter}.tsv: {code} is not in {code_set.version} under {letter}")
            yield term, code_set.codes[code], -1
            if term.endswith(_FRACTURE):
                site = term.removesuffix(_FRACTURE)
                yield f"fracture of {site}", code_set.codes[code], 0
                yield f"fracture of the {site}", code_set.codes[code], 0


def _code_set_terms(code_set: CodeSet) -> Iterator[tuple[str, Code, int]]:
    for code in code_set.codes.values():
        if code.code[0] in _CIRCUMSTANCES:
            continue
        for term in (code.display, *code.terms):
            for rank, variant in enumerate(_variants(term)):
                yield variant, code, rank


def _variants(term: str) -> Iterable[str]:
    """The term, then shorter forms of it, the most faithful first."""
    yield term
    plain = _PARENTHESIS.sub("", term)
    if plain != term:
        yield plain
    swapped = _PARENTHESIS_ONLY.match(term)
    # "Adhesions (of) stomach" is no "of stomach".
    if swapped and swapped[2] not in _JOINERS:
        yield f"{swapped[2]} {swapped[3]}"
    short = _UNSPECIFIED.sub("", plain)
    if _OTHER.match(short):
        return
    short = _OPENING.sub("", short)
    if short != plain:
        yield short
    neoplasm = _SITE.match(short)
    if neoplasm:
        site = neoplasm["site"].replace("unspecified ", "")
        for pattern in _NEOPLASMS[neoplasm["kind"]]:
            yield pattern.format(site)


def _specified(code: Code, code_set: CodeSet) -> str:
    """The "unspecified" leaf under a category, since a category alone is not a complete code."""
    current = code
    while not current.is_leaf:
        below = children(current.code, code_set)
        plain = [child for child in below if "unspecified" in child.display.lower()]
        plain = plain or [child for child in below if child.code.endswith("9") and "without" in child.display]
        if not plain:
            break
        current = plain[-1]
    return current.code
