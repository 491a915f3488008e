"""Whether a mention is present, when, and whom it is about.

ConText: Harkema et al. 2009; NegEx: Chapman et al. 2001.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.nlp_coder.data_files import rows
from services.nlp_coder.phrases import PhraseTable, matches, phrase_table
from services.nlp_coder.tokens import words_of

Category = Literal[
    "absent", "possible", "hypothetical", "conditional", "historical", "family", "other", "pseudo", "end", "end_all"
]
Status = Literal["present", "absent", "possible", "conditional", "hypothetical"]
WordSpan = tuple[int, int]

# Of several readings the first one holds; an excluded possibility is "possible" because its phrase is longer.
_STATUS_ORDER: tuple[Status, ...] = ("absent", "hypothetical", "possible", "conditional")
# Prefix of a word that answers the item before it and nothing after: "Fever: no".
COLON = ":"
ANSWERS = frozenset({"no", "none", "negative", "nil", "neg", "denies", "denied", "absent"})
# Reach up to the nearest comma: "consolidation, pneumothorax has resolved" says nothing about the first.
CLAUSE = "clause"
# Longest reach of any trigger, in words; local, beyond it the reading is a guess.
_FORWARD_REACH = 30
_BACKWARD_REACH = 12
# A verb ends a negation, but nobody stops being the mother because of one.
_LASTING = ("family", "other", "hypothetical")
# What a section says about its mentions (SecTag, ConText section rules).
FAMILY_SECTIONS = frozenset({"family_history"})
HISTORICAL_SECTIONS = frozenset({"past_medical_history", "past_surgical_history"})
HYPOTHETICAL_SECTIONS = frozenset({"instructions"})
CONDITIONAL_SECTIONS = frozenset({"allergies"})


@dataclass(frozen=True, slots=True)
class Effect:
    """What a trigger phrase does. `reach`: most words between it and the mention; or no comma, with `clause_only`."""

    category: Category
    reach: int
    clause_only: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """Effects of one phrase on what follows and on what precedes it."""

    forward: Effect | None
    backward: Effect | None


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger phrase found at words `start` to `end`."""

    start: int
    end: int
    rule: Rule


@dataclass(frozen=True, slots=True)
class Reading:
    """How a mention reads. `trigger`: the words that decided it, None when nothing did or the section did."""

    status: Status
    historical: bool
    experiencer: Literal["patient", "family", "other"]
    trigger: WordSpan | None


PLAIN = Reading("present", historical=False, experiencer="patient", trigger=None)


def load_triggers() -> PhraseTable[Rule]:
    """The trigger table, indexed by words."""
    rules: dict[tuple[str, ...], Rule] = {}
    for phrase, category, direction, reach, _source in rows("assertion_triggers.tsv", 5):
        words = tuple((COLON if phrase.startswith(":") else "") + norm for norm in words_of(phrase).norms)
        old = rules.get(words, Rule(None, None))
        rules[words] = Rule(
            old.forward or _effect(category, reach, direction, "forward", _FORWARD_REACH),
            old.backward or _effect(category, reach, direction, "backward", _BACKWARD_REACH),
        )
    return phrase_table(rules.items())


def _effect(category: str, reach: str, direction: str, wanted: str, default: int) -> Effect | None:
    if direction not in (wanted, "both"):
        return None
    words = min(int(reach), default) if reach.isdigit() else default
    return Effect(category, words, clause_only=reach == CLAUSE)  # type: ignore[arg-type]  # checked by a test


def find_triggers(table: PhraseTable[Rule], norms: Sequence[str], stops: Sequence[int]) -> list[Trigger]:
    """All triggers, left to right. A pseudo-trigger swallows the trigger inside it and then does nothing."""
    return [Trigger(start, end, rule) for start, end, rule in matches(table, norms, stops)]


def reading_of(mention: WordSpan, triggers: Sequence[Trigger], section: str, clauses: Sequence[int]) -> Reading:
    """Read one mention (first word, word after the last) among the triggers of its own sentence.

    triggers: left to right; only those within reach are looked at, so that a note costs what its length says.
    clauses: for each word of the note, how many commas stand before it.
    """
    found: dict[str, Trigger] = {}
    active: list[tuple[Trigger, Effect]] = []
    for trigger in _within_reach_before(mention, triggers):
        # "No acute" reaches into "acute coronary syndrome", and denies it all the same.
        if trigger.end < mention[1]:
            active = _after_forward(active, trigger)
    for trigger in _within_reach_after(mention, triggers):
        if _take_backward(found, trigger, mention[1], clauses):
            break
    for trigger, effect in active:
        is_near = mention[0] - trigger.end <= effect.reach
        if is_near and not (effect.clause_only and clauses[mention[0]] != clauses[trigger.end - 1]):
            found[effect.category] = trigger  # the nearest one wins
    return _decided(found, section)


def _within_reach_before(mention: WordSpan, triggers: Sequence[Trigger]) -> Sequence[Trigger]:
    """Triggers that begin before the mention. What is farther than any reach ends only what is farther still."""
    first = bisect_left(triggers, mention[0] - _FORWARD_REACH, key=lambda trigger: trigger.end)
    return triggers[first : bisect_left(triggers, mention[0], lo=first, key=_start_of)]


def _within_reach_after(mention: WordSpan, triggers: Sequence[Trigger]) -> Sequence[Trigger]:
    """Triggers that begin after the mention."""
    first = bisect_left(triggers, mention[1], key=_start_of)
    return triggers[first : bisect_right(triggers, mention[1] + _BACKWARD_REACH, lo=first, key=_start_of)]


def _start_of(trigger: Trigger) -> int:
    return trigger.start


def _after_forward(active: list[tuple[Trigger, Effect]], trigger: Trigger) -> list[tuple[Trigger, Effect]]:
    effect = trigger.rule.forward
    if effect is None:
        return active
    if effect.category == "end_all":
        return []
    if effect.category == "end":
        return [(old, kept) for old, kept in active if kept.category in _LASTING]
    return [*active, (trigger, effect)]


def _take_backward(found: dict[str, Trigger], trigger: Trigger, after: int, clauses: Sequence[int]) -> bool:
    effect = trigger.rule.backward
    if effect is None:
        return False
    if effect.category in ("end", "end_all"):
        return True
    if trigger.start - after <= effect.reach and not (
        effect.clause_only and clauses[after - 1] != clauses[trigger.start]
    ):
        found.setdefault(effect.category, trigger)
    return False


def _decided(found: dict[str, Trigger], section: str) -> Reading:
    status: Status = next((status for status in _STATUS_ORDER if status in found), "present")
    if status == "present" and section in HYPOTHETICAL_SECTIONS:
        status = "hypothetical"
    if status == "present" and section in CONDITIONAL_SECTIONS:
        status = "conditional"
    family = "family" in found or section in FAMILY_SECTIONS
    historical = "historical" in found or section in HISTORICAL_SECTIONS
    decisive = found.get(status) or found.get("family") or found.get("other") or found.get("historical")
    return Reading(
        status,
        historical=historical,
        experiencer="family" if family else "other" if "other" in found else "patient",
        trigger=(decisive.start, decisive.end) if decisive else None,
    )
