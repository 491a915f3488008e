"""Whether a mention is present, when, and whom it is about.

ConText: Harkema et al. 2009; NegEx: Chapman et al. 2001.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder import assertion_kernels
from services.nlp_coder.triggers import CATEGORIES, Category, Triggers

Status = Literal["present", "absent", "possible", "conditional", "hypothetical"]
Experiencer = Literal["patient", "family", "other"]
WordSpan = tuple[int, int]

# Of several readings the first one holds; an excluded possibility is "possible" because its phrase is longer.
_STATUS_ORDER: tuple[Status, ...] = ("absent", "hypothetical", "possible", "conditional")
# Words of an answer: "Fever: no". A colon, a dash, a question mark or a tab stands before them.
ANSWERS = frozenset({"no", "none", "negative", "nil", "neg", "deny", "denied", "absent", "yes", "present", "positive"})
# What a section says about its mentions (SecTag, ConText section rules).
FAMILY_SECTIONS = frozenset({"family_history"})
HISTORICAL_SECTIONS = frozenset({"past_medical_history", "past_surgical_history"})
HYPOTHETICAL_SECTIONS = frozenset({"instructions"})
POSSIBLE_SECTIONS = frozenset({"differential"})
CONDITIONAL_SECTIONS = frozenset({"allergies"})


@dataclass(frozen=True, slots=True)
class Reading:
    """How a mention reads.

    `trigger`: the words that decided it, None when nothing did. `resolved`: it was there and is gone, which makes it
    historical and not absent: nobody denied it.
    """

    status: Status
    historical: bool
    experiencer: Experiencer
    trigger: WordSpan | None
    resolved: bool = False


PLAIN = Reading("present", historical=False, experiencer="patient", trigger=None)


def said_of(
    mentions: Sequence[tuple[int, int, int, int]], triggers: Triggers, clauses: NDArray[np.int64], *, is_asked: bool
) -> dict[int, dict[Category, WordSpan]]:
    """By mention, as `assertion_kernels` has them, what is said of it, and the words that say it."""
    table = triggers.table
    said = assertion_kernels.said_of(
        np.array(mentions, dtype=np.int64), triggers.rows, table.sides, table.effects, clauses, is_asked
    )
    found: dict[int, dict[Category, WordSpan]] = {}
    for mention, category, start, end in said.tolist():
        found.setdefault(mention, {})[CATEGORIES[category]] = start, end
    return found


def decided(found: dict[Category, WordSpan], section: str, header: WordSpan | None) -> Reading:
    """What is said, and the section, together. header: words of the section's header."""
    if not found and section not in TELLING_SECTIONS:
        return PLAIN
    if "given" in found and "habit" in found:
        # "She gets a rash with penicillin."
        found["conditional"] = found["given"]
    status: Status = next((status for status in _STATUS_ORDER if status in found), "present")
    if status == "present" and section in HYPOTHETICAL_SECTIONS:
        status = "hypothetical"
    if status == "present" and section in POSSIBLE_SECTIONS:
        status = "possible"
    if status == "present" and section in CONDITIONAL_SECTIONS:
        status = "conditional"
    is_family = "family" in found or section in FAMILY_SECTIONS
    decisive = next((found[name] for name in (status, *_DECISIVE) if name in found), None)
    return Reading(
        status,
        historical="historical" in found or "resolved" in found or section in HISTORICAL_SECTIONS,
        experiencer="family" if is_family else "other" if "other" in found else "patient",
        trigger=decisive or (header if section in TELLING_SECTIONS else None),
        resolved="resolved" in found,
    )


TELLING_SECTIONS = (
    FAMILY_SECTIONS | HISTORICAL_SECTIONS | HYPOTHETICAL_SECTIONS | POSSIBLE_SECTIONS | CONDITIONAL_SECTIONS
)
_DECISIVE: tuple[Category, ...] = ("family", "other", "resolved", "historical")
