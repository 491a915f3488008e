"""What was read, as protobuf."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import accumulate, product
from typing import TypeAlias

import numpy as np
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from numpy.typing import NDArray
from vigil.v1 import notes_pb2
from vigil.v1.meta_pb2 import Span
from vigil.v1.notes_pb2 import Entity, EntityAttribute, NoteCode, NoteCoded, SpanAssertion

from services.nlp_coder import joining_kernels
from services.nlp_coder.assertion import PLAIN, Experiencer, Reading, Status
from services.nlp_coder.coding import GUIDELINE, LONGEST_RANKING, RankedCode
from services.nlp_coder.document import Document
from services.nlp_coder.dosing import Dose, Frequency
from services.nlp_coder.entities import ORIGINS, TYPES, FoundEntities
from services.nlp_coder.findings import Finding
from services.nlp_coder.guesses import NO_GUESSES, Guesses
from services.nlp_coder.joining_kernels import MENTION

_STATUS: dict[Status, notes_pb2.Assertion.ValueType] = {
    "present": notes_pb2.ASSERTION_PRESENT,
    "absent": notes_pb2.ASSERTION_ABSENT,
    "possible": notes_pb2.ASSERTION_POSSIBLE,
    "conditional": notes_pb2.ASSERTION_CONDITIONAL,
    "hypothetical": notes_pb2.ASSERTION_HYPOTHETICAL,
}
_EXPERIENCER: dict[Experiencer, notes_pb2.Experiencer.ValueType] = {
    "patient": notes_pb2.EXPERIENCER_PATIENT,
    "family": notes_pb2.EXPERIENCER_FAMILY,
    "other": notes_pb2.EXPERIENCER_OTHER,
}
_PLAIN = notes_pb2.ASSERTION_PRESENT, notes_pb2.TEMPORALITY_CURRENT, notes_pb2.EXPERIENCER_PATIENT
_WITHHELD = {
    "denied": "the note denies it",
    "past": "past",
    "family": "a relative's",
    "other": "another person's",
    "hypothetical": "hypothetical",
    "uncertain": "uncertain",
    "excludes1": "not beside {} (Excludes1)",
    "less_specific": "{} says it more closely",
    "borrowed": "its words name {}",
}
# Kafka takes 8 MB at a time, of which a megabyte of text can be half. No note that a person wrote comes near these.
MOST_SECTIONS = 20_000
MOST_ENTITIES = 50_000
MOST_SPANS = 1_000
# Names and values that are kept as they are written.
_MOST_TEXTS = 16_384


def is_whole(
    document: Document, entities: FoundEntities, codes: Sequence[RankedCode], findings: Sequence[Finding]
) -> bool:
    """Whether nothing of what was read is left out below: sections, entities, or spans of a code or finding."""
    counts = [len(code.spans) for code in codes] + [len(finding.spans) for finding in findings]
    counts += [len(finding.mentions) for finding in findings]
    return (
        len(document.sections) <= MOST_SECTIONS
        and len(entities) <= MOST_ENTITIES
        and max(counts, default=0) <= MOST_SPANS
    )


def temporality(reading: Reading) -> notes_pb2.Temporality.ValueType:
    return notes_pb2.TEMPORALITY_HISTORICAL if reading.historical else notes_pb2.TEMPORALITY_CURRENT


def add_sections(coded: NoteCoded, document: Document) -> None:
    """All sections, in order."""
    for section in document.sections[:MOST_SECTIONS]:
        added = coded.sections.add()
        added.name = section.name
        added.span.start, added.span.end = section.start, section.end


def add_codes(coded: NoteCoded, codes: Sequence[RankedCode], guesses: Guesses = NO_GUESSES) -> None:
    """The best hundred of both, which are sorted by falling score.

    Assertion, temporality and experiencer stay unspecified for what only the model proposes.
    """
    guesses = guesses.without([ranked.code for ranked in codes if ranked.origin == GUIDELINE])
    scores, count, done = guesses.scores, len(guesses.scores), 0
    for number, ranked in enumerate(codes):
        before, most = done, min(count, LONGEST_RANKING - number)
        while before < most and (
            scores[before] > ranked.score or (scores[before] == ranked.score and guesses.code(before) < ranked.code)
        ):
            before += 1
        _add_guesses(coded, guesses, done, before)
        done = before
        if number + done >= LONGEST_RANKING:
            return
        _add_code(coded, ranked)
    _add_guesses(coded, guesses, done, min(count, LONGEST_RANKING - len(codes)))


def _add_guesses(coded: NoteCoded, guesses: Guesses, first: int, last: int) -> None:
    if last > first:
        coded.MergeFromString(guesses.messages[guesses.begins[first] : guesses.begins[last]])


def _add_code(coded: NoteCoded, ranked: RankedCode) -> None:
    """Fields are set one by one: in a third of the time that keywords take."""
    code = coded.codes.add()
    code.code, code.display = ranked.code, ranked.display
    code.score, code.selected, code.billable = ranked.score, ranked.selected, ranked.billable
    code.rationale, code.origin = _rationale(ranked), ranked.origin
    _add_spans(code.spans, ranked.spans)
    if ranked.withheld is not None:
        code.withheld, code.excluded_by = ranked.withheld.reason, ranked.withheld.by
    if ranked.reading is not None:
        _set_reading(code, ranked.reading)


def _rationale(ranked: RankedCode) -> str:
    """The terms that carried a code, and why it is withheld."""
    terms = ", ".join(ranked.terms)
    if ranked.withheld is None:
        return terms
    return f"{terms}; not selected: {_WITHHELD[ranked.withheld.reason].format(ranked.withheld.by)}"


def add_entities(coded: NoteCoded, entities: FoundEntities) -> None:
    """Every entity, negated ones and those of the family included, with how it reads and what is said of it.

    Most of what an entity's message holds has been in another: such texts are written once, and put together here.
    """
    rows = entities.rows[:MOST_ENTITIES]
    parts, said = [], []
    for row in sorted(entities.attributes):
        for one in entities.attributes[row]:
            parts.append((row, one.start, one.end))
            said.append(_attribute_text(one.name, one.value, one.dose, one.frequency))
    written = joining_kernels.messages(
        _ENTITIES_TAG, rows, *_kind_texts(entities.rules), *_reading_texts(), _reading_rows(entities.readings),
        np.array(parts, dtype=np.int64).reshape(-1, 3), *_pooled([*_named_texts(entities)[:MOST_ENTITIES], *said]),
    )  # fmt: skip
    coded.MergeFromString(written.tobytes())


def _named_texts(entities: FoundEntities) -> list[bytes]:
    """Code and names of each."""
    mentions, names = entities.mentions, entities.names
    return [
        _named_text(mentions[mention].mention.code if mention >= 0 else "", *names.get(row, _UNNAMED))
        if mention >= 0 or row in names
        else b""
        for row, mention in enumerate(entities.rows[:, MENTION].tolist())
    ]


Texts: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.int64]]


def _pooled(texts: Sequence[bytes]) -> Texts:
    """Texts one after the other, and where each begins."""
    bounds = np.fromiter(accumulate(map(len, texts), initial=0), np.int64, len(texts) + 1)
    return np.frombuffer(b"".join(texts), dtype=np.uint8), bounds


_ENTITIES_TAG = NoteCoded.DESCRIPTOR.fields_by_name["entities"].number << 3 | 2
_UNNAMED = "", ""


@cache
def _kind_texts(rules: str) -> Texts:
    """Type and origin of an entity, and by whose rules it is marked, as `joining_kernels.kind_row` numbers them."""
    return _pooled(
        [
            Entity(type=type_, origin=origin, rules=by).SerializeToString()
            for type_ in TYPES
            for origin in ORIGINS
            for by in ("", rules)
        ]
    )


_READINGS = list(product(_STATUS, (False, True), _EXPERIENCER))
_ROW_OF_READING = {said: row for row, said in enumerate(_READINGS)}


@cache
def _reading_texts() -> Texts:
    """How an entity reads, in the order of `_READINGS`."""
    texts = []
    for status, historical, experiencer in _READINGS:
        entity = Entity()
        _set_reading(entity, Reading(status, historical, experiencer, None))
        texts.append(entity.SerializeToString())
    return _pooled(texts)


def _reading_rows(readings: Sequence[Reading]) -> NDArray[np.int64]:
    plain = _ROW_OF_READING[PLAIN.status, PLAIN.historical, PLAIN.experiencer]
    return np.array(
        [plain if one is PLAIN else _ROW_OF_READING[one.status, one.historical, one.experiencer] for one in readings],
        dtype=np.int64,
    )


@lru_cache(_MOST_TEXTS)
def _named_text(code: str, concept: str, name: str) -> bytes:
    return Entity(code=code, concept=concept, name=name).SerializeToString()


@lru_cache(_MOST_TEXTS)
def _attribute_text(name: str, value: str, dose: Dose | None, frequency: Frequency | None) -> bytes:
    attribute = EntityAttribute(name=name, value=value)
    if dose is not None:
        attribute.amount, attribute.unit = dose.amount, dose.unit
        if dose.high is not None:
            attribute.amount_high = dose.high
    if frequency is not None:
        attribute.as_needed = frequency.as_needed
        if frequency.least is not None and frequency.most is not None:
            attribute.times_per_day, attribute.times_per_day_high = frequency.least, frequency.most
    return attribute.SerializeToString()


def add_findings(coded: NoteCoded, findings: Sequence[Finding]) -> None:
    """What the report says, label by label, with all mentions of each."""
    for finding in findings:
        added = coded.findings.add(label=finding.label, status=finding.status)
        _add_spans(added.spans, finding.spans)
        for one in finding.mentions[:MOST_SPANS]:
            mention = added.mentions.add(status=one.status)
            mention.span.start, mention.span.end = one.span
            for said in one.details:
                detail = mention.details.add(name=said.name, value=said.value)
                detail.span.start, detail.span.end = said.span


def add_span_assertions(coded: NoteCoded, document: Document, asked: Sequence[Span]) -> None:
    """How the caller's spans read, in their order; a span without a word reads as plain."""
    for span in asked:
        reading = document.reading_of_span(span.start, span.end)
        answer = coded.span_assertions.add()
        _set_reading(answer, reading)
        if reading.trigger:
            answer.trigger.start, answer.trigger.end = document.span(*reading.trigger)


def _set_reading(message: NoteCode | Entity | SpanAssertion, reading: Reading) -> None:
    if reading is PLAIN:  # as most are
        message.assertion, message.temporality, message.experiencer = _PLAIN
        return
    message.assertion = _STATUS[reading.status]
    message.temporality = temporality(reading)
    message.experiencer = _EXPERIENCER[reading.experiencer]


def _add_spans(field: RepeatedCompositeFieldContainer[Span], spans: Sequence[tuple[int, int]]) -> None:
    for start, end in spans[:MOST_SPANS]:
        span = field.add()
        span.start, span.end = start, end
