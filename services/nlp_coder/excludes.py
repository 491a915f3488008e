"""Codes that an Excludes1 note forbids beside each other (ICD-10-CM Official Guidelines FY2026, I.A.12.a)."""

from __future__ import annotations

from collections.abc import Iterable

from services.nlp_coder.code_set import CodeSet


def excluded_pairs(codes: Iterable[str], code_set: CodeSet) -> dict[str, str]:
    """Of codes, the best first: those that an Excludes1 note sets against a better one, with that one.

    A note holds for all codes below its own. That the two may be unrelated, the one exception of the guidelines, only
    a person can tell.
    """
    kept: list[str] = []
    excluded: dict[str, str] = {}
    for code in codes:
        other = next((one for one in kept if are_exclusive(code, one, code_set)), None)
        if other is None:
            kept.append(code)
        else:
            excluded[code] = other
    return excluded


def are_exclusive(code: str, other: str, code_set: CodeSet) -> bool:
    """Whether a note of either excludes the other."""
    return _excludes(code, other, code_set) or _excludes(other, code, code_set)


def _excludes(code: str, other: str, code_set: CodeSet) -> bool:
    return any(
        other in found
        for above in code_set.line(code)
        # What is below the note itself is divided by it, and not excluded from itself.
        if above in code_set.excludes1 and not other.startswith(above)
        for found in code_set.excludes1[above]
    )
