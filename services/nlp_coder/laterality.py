"""The side that a note tells beside a mention: "pain in the right knee", "rotator cuff tear, left shoulder"."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from services.nlp_coder import kernels
from services.nlp_coder.code_relations import SIDES, on_side
from services.nlp_coder.code_set import CodeSet
from services.nlp_coder.document import Document
from services.nlp_coder.evidence import ReadMention, is_patients
from services.nlp_coder.numbered import flags
from services.nlp_coder.tokens import stands_between

# How far from a mention its side stands ("pain in the right knee").
_SIDE_WORDS = 4
_LEFT_OPEN = "unspecified "
NO_SIDE_BEFORE = frozenset(
    {
        "now",
        "away",
        "after",
        "before",
        "then",
        "here",
        "there",
        "at",
        "back",
        "the",
        "his",
        "her",
        "him",
        "hand",
        "handed",
    }
)


_IS_SIDE = flags(SIDES)


def side_of(document: Document, first: int, last: int, openings: Collection[int] = ()) -> tuple[str, int]:
    """The side told nearest to the words from `first` to before `last`, and its word; "" where none is told.

    It stands between the same commas, or right after the comma behind the mention, unless it belongs to what comes
    next: openings are the words that other mentions begin with.
    """
    norms, count = document.words.norms, len(document.words)
    near_words = range(max(0, first - _SIDE_WORDS), min(count, last + _SIDE_WORDS))
    told = [
        (min(abs(word - first), abs(word - last + 1)), word)
        for word in near_words
        if is_side(norms, word)
        and document.sentence[word] == document.sentence[first]
        and document.clauses[word] == document.clauses[first]
    ]
    if told:
        word = min(told)[1]
        return SIDES[norms[word]], word
    is_behind = (
        last < count
        and is_side(norms, last)
        and document.sentence[last] == document.sentence[first]
        and not {last, last + 1} & set(openings)
    )
    return (SIDES[norms[last]], last) if is_behind else ("", first)


def is_side(norms: Sequence[str], word: int) -> bool:
    """Whether a word tells a side; that of "right now" and "left the hospital" does not."""
    following = norms[word + 1] if word + 1 < len(norms) else ""
    return norms[word] in SIDES and following not in NO_SIDE_BEFORE


def sided_codes(mentions: Sequence[ReadMention], document: Document, code_set: CodeSet) -> dict[str, str]:
    """For codes that leave the side open, the one for the one side that the note tells beside their mentions."""
    sides = kernels.places_of(_IS_SIDE, document.columns.numbers).tolist()
    if not sides:
        return {}
    told: dict[str, set[str]] = {}
    openings = [read.mention.first for read in mentions]
    for read in mentions:
        mention = read.mention
        if not stands_between(sides, mention.first - _SIDE_WORDS, mention.last + _SIDE_WORDS):
            continue
        known = code_set.codes.get(mention.code)
        if known is not None and _LEFT_OPEN in known.display and is_patients(read.reading):
            side, _word = side_of(document, mention.first, mention.last, openings)
            if side:
                told.setdefault(mention.code, set()).add(side)
    found = {code: on_side(code, next(iter(own)), code_set) for code, own in told.items() if len(own) == 1}
    return {code: sided for code, sided in found.items() if sided is not None}
