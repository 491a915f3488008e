"""What was read, as protobuf."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from vigil.v1 import notes_pb2
from vigil.v1.meta_pb2 import Span
from vigil.v1.notes_pb2 import Entity, NoteCode, NoteCoded, SpanAssertion

from services.nlp_coder.assertion import PLAIN, Reading
from services.nlp_coder.coding import GUIDELINE, LONGEST_RANKING, RankedCode
from services.nlp_coder.document import Document
from services.nlp_coder.entities import FoundEntity
from services.nlp_coder.findings import Finding
from services.nlp_coder.guesses import NO_GUESSES, Guesses
from services.nlp_coder.prescriptions import Attribute

_STATUS = {
    "present": notes_pb2.ASSERTION_PRESENT,
    "absent": notes_pb2.ASSERTION_ABSENT,
    "possible": notes_pb2.ASSERTION_POSSIBLE,
    "conditional": notes_pb2.ASSERTION_CONDITIONAL,
    "hypothetical": notes_pb2.ASSERTION_HYPOTHETICAL,
}
_EXPERIENCER = {
    "patient": notes_pb2.EXPERIENCER_PATIENT,
    "family": notes_pb2.EXPERIENCER_FAMILY,
    "other": notes_pb2.EXPERIENCER_OTHER,
}
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


def is_whole(
    document: Document, entities: Sequence[FoundEntity], codes: Sequence[RankedCode], findings: Sequence[Finding]
) -> bool:
    """Whether nothing of what was read is left out below: sections, entities, or spans of a code or finding."""
    counts = [len(code.spans) for code in codes] + [len(finding.spans) for finding in findings]
    counts += [len(finding.mentions) for finding in findings]
    return (
        len(document.sections) <= MOST_SECTIONS
        and len(entities) <= MOST_ENTITIES
        and all(count <= MOST_SPANS for count in counts)
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
    guesses = guesses.without({ranked.code for ranked in codes if ranked.origin == GUIDELINE})
    scores, count, done = guesses.scores, len(guesses.codes), 0
    for number, ranked in enumerate(codes):
        before, most = done, min(count, LONGEST_RANKING - number)
        while before < most and (
            scores[before] > ranked.score or (scores[before] == ranked.score and guesses.codes[before] < ranked.code)
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


def add_entities(coded: NoteCoded, entities: Sequence[FoundEntity]) -> None:
    """Every entity, negated ones and those of the family included, with how it reads and what is said of it."""
    for found in entities[:MOST_ENTITIES]:
        entity = coded.entities.add()
        entity.type, entity.origin = found.type, found.origin
        if found.code:
            entity.code = found.code
        span = entity.span
        span.start, span.end = found.start, found.end
        if found.name:
            entity.name, entity.concept = found.name, found.concept
        if found.rules:
            entity.rules = found.rules
        _set_reading(entity, found.reading)
        for attribute in found.attributes:
            _add_attribute(entity, attribute)


def _add_attribute(entity: Entity, found: Attribute) -> None:
    attribute = entity.attributes.add()
    attribute.name, attribute.value = found.name, found.value
    attribute.span.start, attribute.span.end = found.start, found.end
    if found.dose is not None:
        attribute.amount, attribute.unit = found.dose.amount, found.dose.unit
        if found.dose.high is not None:
            attribute.amount_high = found.dose.high
    if found.frequency is not None:
        attribute.as_needed = found.frequency.as_needed
        if found.frequency.least is not None and found.frequency.most is not None:
            attribute.times_per_day, attribute.times_per_day_high = found.frequency.least, found.frequency.most


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


_PLAIN = notes_pb2.ASSERTION_PRESENT, notes_pb2.TEMPORALITY_CURRENT, notes_pb2.EXPERIENCER_PATIENT


def _add_spans(field: RepeatedCompositeFieldContainer[Span], spans: Sequence[tuple[int, int]]) -> None:
    for start, end in spans[:MOST_SPANS]:
        span = field.add()
        span.start, span.end = start, end
