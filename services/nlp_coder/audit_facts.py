"""What a note says for and against a code that somebody assigned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.nlp_coder.code_relations import (
    BOTH_SIDES,
    LACKING,
    covers,
    has_what_lacks,
    is_below,
    is_unspecified,
    on_side,
    says_more,
    sideless,
)
from services.nlp_coder.code_set import Code, CodeSet, category_of
from services.nlp_coder.evidence import (
    SYMPTOMS,
    ChronicConditions,
    CodeEvidence,
    ReadMention,
    is_current,
    is_patients,
)
from services.nlp_coder.excludes import excludes
from services.nlp_coder.guidelines import Guidelines, HistoryCode, Spoken, past_of, spoken_of
from services.nlp_coder.laterality import side_of
from services.nlp_coder.ranking import logit
from services.nlp_coder.reading import Reader, ReadNote
from services.nlp_coder.tokens import words_of

# What support is measured by, in the order of the coefficients.
SUPPORT = ("code_logit", "category_logit", "category_mentioned", "described", "described_category")
# What a code that nobody assigned is weighed by.
MISSED = ("code_logit", "described", "plainly", "mentions", "said_otherwise", "chapter_assigned")
_MOST_MENTIONS = 4
# Weight of a word that no name of the code set has: as rare as can be. ln(98,000), the number of names.
_UNKNOWN_WORD = 11.5
_ONE_SIDE = ("right", "left")


@dataclass(frozen=True, slots=True)
class Facts:
    """One note, prepared for any number of codes.

    scores: of the ranked codes. categories: the best score of each category. said: the words that the note does not
    deny or tell of others, with their first place. spoken: what is past, and what stands instead.
    """

    note: ReadNote
    scores: Mapping[str, float]
    categories: Mapping[str, float]
    evidence: Mapping[str, CodeEvidence]
    said: Mapping[str, int]
    spoken: Spoken


@dataclass(frozen=True, slots=True)
class Closer:
    """A code that says more than the assigned one. words: of its statement, first and after the last."""

    code: str
    score: float
    words: Sequence[tuple[int, int]]


def facts_of(note: ReadNote, scores: Mapping[str, float], guidelines: Guidelines) -> Facts:
    """Gather what every code of the note is held against."""
    categories: dict[str, float] = {}
    for code, score in scores.items():
        categories[category_of(code)] = max(score, categories.get(category_of(code), 0.0))
    return Facts(
        note,
        scores,
        categories,
        note.evidence,
        _said(note),
        spoken_of(note.mentions, note.document, guidelines),
    )


def _said(note: ReadNote) -> dict[str, int]:
    hidden = {
        word
        for read in note.mentions
        if not is_patients(read.reading)
        for word in range(read.mention.first, read.mention.last)
    }
    said: dict[str, int] = {}
    for index, norm in enumerate(note.document.words.norms):
        if norm and index not in hidden:
            said.setdefault(norm, index)
    return said


def support_features(code: Code, facts: Facts, weights: Mapping[str, float], code_set: CodeSet) -> list[float]:
    """`SUPPORT` of one code."""
    category = category_of(code.code)
    above = code_set.codes.get(category, code)
    return [
        logit(facts.scores.get(code.code, 0.0)),
        logit(facts.categories.get(category, 0.0)),
        float(any(entry.patients for name, entry in facts.evidence.items() if category_of(name) == category)),
        described(code, facts.said, weights),
        described(above, facts.said, weights),
    ]


def missed_features(
    code: Code, assigned: Sequence[Code], facts: Facts, weights: Mapping[str, float], chronic: ChronicConditions
) -> list[float]:
    """`MISSED` of one ranked code, beside those that were assigned."""
    own = facts.evidence.get(code.code, CodeEvidence())
    return [
        logit(facts.scores[code.code]),
        described(code, facts.said, weights),
        float(is_plain(code, facts, chronic)),
        float(min(len(own.patients), _MOST_MENTIONS)),
        float(bool(own.others)),
        math.log1p(sum(other.code[0] == code.code[0] for other in assigned)),
    ]


def described(code: Code, said: Mapping[str, int], weights: Mapping[str, float]) -> float:
    """Share of the code's name, or of its best inclusion term, that the note's words make up; rare words count more."""
    return max(_share(term, said, weights) for term in (code.display, *code.terms))


def _share(term: str, said: Mapping[str, int], weights: Mapping[str, float]) -> float:
    words = {norm: weights.get(norm, _UNKNOWN_WORD) for norm in words_of(term).norms if norm}
    total = sum(words.values())
    return sum(weight for norm, weight in words.items() if norm in said) / total if total else 0.0


def describing_words(
    code: Code, facts: Facts, weights: Mapping[str, float], least_weight: float
) -> list[tuple[int, int]]:
    """The telling words of the code's best name where they first stand in the note."""
    best = max((code.display, *code.terms), key=lambda term: _share(term, facts.said, weights))
    telling = {norm for norm in words_of(best).norms if weights.get(norm, _UNKNOWN_WORD) >= least_weight}
    return sorted((facts.said[norm], facts.said[norm] + 1) for norm in telling if norm in facts.said)


def stated(code: Code, facts: Facts) -> list[ReadMention]:
    """Mentions of the patient's that name just this code, or one below it."""
    return [
        read
        for name, entry in facts.evidence.items()
        if name == code.code or is_below(name, code.code)
        for read in entry.patients
    ]


def is_plain(code: Code, facts: Facts, chronic: ChronicConditions) -> bool:
    """Whether the note says in as many words that the patient has it now."""
    return any(read.reading.status == "present" and is_current(read.reading, code.code, chronic)
               for read in stated(code, facts))  # fmt: skip


