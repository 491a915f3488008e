"""What the triggers of a sentence say of mentions in it: compiled, as `kernels`. See `assertion` for whom it follows.

A trigger is a row of int64: first word, word after the last, rule. A rule has an effect on what follows it and one on
what precedes it, or -1: `sides`, int64 [rules, 2]. An effect is a row of `effects`.
"""

import numpy as np

from services.nlp_coder.kernels import compiled

# In the order of `triggers.CATEGORIES`.
(
    ABSENT, POSSIBLE, HYPOTHETICAL, CONDITIONAL, PRESENT, HISTORICAL, RESOLVED, FAMILY, OTHER, PSEUDO, END, VERB,
    PARTICIPLE, SUBJECT, NOW, ITEM, DEGREE, QUALITY, NO_CHANGE, OR, AND, REVERSED, COMPANY, HABIT, GIVEN, CAUSE,
) = range(26)  # fmt: skip
CATEGORIES = 26
# Columns of an effect: its categories, how many there are, the last of them, words that it reaches, the flags of
# `triggers.Effect`, and the effect that is left when the first category has had its say.
COUNT, LAST, REACH, CLAUSE_ONLY, OUTLIVES_SUBJECT, BARE, LIST_ONLY, REST = range(3, 11)
MOST_CATEGORIES, EFFECT = 3, 11
# The first effect: that of "no" in "no change".
DENIED = 0
FORWARD_REACH, BACKWARD_REACH = 30, 12
# Words within which "denies that she has" still speaks of what follows, and "or" with one word more before its item.
_OWN_CLAUSE_WORDS, _OR_WORDS = 6, 2
_STATUSES = 1 << ABSENT | 1 << HYPOTHETICAL | 1 << POSSIBLE | 1 << CONDITIONAL
# A verb ends a negation, but nobody stops being the mother because of one.
_OUTLIVE_VERBS = 1 << FAMILY | 1 << OTHER | 1 << HYPOTHETICAL | 1 << CONDITIONAL
_OUTLIVE_ENDS = 1 << FAMILY | 1 << OTHER | 1 << HYPOTHETICAL
_STATEMENTS = 1 << HYPOTHETICAL | 1 << HISTORICAL | 1 << RESOLVED
_MODIFIERS = 1 << QUALITY | 1 << DEGREE | 1 << ITEM | 1 << POSSIBLE
_ASKED_MODIFIERS = 1 << HISTORICAL | 1 << RESOLVED | 1 << FAMILY | 1 << PRESENT
_PREDICATES = 1 << VERB | 1 << PARTICIPLE
_QUALITIES = 1 << DEGREE | 1 << QUALITY
_LISTED = _QUALITIES | 1 << ITEM
_ENDINGS = _LISTED | _PREDICATES | 1 << END | 1 << NO_CHANGE | 1 << SUBJECT | 1 << NOW | 1 << PRESENT
_IN_LISTS = _QUALITIES | 1 << HISTORICAL


@compiled
def _has(categories, category):
    return category >= 0 and (categories >> category) & 1 == 1


@compiled
def _says(effect, category):
    """Whether a category is among those of an effect."""
    for place in range(effect[COUNT]):
        if effect[place] == category:
            return True
    return False


@compiled
def _first_from(rows, low, high, word, column):
    """The first trigger between two that begins, or ends, at a word or after it; `high` for none."""
    while low < high:
        middle = (low + high) // 2
        if rows[middle, column] < word:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _follows_comma(trigger, clauses):
    return trigger[0] > 0 and clauses[trigger[0]] != clauses[trigger[0] - 1]


@compiled
def _is_only(effect, category):
    return effect[COUNT] == 1 and effect[0] == category


@compiled
def _is_link(trigger, sides, effects):
    forward, backward = sides[trigger[2]]
    return forward < 0 and backward >= 0 and _is_only(effects[backward], AND)


