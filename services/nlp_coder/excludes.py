"""Codes that an Excludes1 note forbids beside each other (ICD-10-CM Official Guidelines FY2026, I.A.12.a)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from services.nlp_coder.code_set import CodeRange, CodeSet


def excluded_codes(codes: Sequence[str], code_set: CodeSet, are_related: Callable[[str, str], bool]) -> dict[str, str]:
    """Of codes, the best first: those that may not stand beside another, with that one.

    A note at A that excludes B says "not coded here" of B: B stays, and A goes. Where each excludes the other, the
    better one stays. A note holds for all codes below its own. Unrelated conditions may stand together.
    """
    excluded: dict[str, str] = {}
    notes = {code: _notes_on(code, code_set) for code in codes}
    letters = {code[0] for code in codes}
    if all(letters.isdisjoint(own) for own in notes.values()):
        return excluded
    for place, worse in enumerate(codes):
        own = notes[worse]
        for better in codes[:place]:
            # Hardly a pair has notes about each other's letter, and this asks for all of them.
            if better[0] not in own and worse[0] not in notes[better]:
                continue
            if better in excluded:
                continue
            if _names(own, better):
                loser = worse
            elif _names(notes[better], worse):
                loser = better
            else:
                continue
            if are_related(better, worse):
                excluded[loser] = better if loser == worse else worse
                if loser == worse:
                    break
    return excluded


def excludes(code: str, other: str, code_set: CodeSet) -> bool:
    """Whether a note at `code`, or above it, names `other`."""
    return _names(_notes_on(code, code_set), other)


# What the notes on a code exclude, by first letter: (the code that the note stands at, the excluded codes).
_Notes = Mapping[str, Sequence[tuple[str, CodeRange]]]


@lru_cache(maxsize=8192)
def _notes_on(code: str, code_set: CodeSet) -> _Notes:
    notes: dict[str, list[tuple[str, CodeRange]]] = {}
    for above in code_set.line(code):
        for found in code_set.excludes1.get(above, ()):
            for letter in {found.first[0], found.last[0]}:
                notes.setdefault(letter, []).append((above, found))
    return notes


def _names(notes: _Notes, other: str) -> bool:
    own = notes.get(other[0])
    # What is below the note itself is divided by it, and not excluded from itself.
    return own is not None and any(other in found and not other.startswith(above) for above, found in own)
