"""Whether a mention is present, when, and whom it is about.

ConText: Harkema et al. 2009; NegEx: Chapman et al. 2001.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Literal

from services.nlp_coder.triggers import BACKWARD_REACH, FORWARD_REACH, Category, Effect, Rule, Trigger

Status = Literal["present", "absent", "possible", "conditional", "hypothetical"]
Experiencer = Literal["patient", "family", "other"]
WordSpan = tuple[int, int]
Active = list[tuple[Trigger, Effect]]

# Of several readings the first one holds; an excluded possibility is "possible" because its phrase is longer.
_STATUS_ORDER: tuple[Status, ...] = ("absent", "hypothetical", "possible", "conditional")
# Words of an answer: "Fever: no". A colon, a dash, a question mark or a tab stands before them.
ANSWERS = frozenset({"no", "none", "negative", "nil", "neg", "deny", "denied", "absent", "yes", "present", "positive"})
# A verb ends a negation, but nobody stops being the mother because of one.
_OUTLIVE_VERBS = frozenset({"family", "other", "hypothetical", "conditional"})
_OUTLIVE_ENDS = frozenset({"family", "other", "hypothetical"})
_STATEMENTS = frozenset({"hypothetical", "historical", "resolved"})
# Words within which "denies that she has" still speaks of what follows; local.
_OWN_CLAUSE_WORDS = 6
# "or" with at most one word more before its item.
_OR_WORDS = 2
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


def reading_of(
    mention: WordSpan,
    triggers: Sequence[Trigger],
    section: str,
    clauses: Sequence[int],
    header: WordSpan | None = None,
    *,
    is_asked: bool = False,
) -> Reading:
    """Read one mention (first word, word after the last) among the triggers of its own sentence.

    triggers: left to right; only those within reach are looked at, so that a note costs what its length says.
    clauses: for each word of the note, how many commas stand before it. header: words of the section's header.
    is_asked: somebody else chose the words of the mention.
    """
    found: dict[Category, Trigger] = {}
    active: Active = []
    if triggers:
        mention = _head_of(mention, triggers, is_asked=is_asked)
        before, after = _within_reach(mention, triggers)
        active = _before(mention, before, triggers, clauses)
        _take_after(found, mention, after, clauses)
        _take_before(found, active, mention, clauses, has_verb=_has_verb(mention, after, clauses))
    return _decided(found, section, header)


def _head_of(mention: WordSpan, triggers: Sequence[Trigger], *, is_asked: bool) -> WordSpan:
    """A mention without the words at its beginning that speak of the rest of it: "a probable viral syndrome".

    is_asked: somebody else chose its words, and it may be "no fever", "history of stroke" or "dyspnea on exertion".
    """
    first, last = mention
    if last - first == 1:
        return mention
    for index in range(_first_from(triggers, first), len(triggers)):
        start, end, rule = triggers[index]
        effect = rule.forward
        if is_asked and start == first and effect is not None and effect.bare and effect.categories[0] == "no_change":
            # "No growth": what stands inside the phrase is denied by its first word.
            first += 1
        if start > first or end >= last:
            break
        if effect is None or not (effect.categories[0] in _MODIFIERS or (is_asked and _modifies(effect))):
            break
        first = end
    if is_asked:
        index = bisect_left(triggers, last, key=_end_of)
        start, end, rule = triggers[index] if index < len(triggers) else _NO_TRIGGER
        if end == last and start > first and rule.backward is not None and rule.backward.categories == _CONDITIONAL:
            # "Dyspnea on exertion".
            last = start
    return first, last


_CONDITIONAL: tuple[Category, ...] = ("conditional",)
_NO_TRIGGER = Trigger(-1, -1, Rule(None, None))


_MODIFIERS = frozenset({"quality", "degree", "item", "possible"})
_ASKED_MODIFIERS = frozenset({"historical", "resolved", "family", "present"})


def _modifies(effect: Effect) -> bool:
    """Whether a trigger inside the words that were asked about says how the others read.

    "Lack of appetite" and "non-fatal" are no negations of what they begin.
    """
    category = effect.categories[0]
    if category == "absent":
        return effect.bare
    return category in _ASKED_MODIFIERS or (category == "conditional" and effect.reach == 0)


def _within_reach(mention: WordSpan, triggers: Sequence[Trigger]) -> tuple[Sequence[Trigger], Sequence[Trigger]]:
    """Triggers that begin before the mention, and those that begin after it.

    What is farther than any reach ends only what is farther still.
    """
    farthest = mention[0] - FORWARD_REACH
    middle = _first_from(triggers, mention[0])
    first = 0 if triggers[0].end >= farthest else bisect_left(triggers, farthest, hi=middle, key=_end_of)
    after = _first_from(triggers, mention[1], middle)
    last = _first_from(triggers, mention[1] + BACKWARD_REACH + 1, after)
    return triggers[first:middle], triggers[after:last]


def _first_from(triggers: Sequence[Trigger], word: int, low: int = 0) -> int:
    """Index of the first trigger that begins at a word or after it. Tuples are compared: a key is asked in Python."""
    return bisect_left(triggers, (word,), low)


_end_of = attrgetter("end")


def _before(
    mention: WordSpan, before: Sequence[Trigger], triggers: Sequence[Trigger], clauses: Sequence[int]
) -> Active:
    """Triggers before the mention whose scope is still open when it comes."""
    active: Active = []
    previous: Trigger | None = None
    for trigger in before:
        effect = trigger.rule.forward
        if effect is not None:
            category = effect.categories[0]
            if category == "verb" and previous is not None and _is_company(previous, trigger):
                # "Lives with his mother, who has dementia".
                active.append((previous, _of_company(previous)))
            elif category in _ENDINGS:
                is_inside = category == "no_change" and trigger.end > mention[0]
                is_linked = previous is not None and previous.end == trigger.start and _is_link(previous)
                active = (
                    [(trigger, _DENIED)]
                    if is_inside
                    else _after_ending(active, trigger, category, triggers, clauses, is_linked=is_linked)
                )
            elif category != "company":
                active = _with_statement(active, trigger, effect, clauses)
        previous = trigger
    return _without_clause(active, mention, triggers, clauses) if active else active


def _with_statement(active: Active, trigger: Trigger, effect: Effect, clauses: Sequence[int]) -> Active:
    """What is open once `trigger` has spoken."""
    if effect.categories[0] == "absent":
        reversing = next((old for old, kept in active if kept.categories[-1] == "reversed"), None)
        if reversing is not None:
            # "It is not true that she has no pain."
            return [(old, kept) for old, kept in active if old is not reversing]
    kept_on = [(old, kept) for old, kept in active if not _gives_way(old, kept, trigger, effect, clauses)]
    kept_on.append((trigger, effect))
    return kept_on


def _without_clause(active: Active, mention: WordSpan, triggers: Sequence[Trigger], clauses: Sequence[int]) -> Active:
    """What still speaks of a mention that has a verb of its own: "no pneumonia and [heart is enlarged]"."""
    start = _first_from(triggers, mention[0])
    inside = triggers[start : _first_from(triggers, mention[1], start)]
    if not any(one.rule.forward is not None and one.rule.forward.categories[0] == "verb" for one in inside):
        return active
    is_linked = start > 0 and triggers[start - 1].end == mention[0] and _is_link(triggers[start - 1])
    return [
        (old, kept)
        for old, kept in active
        if kept.categories[0] != "absent" or (not is_linked and clauses[old.end - 1] == clauses[mention[0]])
    ]


def _is_link(trigger: Trigger) -> bool:
    return (
        trigger.rule.forward is None and trigger.rule.backward is not None and trigger.rule.backward.categories == _AND
    )


def _is_company(trigger: Trigger, verb: Trigger) -> bool:
    effect = trigger.rule.forward
    return effect is not None and effect.categories[0] == "company" and verb.start == trigger.end


def _of_company(trigger: Trigger) -> Effect:
    effect = trigger.rule.forward
    assert effect is not None
    return replace(effect, categories=effect.categories[1:])


_AND: tuple[Category, ...] = ("and",)
_OR: tuple[Category, ...] = ("or",)
_DENIED = Effect(("absent",), FORWARD_REACH, clause_only=False, outlives_subject=False, bare=True)
_LINKS = frozenset({"or", "and"})
_PREDICATES = frozenset({"verb", "participle"})
_ENDINGS = frozenset(
    {"end", "no_change", "verb", "participle", "subject", "now", "item", "degree", "quality", "present"}
)
_QUALITIES = frozenset({"degree", "quality"})


def _after_ending(
    active: Active,
    ending: Trigger,
    category: Category,
    triggers: Sequence[Trigger],
    clauses: Sequence[int],
    *,
    is_linked: bool,
) -> Active:
    """What is still open after a trigger that ends others. is_linked: "and" stands before it."""
    if not active:
        return active
    follows_comma = _follows_comma(ending, clauses)
    if category in ("item", "degree", "quality"):
        is_new = follows_comma or (is_linked and category != "quality")
        if not is_new or (category != "item" and _leads_to_or(ending, triggers)):
            return active
    return [(old, kept) for old, kept in active if _goes_on(old, kept, ending, category, follows_comma)]


def _goes_on(old: Trigger, kept: Effect, ending: Trigger, category: Category, follows_comma: bool) -> bool:
    """Whether the scope of `old` goes on after `ending`."""
    says = kept.categories[-1]
    if category == "item":
        return "absent" not in kept.categories
    if category in _QUALITIES:
        return "absent" not in kept.categories or not kept.bare
    if category == "now":
        return kept.categories[0] != "historical"
    if category in _PREDICATES:
        # "No increased markings": the participle belongs to the noun, and no predicate begins.
        # "She likely has gout": the adverb belongs to the verb.
        is_joined = ending.start == old.end and not follows_comma
        is_adjective = is_joined and (category == "participle" or says == "possible")
        return is_adjective or says in _OUTLIVE_VERBS or _speaks_on(old, kept, ending)
    if category == "subject":
        return _speaks_on(old, kept, ending)
    return says in _OUTLIVE_ENDS


def _gives_way(old: Trigger, kept: Effect, new: Trigger, effect: Effect, clauses: Sequence[int]) -> bool:
    """Whether a negation ends where a new statement begins."""
    if kept.categories[0] != "absent":
        return False
    category = effect.categories[0]
    if category == "absent":
        # "No history of stroke, and no fever": only the first is about the past.
        return len(kept.categories) > 1 and effect.reach == FORWARD_REACH
    if category == "possible":
        # "Absence of fever does not exclude infection": its own verb begins a statement.
        return effect.categories[-1] == "verb" or clauses[old.end - 1] != clauses[new.start]
    return category in _STATEMENTS and _follows_comma(new, clauses)


def _speaks_on(old: Trigger, effect: Effect, ending: Trigger) -> bool:
    return effect.outlives_subject and ending.start - old.end < _OWN_CLAUSE_WORDS


def _follows_comma(trigger: Trigger, clauses: Sequence[int]) -> bool:
    return trigger.start > 0 and clauses[trigger.start] != clauses[trigger.start - 1]


def _leads_to_or(trigger: Trigger, triggers: Sequence[Trigger]) -> bool:
    """Whether a list goes on to its "or" with no new statement before it."""
    for index in range(_first_from(triggers, trigger.start + 1), len(triggers)):
        effect = triggers[index].rule.forward
        if effect is not None and effect.categories[0] == "or":
            return True
        if effect is not None and effect.categories[0] not in _IN_LISTS:
            return False
    return False


_IN_LISTS = frozenset({"quality", "degree", "historical"})


def _has_verb(mention: WordSpan, after: Sequence[Trigger], clauses: Sequence[int]) -> bool:
    effect = after[0].rule.backward if after and after[0].start == mention[1] else None
    return effect is not None and effect.categories[0] == "verb" and not _follows_comma(after[0], clauses)


def _take_before(
    found: dict[Category, Trigger], active: Active, mention: WordSpan, clauses: Sequence[int], *, has_verb: bool
) -> None:
    """Let the open triggers before the mention say what those after it have not. has_verb: a verb comes next."""
    answered = found.keys() & {"present", "possible", "hypothetical"}
    found.pop("present", None)
    alternative = next((trigger.start for trigger, effect in reversed(active) if effect.categories == _OR), -1)
    is_listed = alternative >= 0 and clauses[alternative] == clauses[mention[0]]
    for trigger, effect in active:
        is_same_clause = clauses[mention[0]] == clauses[trigger.end - 1]
        # "Not febrile, or short of breath": what the first alternative is, the second is.
        is_alternative = (
            is_listed
            and effect.categories[0] == "absent"
            and 0 <= alternative - trigger.end <= effect.reach + 1
            and mention[0] - alternative <= _OR_WORDS
        )
        is_far = mention[0] - trigger.end > effect.reach or (effect.clause_only and not is_same_clause)
        if is_far and not is_alternative:
            continue
        for category in effect.categories:
            # "No fever, pneumonia is suspected": its own predicate says more than a negation beyond the comma.
            is_overruled = category == "absent" and (
                "hypothetical" in answered or ((answered or has_verb) and not is_same_clause and not is_listed)
            )
            if category == "cause":
                # "The cause of her anemia is unclear" doubts the cause.
                found.pop("possible", None)
            elif not is_overruled:
                found[category] = trigger  # the nearest one wins


def _take_after(
    found: dict[Category, Trigger], mention: WordSpan, triggers: Sequence[Trigger], clauses: Sequence[int]
) -> None:
    """Let the triggers after the mention speak, up to the first that begins a new statement."""
    is_predicated = is_listed = False
    for trigger in triggers:
        effect = trigger.rule.backward
        if effect is None:
            continue
        category = effect.categories[0]
        if category in ("end", "subject"):
            return
        if category in _LINKS:
            is_listed = True
        elif category in _PREDICATES:
            is_predicated = True
        elif _reaches_back(mention, trigger, effect, clauses, is_listed=is_listed):
            if category == "present":
                found.update({} if found else {"present": trigger})
                is_predicated = True
            elif not is_predicated or category not in _STATUS_ORDER:
                found.setdefault(category, trigger)


def _reaches_back(
    mention: WordSpan, trigger: Trigger, effect: Effect, clauses: Sequence[int], *, is_listed: bool
) -> bool:
    if trigger.start - mention[1] > effect.reach:
        return False
    stays = effect.clause_only or (effect.list_only and not is_listed)
    return not (stays and _is_apart(mention[1] - 1, trigger, clauses))


def _is_apart(last: int, trigger: Trigger, clauses: Sequence[int]) -> bool:
    """Whether a comma parts them; not so in "renal failure, resolved", where the trigger has a clause to itself."""
    if clauses[last] == clauses[trigger.start]:
        return False
    is_last = trigger.end >= len(clauses) or clauses[trigger.end] != clauses[trigger.start]
    return not (is_last and clauses[trigger.start - 1] != clauses[trigger.start])


def _decided(found: dict[Category, Trigger], section: str, header: WordSpan | None) -> Reading:
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
        trigger=(decisive.start, decisive.end) if decisive else header if section in TELLING_SECTIONS else None,
        resolved="resolved" in found,
    )


TELLING_SECTIONS = (
    FAMILY_SECTIONS | HISTORICAL_SECTIONS | HYPOTHETICAL_SECTIONS | POSSIBLE_SECTIONS | CONDITIONAL_SECTIONS
)
_DECISIVE: tuple[Category, ...] = ("family", "other", "resolved", "historical")