@compiled
def _modifies(effect):
    """Whether a trigger inside the words that were asked about says how the others read.

    "Lack of appetite" and "non-fatal" are no negations of what they begin.
    """
    if effect[0] == ABSENT:
        return effect[BARE] == 1
    return _has(_ASKED_MODIFIERS, effect[0]) or (effect[0] == CONDITIONAL and effect[REACH] == 0)


@compiled
def _head_of(first, last, rows, low, high, sides, effects, is_asked):
    """A mention without the words at its beginning that speak of the rest of it: "a probable viral syndrome".

    is_asked: somebody else chose its words, and it may be "no fever", "history of stroke" or "dyspnea on exertion".
    """
    if last - first == 1:
        return first, last
    for index in range(_first_from(rows, low, high, first, 0), high):
        start, end, rule = rows[index, 0], rows[index, 1], rows[index, 2]
        forward = sides[rule, 0]
        if is_asked and start == first and forward >= 0 and effects[forward, BARE] and effects[forward, 0] == NO_CHANGE:
            # "No growth": what stands inside the phrase is denied by its first word.
            first += 1
        if start > first or end >= last or forward < 0:
            break
        effect = effects[forward]
        if not (_has(_MODIFIERS, effect[0]) or (is_asked and _modifies(effect))):
            break
        first = end
    index = _first_from(rows, low, high, last, 1)
    if is_asked and index < high and rows[index, 1] == last and rows[index, 0] > first:
        backward = sides[rows[index, 2], 1]
        if backward >= 0 and _is_only(effects[backward], CONDITIONAL):
            # "Dyspnea on exertion".
            last = rows[index, 0]
    return first, last


# ---- before the mention: `active` has the triggers whose scope is open, and the effect of each ----


@compiled
def _leads_to_or(trigger, rows, low, high, sides, effects):
    """Whether a list goes on to its "or" with no new statement before it."""
    for index in range(_first_from(rows, low, high, trigger[0] + 1, 0), high):
        forward = sides[rows[index, 2], 0]
        if forward >= 0 and effects[forward, 0] == OR:
            return True
        if forward >= 0 and not _has(_IN_LISTS, effects[forward, 0]):
            return False
    return False


@compiled
def _goes_on(old, kept, ending, category, follows_comma):
    """Whether the scope of `old` goes on after `ending`."""
    speaks_on = kept[OUTLIVES_SUBJECT] == 1 and ending[0] - old[1] < _OWN_CLAUSE_WORDS
    if category == ITEM:
        return not _says(kept, ABSENT)
    if _has(_QUALITIES, category):
        return not _says(kept, ABSENT) or kept[BARE] == 0
    if category == NOW:
        return kept[0] != HISTORICAL
    if _has(_PREDICATES, category):
        # "No increased markings": the participle belongs to the noun, and no predicate begins.
        # "She likely has gout": the adverb belongs to the verb.
        is_joined = ending[0] == old[1] and not follows_comma
        is_adjective = is_joined and (category == PARTICIPLE or kept[LAST] == POSSIBLE)
        return is_adjective or _has(_OUTLIVE_VERBS, kept[LAST]) or speaks_on
    if category == SUBJECT:
        return speaks_on
    return _has(_OUTLIVE_ENDS, kept[LAST])


@compiled
def _after_ending(active, count, ending, category, is_linked, rows, low, high, sides, effects, clauses):
    """How many are still open after a trigger that ends others. is_linked: "and" stands before it."""
    follows_comma = _follows_comma(ending, clauses)
    if count == 0:
        return count
    if _has(_LISTED, category):
        is_new = follows_comma or (is_linked and category != QUALITY)
        if not is_new or (category != ITEM and _leads_to_or(ending, rows, low, high, sides, effects)):
            return count
    left = 0
    for place in range(count):
        if _goes_on(rows[active[place, 0]], effects[active[place, 1]], ending, category, follows_comma):
            active[left] = active[place]
            left += 1
    return left


