"""What was read, as protobuf."""

from __future__ import annotations

from collections.abc import Sequence

from vigil.v1 import notes_pb2
from vigil.v1.meta_pb2 import Span
from vigil.v1.notes_pb2 import Entity, NoteCode, ReportFinding, Section, SpanAssertion

from services.nlp_coder.assertion import Reading
from services.nlp_coder.coding import RankedCode
from services.nlp_coder.document import Document
from services.nlp_coder.findings import Finding
from services.nlp_coder.reading import ReadNote

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
# Kafka takes 8 MB at a time, of which a megabyte of text can be half. No note that a person wrote comes near these.
MOST_SECTIONS = 20_000
MOST_ENTITIES = 50_000
MOST_SPANS = 1_000


def is_whole(note: ReadNote, codes: Sequence[RankedCode], findings: Sequence[Finding]) -> bool:
    """Whether nothing of what was read is left out below: sections, entities, or spans of a code or finding."""
    spans = [code.spans for code in codes] + [finding.spans for finding in findings]
    return (
        len(note.document.sections) <= MOST_SECTIONS
        and len(note.mentions) <= MOST_ENTITIES
        and all(len(found) <= MOST_SPANS for found in spans)
    )


def temporality(reading: Reading) -> notes_pb2.Temporality.ValueType:
    return notes_pb2.TEMPORALITY_HISTORICAL if reading.historical else notes_pb2.TEMPORALITY_CURRENT


def sections_of(document: Document) -> list[Section]:
    return [
        Section(name=section.name, span=Span(start=section.start, end=section.end))
        for section in document.sections[:MOST_SECTIONS]
    ]


def as_note_code(ranked: RankedCode) -> NoteCode:
    """Assertion, temporality and experiencer stay unspecified for what only the model proposes."""
    code = NoteCode(
        code=ranked.code,
        display=ranked.display,
        score=ranked.score,
        selected=ranked.selected,
        spans=_spans(ranked.spans),
        rationale=", ".join(ranked.terms),
        origin=ranked.origin,
        billable=ranked.billable,
    )
    if ranked.reading is not None:
        code.assertion = _STATUS[ranked.reading.status]
        code.temporality = temporality(ranked.reading)
        code.experiencer = _EXPERIENCER[ranked.reading.experiencer]
    return code


def entities_of(note: ReadNote) -> list[Entity]:
    """Every dictionary mention, negated ones and those of the family included, with how it reads."""
    return [
        Entity(
            type=read.mention.kind,
            span=_span(note.document.span(read.mention.first, read.mention.last)),
            assertion=_STATUS[read.reading.status],
            temporality=temporality(read.reading),
            experiencer=_EXPERIENCER[read.reading.experiencer],
            code=read.mention.code,
        )
        for read in note.mentions[:MOST_ENTITIES]
    ]


def as_report_finding(finding: Finding) -> ReportFinding:
    return ReportFinding(label=finding.label, status=finding.status, spans=_spans(finding.spans))


def span_assertions_of(document: Document, asked: Sequence[Span]) -> list[SpanAssertion]:
    """How the caller's spans read, in their order; a span without a word reads as plain."""
    answers = []
    for span in asked:
        reading = document.reading_of_span(span.start, span.end)
        trigger = _span(document.span(*reading.trigger)) if reading.trigger else None
        answers.append(
            SpanAssertion(
                assertion=_STATUS[reading.status],
                temporality=temporality(reading),
                experiencer=_EXPERIENCER[reading.experiencer],
                trigger=trigger,
            )
        )
    return answers


def _span(characters: tuple[int, int]) -> Span:
    return Span(start=characters[0], end=characters[1])


def _spans(spans: Sequence[tuple[int, int]]) -> list[Span]:
    return [_span(span) for span in spans[:MOST_SPANS]]
