"""Terms whose words stand apart in one sentence: "lesion found in the left adrenal gland"."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from sys import intern

from services.nlp_coder.data_files import rows
from services.nlp_coder.dictionary import Mention, Term
from services.nlp_coder.document import Document
from services.nlp_coder.phrases import PhraseTable

# Farther apart than this, words of one sentence speak of different things; chosen by cross-validation.
_WIDEST = 13
_FEWEST_WORDS, _MOST_WORDS = 2, 6


@dataclass(frozen=True, slots=True)
class LooseTerm:
    """A term by its telling words but the two rarest, which the index knows."""

    others: frozenset[str]
    term: Term


@dataclass(frozen=True, slots=True)
class LooseTable:
    """`by_pair[rarest][second]`: the terms with these two words. `words`: those of all terms."""

    by_pair: Mapping[str, Mapping[str, Sequence[LooseTerm]]]
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class LooseMention:
    """The tightest place of a code's terms: `mention` runs from the first word to the last, `words` are telling."""

    mention: Mention
    words: int

    @property
    def tightness(self) -> float:
        """Share of the telling words, in (0, 1]."""
        return self.words / (self.mention.last - self.mention.first)


def loose_table(dictionary: PhraseTable[Term]) -> LooseTable:
    """Index the terms of a dictionary that have two telling words or more."""
    ignored = frozenset(word for word, _source in rows("untelling_words.tsv", 2))
    terms: dict[frozenset[str], Term] = {}
    for phrase, term in dictionary.phrases.items():
        telling = frozenset(map(intern, phrase.split(" "))) - ignored
        if term.code and _FEWEST_WORDS <= len(telling) <= _MOST_WORDS:
            terms.setdefault(telling, term)
    frequency = Counter(word for telling in terms for word in telling)
    by_pair: dict[str, dict[str, list[LooseTerm]]] = {}
    for telling, term in terms.items():
        rarest, second, *others = sorted(telling, key=lambda word: (frequency[word], word))
        by_pair.setdefault(rarest, {}).setdefault(second, []).append(LooseTerm(frozenset(others), term))
    return LooseTable(by_pair, frozenset(frequency))


def find_loose(table: LooseTable, document: Document, hidden: Sequence[int]) -> Iterator[LooseMention]:
    """The tightest loose mention of each code, by code. hidden: for each word of the note, 1 for one to look past."""
    best: dict[str, LooseMention] = {}
    for places in _sentences(document, hidden, table.words):
        for found in _in_sentence(table.by_pair, places):
            known = best.get(found.mention.code)
            if known is None or _order(found) > _order(known):
                best[found.mention.code] = found
    return (best[code] for code in sorted(best))


def _order(found: LooseMention) -> tuple[float, int, int]:
    return found.tightness, found.words, -found.mention.first


def _sentences(document: Document, hidden: Sequence[int], telling: frozenset[str]) -> Iterator[dict[str, int]]:
    """For each sentence with two telling words, each of them with its first place; words of headers tell nothing."""
    norms, sentence, starts = document.words.norms, document.sentence, document.words.starts
    passed = bytearray(hidden)
    for section in document.sections:
        first = bisect_left(starts, section.start)
        last = bisect_left(starts, section.body, first)
        passed[first:last] = b"\x01" * (last - first)
    places: dict[str, int] = {}
    current = -1
    for word in [word for word, norm in enumerate(norms) if norm in telling and not passed[word]]:
        if sentence[word] != current:
            if len(places) >= _FEWEST_WORDS:
                yield places
            places, current = {}, sentence[word]
        if norms[word] not in places:
            places[norms[word]] = word
    if len(places) >= _FEWEST_WORDS:
        yield places


def _in_sentence(
    by_pair: Mapping[str, Mapping[str, Sequence[LooseTerm]]], places: dict[str, int]
) -> Iterator[LooseMention]:
    words = places.keys()
    for rarest in words & by_pair.keys():
        seconds = by_pair[rarest]
        if words.isdisjoint(seconds.keys()):
            continue
        for second in words & seconds.keys():
            for candidate in seconds[second]:
                if words >= candidate.others:
                    where = [places[rarest], places[second], *[places[word] for word in candidate.others]]
                    first, last = min(where), max(where) + 1
                    if last - first <= _WIDEST:
                        yield LooseMention(Mention(first, last, candidate.term.code, candidate.term.kind), len(where))