@compiled
def _gives_way(old, kept, new, effect, clauses):
    """Whether a negation ends where a new statement begins."""
    if kept[0] != ABSENT:
        return False
    if effect[0] == ABSENT:
        # "No history of stroke, and no fever": only the first is about the past.
        return kept[COUNT] > 1 and effect[REACH] == FORWARD_REACH
    if effect[0] == POSSIBLE:
        # "Absence of fever does not exclude infection": its own verb begins a statement.
        return effect[LAST] == VERB or clauses[old[1] - 1] != clauses[new[0]]
    return _has(_STATEMENTS, effect[0]) and _follows_comma(new, clauses)


@compiled
def _with_statement(active, count, index, forward, rows, effects, clauses):
    """How many are open once a trigger has spoken."""
    effect, left = effects[forward], 0
    if effect[0] == ABSENT:
        for place in range(count):
            if effects[active[place, 1], LAST] == REVERSED:
                # "It is not true that she has no pain."
                reversing = active[place, 0]
                for other in range(count):
                    if active[other, 0] != reversing:
                        active[left] = active[other]
                        left += 1
                return left
    for place in range(count):
        if not _gives_way(rows[active[place, 0]], effects[active[place, 1]], rows[index], effect, clauses):
            active[left] = active[place]
            left += 1
    active[left, 0], active[left, 1] = index, forward
    return left + 1


@compiled
def _without_clause(active, count, first, last, rows, low, high, sides, effects, clauses):
    """How many still speak of a mention that has a verb of its own: "no pneumonia and [heart is enlarged]"."""
    start = _first_from(rows, low, high, first, 0)
    has_verb = False
    for index in range(start, _first_from(rows, start, high, last, 0)):
        forward = sides[rows[index, 2], 0]
        has_verb = has_verb or (forward >= 0 and effects[forward, 0] == VERB)
    if not has_verb:
        return count
    is_linked = start > low and rows[start - 1, 1] == first and _is_link(rows[start - 1], sides, effects)
    left = 0
    for place in range(count):
        is_same_clause = clauses[rows[active[place, 0], 1] - 1] == clauses[first]
        if effects[active[place, 1], 0] != ABSENT or (not is_linked and is_same_clause):
            active[left] = active[place]
            left += 1
    return left


@compiled
def _before(active, first, last, begin, end, rows, low, high, sides, effects, clauses):
    """Triggers from `begin` to `end`, before the mention, whose scope is still open when it comes: how many."""
    count, previous = 0, -1
    for index in range(begin, end):
        forward = sides[rows[index, 2], 0]
        if forward >= 0:
            category = effects[forward, 0]
            company = sides[rows[previous, 2], 0] if previous >= 0 else -1
            is_joined = previous >= 0 and rows[previous, 1] == rows[index, 0]
            if category == VERB and is_joined and company >= 0 and effects[company, 0] == COMPANY:
                # "Lives with his mother, who has dementia".
                active[count, 0], active[count, 1] = previous, effects[company, REST]
                count += 1
            elif category == NO_CHANGE and rows[index, 1] > first:
                active[0, 0], active[0, 1] = index, DENIED
                count = 1
            elif _has(_ENDINGS, category):
                is_linked = is_joined and _is_link(rows[previous], sides, effects)
                count = _after_ending(
                    active, count, rows[index], category, is_linked, rows, low, high, sides, effects, clauses
                )
            elif category != COMPANY:
                count = _with_statement(active, count, index, forward, rows, effects, clauses)
        previous = index
    if count:
        count = _without_clause(active, count, first, last, rows, low, high, sides, effects, clauses)
    return count


# ---- what they say: `found` has for each category the trigger that says it, or -1 ----


@compiled
def _is_apart(last, trigger, clauses):
    """Whether a comma parts them; not so in "renal failure, resolved", where the trigger has a clause to itself."""
    start, end = trigger[0], trigger[1]
    if clauses[last] == clauses[start]:
        return False
    is_last = end >= len(clauses) or clauses[end] != clauses[start]
    return not (is_last and clauses[start - 1] != clauses[start])


