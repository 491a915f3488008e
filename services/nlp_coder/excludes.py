"""Codes that an Excludes1 note forbids beside each other (ICD-10-CM Official Guidelines FY2026, I.A.12.a)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.nlp_coder.code_set import CodeSet


def excluded_codes(codes: Sequence[str], code_set: CodeSet, are_related: Callable[[str, str], bool]) -> dict[str, str]:
    """Of codes, the best first: those that may not stand beside another, with that one.

    A note at A that excludes B says "not coded here" of B: B stays, and A goes. Where each excludes the other, the
    better one stays. A note holds for all codes below its own. Unrelated conditions may stand together.
    """
    excluded: dict[str, str] = {}
    for place, worse in enumerate(codes):
        for better in codes[:place]:
            if better in excluded:
                continue
            loser = _loser(better, worse, code_set)
            if loser is not None and are_related(better, worse):
                excluded[loser] = better if loser == worse else worse
                if loser == worse:
                    break
    return excluded


def _loser(better: str, worse: str, code_set: CodeSet) -> str | None:
    if excludes(worse, better, code_set):
        return worse
    return better if excludes(better, worse, code_set) else None


def excludes(code: str, other: str, code_set: CodeSet) -> bool:
    """Whether a note at `code`, or above it, names `other`."""
    return any(
        other in found
        for above in code_set.line(code)
        # What is below the note itself is divided by it, and not excluded from itself.
        if above in code_set.excludes1 and not other.startswith(above)
        for found in code_set.excludes1[above]
    )