def near(code: Code, facts: Facts, code_set: CodeSet) -> list[ReadMention]:
    """Mentions of the patient's whose code says what this one says, more or less closely."""
    found = []
    for name, entry in facts.evidence.items():
        other = code_set.codes.get(name)
        if other is not None and covers(code, other):
            found += entry.patients
    return found


def denials(code: Code, facts: Facts, code_set: CodeSet) -> list[ReadMention]:
    """Mentions that deny it, or tell it of somebody else or as what may come, when none tells it of the patient.

    To deny the general is to deny the special, and not the other way round; a suspicion does not outweigh a denial.
    """
    found = []
    for name, entry in facts.evidence.items():
        other = code_set.codes.get(name)
        if other is not None and _includes(other, code):
            found += [read for read in entry.others if _denies(read)]
    is_denied = any(read.reading.status == "absent" and read.reading.experiencer == "patient" for read in found)
    kept = [read for read in near(code, facts, code_set) if not (is_denied and read.reading.status == "possible")]
    return [] if kept else found


def _includes(general: Code, code: Code) -> bool:
    if general.code == code.code or is_below(code.code, general.code):
        return True
    if is_below(general.code, code.code):
        return not says_more(general, code)
    return is_unspecified(general) and category_of(general.code) == category_of(code.code)


def _denies(read: ReadMention) -> bool:
    return read.reading.experiencer != "patient" or read.reading.status in ("absent", "hypothetical")


def closer_codes(code: Code, facts: Facts, reader: Reader, *, is_complete: bool) -> list[Closer]:
    """Codes that the note documents and that say more than `code`, the best first.

    is_complete: whether the assigned code stands by itself; else any code below it is closer.
    """
    known, found = reader.code_set.codes, []
    for name in {*facts.scores, *facts.evidence}:
        other = known.get(name)
        if other is None or not (says_more(other, code) or (not is_complete and is_below(name, code.code))):
            continue
        mentions = facts.evidence[name].patients if name in facts.evidence else []
        words = [(read.mention.first, read.mention.last) for read in mentions]
        if words or name in facts.scores:
            found.append(Closer(name, facts.scores.get(name, 0.0), words))
    return sorted(found, key=lambda closer: (-closer.score, closer.code))


def history_code(code: Code, facts: Facts) -> Closer | str | None:
    """The history code that stands for a condition told of the past alone; "" for none, None when it is not past."""
    history = past_of(code.code, facts.spoken)
    return Closer(history.code, 1.0, history.words) if isinstance(history, HistoryCode) else history


def is_displaced(code: Code, facts: Facts, weights: Mapping[str, float], code_set: CodeSet, telling: float) -> bool:
    """Whether all that speaks for a code are the words of a condition that excludes it: "type 1 diabetes" of type 2.

    telling: weight from which a word of a name says something.
    """
    if near(code, facts, code_set):
        return False
    words: set[int] = set()
    for name, entry in facts.evidence.items():
        is_other = name[0] == code.code[0] != SYMPTOMS and entry.patients
        if is_other and (excludes(name, code.code, code_set) or excludes(code.code, name, code_set)):
            words |= {word for read in entry.patients for word in range(read.mention.first, read.mention.last)}
    if not words:
        return False
    own = {norm for norm in words_of(code.display).norms if weights.get(norm, _UNKNOWN_WORD) >= telling}
    places = [word for word, norm in enumerate(facts.note.document.words.norms) if norm in own]
    return bool(places) and words.issuperset(places)


def sided_code(code: Code, facts: Facts, code_set: CodeSet) -> Closer | None:
    """The code for the one side told beside the mentions of a condition, where the assigned code leaves it open."""
    if "unspecified " not in code.display:
        return None
    document, mentions = facts.note.document, stated(code, facts)
    sides = [side_of(document, read.mention.first, read.mention.last) for read in mentions]
    told = {side for side, _word in sides if side}
    if len(told) != 1:
        return None
    sided = on_side(code.code, told.pop(), code_set)
    if sided is None:
        return None
    words = [(min(word, read.mention.first), max(word + 1, read.mention.last))
             for (side, word), read in zip(sides, mentions, strict=True) if side]  # fmt: skip
    return Closer(sided, facts.scores.get(sided, 0.0), words)


def misplaced(code: Code, facts: Facts, code_set: CodeSet) -> list[tuple[int, int]]:
    """Words, first and after the last, that tell the condition of the other side, when none tells it of the code's own.

    A mention is of the condition when the name of its code says nothing but what the assigned one's does, sides aside.
    """
    name, own = sideless(code)
    if own not in _ONE_SIDE:
        return []
    words: list[tuple[int, int]] = []
    for other_code, entry in facts.evidence.items():
        other = code_set.codes.get(other_code)
        if other is None or category_of(other_code) != category_of(code.code) or not sideless(other)[0] <= name:
            continue
        for read in entry.patients:
            first, last = read.mention.first, read.mention.last
            side, word = side_of(facts.note.document, first, last)
            if side in (own, BOTH_SIDES):
                return []
            if side:
                words.append((min(word, first), max(word + 1, last)))
    return words


def lacking(code: Code, facts: Facts, code_set: CodeSet) -> list[tuple[int, int]]:
    """Words that say in so many that it lacks what the code's name has: "without bleeding"; none if one states it."""
    if stated(code, facts):
        return []
    return [
        (read.mention.first, read.mention.last)
        for name, entry in facts.evidence.items()
        if name in code_set.codes and has_what_lacks(code, code_set.codes[name])
        for read in entry.patients
        if not LACKING.isdisjoint(read.phrase.split(" "))
    ]