@compiled
def _take_after(found, last, begin, end, rows, sides, effects, clauses):
    """Let the triggers after the mention speak, up to the first that begins a new statement."""
    is_predicated = is_listed = False
    for index in range(begin, end):
        backward = sides[rows[index, 2], 1]
        if backward < 0:
            continue
        effect, trigger = effects[backward], rows[index]
        category = effect[0]
        if category == END or category == SUBJECT:
            return
        stays = effect[CLAUSE_ONLY] == 1 or (effect[LIST_ONLY] == 1 and not is_listed)
        reaches = trigger[0] - last <= effect[REACH] and not (stays and _is_apart(last - 1, trigger, clauses))
        if category == OR or category == AND:
            is_listed = True
        elif _has(_PREDICATES, category):
            is_predicated = True
        elif reaches and category == PRESENT:
            if found.max() < 0:
                found[PRESENT] = index
            is_predicated = True
        elif reaches and (not is_predicated or not _has(_STATUSES, category)) and found[category] < 0:
            found[category] = index


@compiled
def _take_before(found, active, count, first, has_verb, rows, effects, clauses):
    """Let the open triggers before the mention say what those after it have not. has_verb: a verb comes next."""
    is_hypothetical = found[HYPOTHETICAL] >= 0
    is_answered = is_hypothetical or found[PRESENT] >= 0 or found[POSSIBLE] >= 0
    found[PRESENT] = -1
    alternative = -1
    for place in range(count):
        if _is_only(effects[active[place, 1]], OR):
            alternative = rows[active[place, 0], 0]
    is_listed = alternative >= 0 and clauses[alternative] == clauses[first]
    for place in range(count):
        trigger, effect = rows[active[place, 0]], effects[active[place, 1]]
        is_same_clause = clauses[first] == clauses[trigger[1] - 1]
        # "Not febrile, or short of breath": what the first alternative is, the second is.
        is_alternative = (
            is_listed
            and effect[0] == ABSENT
            and 0 <= alternative - trigger[1] <= effect[REACH] + 1
            and first - alternative <= _OR_WORDS
        )
        is_far = first - trigger[1] > effect[REACH] or (effect[CLAUSE_ONLY] == 1 and not is_same_clause)
        if is_far and not is_alternative:
            continue
        for own in range(effect[COUNT]):
            category = effect[own]
            # "No fever, pneumonia is suspected": its own predicate says more than a negation beyond the comma.
            is_overruled = category == ABSENT and (
                is_hypothetical or ((is_answered or has_verb) and not is_same_clause and not is_listed)
            )
            if category == CAUSE:
                # "The cause of her anemia is unclear" doubts the cause.
                found[POSSIBLE] = -1
            elif not is_overruled:
                found[category] = active[place, 0]  # the nearest one wins


@compiled
def said_of(mentions, rows, sides, effects, clauses, is_asked):
    """What is said of mentions: int64 [M, 4], mention, category, and the words of the trigger that says it.

    mentions: int64 [N, 4], first word, word after the last, and where in `rows` the triggers of its sentence begin and
    end, left to right; only those within reach are looked at, so that a note costs what its length says. clauses: for
    each word of the note, how many commas stand before it. is_asked: somebody else chose the words of the mentions.
    """
    said = np.empty((len(mentions) * CATEGORIES, 4), dtype=np.int64)
    found = np.empty(CATEGORIES, dtype=np.int64)
    written = 0
    active = np.empty((FORWARD_REACH + CATEGORIES, 2), dtype=np.int64)
    for number in range(len(mentions)):
        first, last, low, high = mentions[number]
        if low == high:
            continue
        first, last = _head_of(first, last, rows, low, high, sides, effects, is_asked)
        middle = _first_from(rows, low, high, first, 0)
        # What is farther than any reach ends only what is farther still.
        begin = _first_from(rows, low, middle, first - FORWARD_REACH, 1)
        if 2 * (middle - begin) + 2 > len(active):
            active = np.empty((2 * (middle - begin) + 2, 2), dtype=np.int64)
        after = _first_from(rows, middle, high, last, 0)
        end = _first_from(rows, after, high, last + BACKWARD_REACH + 1, 0)
        found[:] = -1
        count = _before(active, first, last, begin, middle, rows, low, high, sides, effects, clauses)
        _take_after(found, last, after, end, rows, sides, effects, clauses)
        has_verb = False
        if after < end and rows[after, 0] == last:
            backward = sides[rows[after, 2], 1]
            has_verb = backward >= 0 and effects[backward, 0] == VERB and not _follows_comma(rows[after], clauses)
        _take_before(found, active, count, first, has_verb, rows, effects, clauses)
        for category in range(CATEGORIES):
            if found[category] >= 0:
                said[written, 0], said[written, 1] = number, category
                said[written, 2], said[written, 3] = rows[found[category], 0], rows[found[category], 1]
                written += 1
    return said[:written].copy()


