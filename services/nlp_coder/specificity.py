"""Of the codes for one condition, those that its words do not say: vaguer ones, and what only a guess makes of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import permutations
from typing import Literal, Protocol

from services.nlp_coder.code_relations import BOTH_SIDES, LACKING, has_what_lacks, sideless
from services.nlp_coder.code_set import CodeSet, category_of
from services.nlp_coder.dictionary import Mention
from services.nlp_coder.document import Document, word_range
from services.nlp_coder.evidence import ReadMention
from services.nlp_coder.loose import untelling_words

# Why a code is not selected, for all that the guidelines and this module rule.
Reason = Literal[
    "denied", "past", "family", "other", "hypothetical", "uncertain", "excludes1", "less_specific", "borrowed"
]
Outdone = tuple[Reason, str]


class Chosen(Protocol):
    """A code that would be selected. `guessed`: only the model proposes it, no words are a name of it."""

    @property
    def code(self) -> str: ...
    @property
    def guessed(self) -> bool: ...
    @property
    def spans(self) -> Sequence[tuple[int, int]]: ...


def outdone(
    chosen: Sequence[Chosen],
    mentions: Sequence[ReadMention],
    taken: Mapping[int, Reason | None],
    document: Document,
    code_set: CodeSet,
) -> dict[str, Outdone]:
    """Why some of the chosen codes are not meant: (reason, the code that is, or "").

    mentions: the patient's current ones. taken: words of mentions that are no current condition, with why.
    """
    codes = {one.code for one in chosen}
    standing = [read for read in mentions if read.mention.code in codes]
    named = {read.mention.code for read in standing}
    of_category, owners = _by_category(standing), _owners(standing)
    found: dict[str, Outdone] = {}
    for one in chosen:
        if one.code not in named:
            alike = of_category.get(category_of(one.code), ())
            reason = _enclosed(one, alike, document) or _borrowed(one, standing, owners, taken, document)
            if reason is not None:
                found[one.code] = reason
    guesses = {one.code for one in chosen if one.guessed}
    left = sorted(codes - found.keys())
    found |= dict(_lacking(left, _literal(standing), named, code_set))
    return found | dict(_beside_a_side(sorted(codes - found.keys()), guesses, code_set))


def _by_category(mentions: Sequence[ReadMention]) -> Mapping[str, Sequence[Mention]]:
    found: dict[str, list[Mention]] = {}
    for read in mentions:
        found.setdefault(category_of(read.mention.code), []).append(read.mention)
    return found


def _owners(mentions: Sequence[ReadMention]) -> Mapping[int, int]:
    """Of each word of a mention, which it is."""
    return {word: index for index, read in enumerate(mentions) for word in range(read.mention.first, read.mention.last)}


def _enclosed(one: Chosen, alike: Sequence[Mention], document: Document) -> Outdone | None:
    """A name whose words are all inside a longer one of its category: "respiratory failure" of an acute one."""
    words = [word_range(document, *span) for span in one.spans] if alike else []
    for mention in alike:
        if all(place is not None and mention.first <= place[0] and place[1] <= mention.last for place in words):
            return "less_specific", mention.code
    return None


def _borrowed(
    one: Chosen,
    mentions: Sequence[ReadMention],
    owners: Mapping[int, int],
    taken: Mapping[int, Reason | None],
    document: Document,
) -> Outdone | None:
    """A guess all of whose telling words are words of other codes' names: HIV for "hepatitis B"."""
    if not one.guessed:
        return None
    ignored, norms = untelling_words(), document.words.norms
    places = [word_range(document, *span) for span in one.spans]
    words = sorted({word for place in places if place for word in range(*place) if norms[word] not in ignored})
    owned = [owners[word] for word in words if word in owners]
    if not owned or (len(owned) < len(words) and any(word not in owners and word not in taken for word in words)):
        return None
    past = next((reason for word in words if (reason := taken.get(word)) is not None), None)
    return ("borrowed", mentions[min(owned)].mention.code) if past is None else (past, "")


def _alike(codes: Sequence[str], code_set: CodeSet) -> Sequence[Sequence[str]]:
    """Codes of the code set that share their category with another, by category. Hardly a note has any."""
    found: dict[str, list[str]] = {}
    for code in codes:
        found.setdefault(category_of(code), []).append(code)
    several = [own for own in found.values() if len(own) > 1]
    return [[code for code in own if code in code_set.codes] for own in several]


def _lacking(
    codes: Sequence[str], literal: Collection[str], named: Collection[str], code_set: CodeSet
) -> Iterator[tuple[str, Outdone]]:
    """Of "X without Y" and "X with Z" the former, unless the text says so in words and only suggests the latter."""
    known = code_set.codes
    for own in _alike(codes, code_set):
        for code, other in permutations(own, 2):
            if has_what_lacks(known[code], known[other]):
                is_said = other in literal and code not in named
                yield (code, ("less_specific", other)) if is_said else (other, ("less_specific", code))


def _beside_a_side(codes: Sequence[str], guesses: Collection[str], code_set: CodeSet) -> Iterator[tuple[str, Outdone]]:
    """Of codes that differ in the side alone: an open side beside a told one, one side beside both, a guessed other."""
    named_alike: dict[tuple[str, frozenset[str]], list[tuple[str, str]]] = {}
    for own in _alike(codes, code_set):
        for code in own:
            words, side = sideless(code_set.codes[code])
            named_alike.setdefault((category_of(code), words), []).append((code, side))
    for group in named_alike.values():
        sided = sorted((code in guesses, side != BOTH_SIDES, code) for code, side in group if side)
        if not sided:
            continue
        best = sided[0][2]
        best_is_both = not sided[0][1]
        for code, side in group:
            is_guessed = code in guesses and best not in guesses
            if code != best and (not side or best_is_both or is_guessed):
                yield code, ("less_specific", best)


def _literal(mentions: Sequence[ReadMention]) -> set[str]:
    """Codes that a mention names with what they lack."""
    return {read.mention.code for read in mentions if not LACKING.isdisjoint(read.phrase.split(" "))}
