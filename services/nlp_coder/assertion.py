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
from services.nlp_coder.triggers import Triggers

Status = Literal["present", "absent", "possible", "conditional", "hypothetical"]
Experiencer = Literal["patient", "family", "other"]
WordSpan = tuple[int, int]

# Words of an answer: "Fever: no". A colon, a dash, a question mark or a tab stands before them.
ANSWERS = frozenset({"no", "none", "negative", "nil", "neg", "deny", "denied", "absent", "yes", "present", "positive"})
# What a section says about its mentions (SecTag, ConText section rules).
HISTORICAL_SECTIONS = frozenset({"past_medical_history", "past_surgical_history"})
SECTIONS = dict.fromkeys(HISTORICAL_SECTIONS, assertion_kernels.OF_THE_PAST) | {
    "family_history": assertion_kernels.OF_FAMILY,
    "instructions": assertion_kernels.OF_WHAT_MAY_BE,
    "differential": assertion_kernels.OF_WHAT_IS_POSSIBLE,
    "allergies": assertion_kernels.OF_CONDITIONS,
}
TELLING_SECTIONS = frozenset(SECTIONS)


@dataclass(slots=True, unsafe_hash=True)
class Reading:
    """How a mention reads; not to be changed once it is told, though not frozen, since a note has a hundred.

    `trigger`: the words that decided it, None when nothing did. `resolved`: it was there and is gone, which makes it
    historical and not absent: nobody denied it.
    """

    status: Status
    historical: bool
    experiencer: Experiencer
    trigger: WordSpan | None
    resolved: bool = False


PLAIN = Reading("present", historical=False, experiencer="patient", trigger=None)


# By their numbers in `assertion_kernels`.
_STATUSES: tuple[Status, ...] = ("absent", "possible", "hypothetical", "conditional", "present")
_EXPERIENCERS: tuple[Experiencer, ...] = ("patient", "family", "other")


def decided(
    mentions: Sequence[tuple[int, int, int, int]],
    told_by: Sequence[int],
    triggers: Triggers,
    clauses: NDArray[np.int64],
    *,
    is_asked: bool,
) -> list[Reading]:
    """How mentions, as `assertion_kernels.said_of` has them, read by their triggers. told_by: `SECTIONS` of each."""
    table = triggers.table
    found = assertion_kernels.decided(
        np.array(mentions, dtype=np.int64), np.array(told_by, dtype=np.int64), triggers.rows, table.sides,
        table.effects, clauses, is_asked,
    )  # fmt: skip
    return [
        PLAIN
        if status < 0
        else Reading(
            _STATUSES[status], historical == 1, _EXPERIENCERS[who], (first, last) if first >= 0 else None, resolved == 1
        )
        for status, historical, who, resolved, first, last in found.tolist()
    ]