# What a section says of its mentions, as bits, and what somebody may be.
OF_FAMILY, OF_THE_PAST, OF_WHAT_MAY_BE, OF_WHAT_IS_POSSIBLE, OF_CONDITIONS = 1, 2, 4, 8, 16
IS_PATIENT, IS_FAMILY, IS_OTHER = range(3)
# Columns of a reading: a category of `_STATUS_ORDER` or PRESENT, -1 for what nothing is said of; 0 or 1; one of the
# three above; 0 or 1; the trigger that decided it, its first word and the word after its last, -1 for none.
STATUS, IS_HISTORICAL, EXPERIENCER, IS_RESOLVED, TRIGGER, TRIGGER_END = range(6)
# Of several the first one holds; an excluded possibility is "possible" because its phrase is longer.
_STATUS_ORDER = ABSENT, HYPOTHETICAL, POSSIBLE, CONDITIONAL


@compiled
def _status_of(found, section):
    """What is said of a mention, else what its section says."""
    for status in _STATUS_ORDER:
        if found[status] >= 0:
            return status
    if section & OF_WHAT_MAY_BE:
        return HYPOTHETICAL
    if section & OF_WHAT_IS_POSSIBLE:
        return POSSIBLE
    return CONDITIONAL if section & OF_CONDITIONS else PRESENT


@compiled
def decided(mentions, sections, rows, sides, effects, clauses, is_asked):
    """How mentions read, int64 [N, 6]. sections: of each what its section says. The others as of `said_of`."""
    readings = np.zeros((len(mentions), 6), dtype=np.int64)
    said = said_of(mentions, rows, sides, effects, clauses, is_asked)
    found = np.empty(CATEGORIES, dtype=np.int64)  # of each category its row of `said`, or -1
    begin = 0
    for number in range(len(mentions)):
        found[:] = -1
        end = begin
        while end < len(said) and said[end, 0] == number:
            found[said[end, 1]] = end
            end += 1
        reading, section = readings[number], sections[number]
        reading[TRIGGER] = reading[TRIGGER_END] = -1
        if begin == end and not section:
            reading[STATUS] = -1
            continue
        begin = end
        if found[GIVEN] >= 0 and found[HABIT] >= 0:
            # "She gets a rash with penicillin."
            found[CONDITIONAL] = found[GIVEN]
        status = _status_of(found, section)
        is_family = found[FAMILY] >= 0 or section & OF_FAMILY
        reading[STATUS] = status
        reading[IS_HISTORICAL] = found[HISTORICAL] >= 0 or found[RESOLVED] >= 0 or section & OF_THE_PAST > 0
        reading[EXPERIENCER] = IS_FAMILY if is_family else IS_OTHER if found[OTHER] >= 0 else IS_PATIENT
        reading[IS_RESOLVED] = found[RESOLVED] >= 0
        for category in (status, FAMILY, OTHER, RESOLVED, HISTORICAL):
            if found[category] >= 0:
                reading[TRIGGER], reading[TRIGGER_END] = said[found[category], 2], said[found[category], 3]
                break
    return readings
