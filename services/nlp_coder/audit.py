"""Hold the codes that somebody assigned against what a note says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from services.nlp_coder.audit_facts import (
    Closer,
    Facts,
    closer_codes,
    denials,
    describing_words,
    facts_of,
    history_code,
    is_displaced,
    is_plain,
    lacking,
    misplaced,
    missed_features,
    near,
    sided_code,
    stated,
    support_features,
)
from services.nlp_coder.audit_policy import Auditor, Policy, Tables
from services.nlp_coder.code_relations import as_published, has_what_lacks, leaves_nothing_to
from services.nlp_coder.code_set import Code, category_of
from services.nlp_coder.coding import RankedCode
from services.nlp_coder.evidence import ReadMention
from services.nlp_coder.reading import ReadNote

Verdict = Literal["supported", "unsupported", "contradicted", "less_specific", "missing"]
Spans = list[tuple[int, int]]
# A word of a name tells something when fewer than one name in fifty has it: ln(50).
_TELLING = 3.9


@dataclass(frozen=True, slots=True)
class Measured:
    """What the note holds of one assigned code. code: None when the code set has no such code.

    misplaced: words, first and after the last, that tell the condition of the other side alone, or without what the
    code's name has. unstated: told of the past alone, or all in the words of a condition that excludes it.
    """

    code: Code | None
    features: tuple[float, ...] = ()
    plainly: bool = False
    denials: tuple[ReadMention, ...] = ()
    closer: Closer | None = None
    misplaced: tuple[tuple[int, int], ...] = ()
    unstated: bool = False


@dataclass(frozen=True, slots=True)
class _Held:
    """What the assigned codes of one note are held against."""

    facts: Facts
    ranked: Mapping[str, RankedCode]
    policy: Policy
    tables: Tables


@dataclass(frozen=True, slots=True)
class Audited:
    """One code with its verdict. code: as assigned. score: support, 0 to 1; of a missing code its omission."""

    code: str
    verdict: Verdict
    score: float
    spans: Spans
    display: str
    suggested: str = ""
    suggested_display: str = ""


def audit(
    assigned: Sequence[str], note: ReadNote, ranked: Sequence[RankedCode], auditor: Auditor, *, degraded: bool
) -> list[Audited]:
    """One verdict for each of `assigned`, in their order, then what is missing, the likeliest first.

    ranked: what the coder proposes for the note. degraded: whether it did so without the model.
    """
    policy, tables = auditor.dictionary_alone if degraded else auditor.with_model, auditor.tables
    facts = facts_of(note, {entry.code: entry.score for entry in ranked}, tables.reader.guidelines)
    held = _Held(facts, {entry.code: entry for entry in ranked}, policy, tables)
    published = [as_published(code, tables.reader.code_set) for code in assigned]
    known = frozenset(code for code in published if code is not None)
    measured = {code: measure(code, known, facts, tables) for code in dict.fromkeys(published)}
    judged = [_judged(sent, measured[code], held) for sent, code in zip(assigned, published, strict=True)]
    suggested = {entry.suggested for entry in judged if entry.suggested}
    missed = missing_codes(known | suggested, facts, policy, tables)
    return judged + [
        Audited(code, "missing", omission, held.ranked[code].spans, held.ranked[code].display)
        for code, omission in missed
    ]


def measure(code: str | None, assigned: frozenset[str], facts: Facts, tables: Tables) -> Measured:
    """What the note holds of `code`, one of the `assigned`."""
    entry = tables.reader.code_set.codes.get(code or "")
    if entry is None:
        return Measured(None)
    code_set, past = tables.reader.code_set, history_code(entry, facts)
    told = [*misplaced(entry, facts, code_set), *lacking(entry, facts, code_set)]
    closer = past if isinstance(past, Closer) else _closest(entry, assigned, facts, tables)
    if closer is not None and closer.code in assigned:
        closer = None
    return Measured(
        entry,
        tuple(support_features(entry, facts, tables.word_weights, tables.reader.code_set)),
        is_plain(entry, facts, tables.reader.chronic),
        tuple(denials(entry, facts, code_set)),
        closer,
        tuple(told),
        past is not None or is_displaced(entry, facts, tables.word_weights, code_set, _TELLING),
    )


def verdict_of(measured: Measured, policy: Policy) -> Verdict:
    """Of the other side or denied, before less specific, before supported."""
    own = policy.support.probability(measured.features)
    if measured.misplaced or (measured.denials and own < policy.contradicted):
        return "contradicted"
    is_supported = (measured.plainly or own >= policy.supported) and not measured.unstated
    if measured.closer is not None and measured.closer.score >= policy.closer:
        return "less_specific"
    return "supported" if is_supported else "unsupported"


def missing_codes(assigned: Iterable[str], facts: Facts, policy: Policy, tables: Tables) -> list[tuple[str, float]]:
    """(code, omission) of the ranked codes to add, the likeliest first; each condition once."""
    known = tables.reader.code_set.codes
    taken = [known[code] for code in assigned if code in known]
    rated = [
        (known[name], policy.omission.probability(omission_features(known[name], taken, facts, tables)))
        for name in facts.scores
        if name in known
    ]
    rated.sort(key=lambda entry: (-entry[1], entry[0].code))
    missed: list[tuple[str, float]] = []
    for code, omission in rated:
        if omission < policy.missing:
            break
        if is_to_add(code, taken, facts, tables):
            missed.append((code.code, omission))
            taken.append(code)
    return missed


def omission_features(code: Code, assigned: Sequence[Code], facts: Facts, tables: Tables) -> list[float]:
    """`MISSED` of a ranked code."""
    return missed_features(code, assigned, facts, tables.word_weights, tables.reader.chronic)


def is_to_add(code: Code, assigned: Iterable[Code], facts: Facts, tables: Tables) -> bool:
    """Whether a code adds to the assigned ones what the note tells of the patient now, and on its side."""
    if any(leaves_nothing_to(other, code) for other in assigned):
        return False
    code_set = tables.reader.code_set
    if denials(code, facts, code_set) or misplaced(code, facts, code_set) or history_code(code, facts) is not None:
        return False
    return not is_displaced(code, facts, tables.word_weights, code_set, _TELLING)


def _closest(code: Code, assigned: frozenset[str], facts: Facts, tables: Tables) -> Closer | None:
    """The best documented code that says more and that nobody assigned either."""
    is_complete = code.is_leaf or code.code in tables.formerly_complete
    known, chronic = tables.reader.code_set.codes, tables.reader.chronic
    # Where the words name only the closer one, or what the assigned one lacks, they decide, and not a score.
    is_own = bool(stated(code, facts))
    found = [
        replace(closer, score=1.0)
        if is_plain(known[closer.code], facts, chronic) and (not is_own or has_what_lacks(known[closer.code], code))
        else closer
        for closer in closer_codes(code, facts, tables.reader, is_complete=is_complete)
    ]
    found.sort(key=lambda closer: -closer.score)
    sided = sided_code(code, facts, tables.reader.code_set)
    if sided is not None:
        found.insert(0, replace(sided, score=1.0))
    return next((closer for closer in found if closer.code not in assigned), None)


def _judged(sent: str, measured: Measured, held: _Held) -> Audited:
    code = measured.code
    if code is None:
        return Audited(sent, "unsupported", 0.0, [], "")
    facts, verdict = held.facts, verdict_of(measured, held.policy)
    score = held.policy.support.probability(measured.features)
    if verdict == "contradicted":
        against = _spans(facts, measured.misplaced) or _at(facts, measured.denials)
        return Audited(sent, verdict, score, against, code.display)
    if verdict == "less_specific" and measured.closer is not None:
        closer = measured.closer
        spans = _spans(facts, closer.words) or held.ranked[closer.code].spans
        says_more = held.tables.reader.code_set.codes[closer.code].display
        return Audited(sent, verdict, score, spans, code.display, closer.code, says_more)
    spans = _ground(code, held) if verdict == "supported" else []
    # A code without a word to show is a prior, not a reading.
    return Audited(sent, verdict if spans else "unsupported", score, spans, code.display)


def _ground(code: Code, held: _Held) -> Spans:
    """The words that a supported code rests on: its own, those of what is said near it, those of its name."""
    facts, ranked = held.facts, held.ranked
    if code.code in ranked:
        return ranked[code.code].spans
    mentions = near(code, facts, held.tables.reader.code_set)
    if mentions:
        return _at(facts, mentions)
    same = [entry for entry in ranked.values() if category_of(entry.code) == category_of(code.code)]
    if same:
        return max(same, key=lambda entry: entry.score).spans
    return _spans(facts, describing_words(code, facts, held.tables.word_weights, _TELLING))


def _at(facts: Facts, mentions: Iterable[ReadMention]) -> Spans:
    return _spans(facts, ((read.mention.first, read.mention.last) for read in mentions))


def _spans(facts: Facts, words: Iterable[tuple[int, int]]) -> Spans:
    return sorted({facts.note.document.span(first, last) for first, last in words})
