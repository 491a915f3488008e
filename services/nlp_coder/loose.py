"""Terms whose words stand apart in one sentence: "lesion found in the left adrenal gland"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

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

    others: tuple[str, ...]
    term: Term


@dataclass(frozen=True, slots=True)
class LooseTable:
    """`by_pair[rarest][second]`: the terms with these two words. `ignored`: words that tell nothing."""

    by_pair: Mapping[str, Mapping[str, Sequence[LooseTerm]]]
    ignored: frozenset[str]


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
        telling = frozenset(phrase.split(" ")) - ignored
        if term.code and _FEWEST_WORDS <= len(telling) <= _MOST_WORDS:
            terms.setdefault(telling, term)
    frequency = Counter(word for telling in terms for word in telling)
    by_pair: dict[str, dict[str, list[LooseTerm]]] = {}
    for telling, term in terms.items():
        rarest, second, *others = sorted(telling, key=lambda word: (frequency[word], word))
        by_pair.setdefault(rarest, {}).setdefault(second, []).append(LooseTerm(tuple(others), term))
    return LooseTable(by_pair, ignored)


def find_loose(table: LooseTable, document: Document, hidden: Sequence[int]) -> Iterator[LooseMention]:
    """The tightest loose mention of each code, by code. hidden: for each word of the note, 1 for one to look past."""
    best: dict[str, LooseMention] = {}
    for places in _sentences(document, hidden, table.ignored):
        for found in _in_sentence(table, places):
            known = best.get(found.mention.code)
            if known is None or _order(found) > _order(known):
                best[found.mention.code] = found
    return (best[code] for code in sorted(best))


def _order(found: LooseMention) -> tuple[float, int, int]:
    return found.tightness, found.words, -found.mention.first


def _sentences(document: Document, hidden: Sequence[int], ignored: frozenset[str]) -> Iterable[dict[str, int]]:
    """For each sentence, its telling words with the place of the first of each."""
    sentences: dict[int, dict[str, int]] = {}
    for index, (norm, sentence) in enumerate(zip(document.words.norms, document.sentence, strict=True)):
        if norm and norm not in ignored and not hidden[index] and not document.in_header(index):
            sentences.setdefault(sentence, {}).setdefault(norm, index)
    return sentences.values()


def _in_sentence(table: LooseTable, places: Mapping[str, int]) -> Iterator[LooseMention]:
    for rarest, at in places.items():
        seconds = table.by_pair.get(rarest)
        if seconds is None:
            continue
        for second in seconds.keys() & places.keys():
            for candidate in seconds[second]:
                where = [at, places[second], *(places.get(word, -1) for word in candidate.others)]
                first, last = min(where), max(where) + 1
                if first >= 0 and last - first <= _WIDEST:
                    yield LooseMention(Mention(first, last, candidate.term.code, candidate.term.kind), len(where))
