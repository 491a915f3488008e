"""What a radiology report says about each label, by terms and assertion.

In the manner of the CheXpert labeler: Irvin et al. 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.nlp_coder.assertion import Reading
from services.nlp_coder.data_files import rows
from services.nlp_coder.document import Document
from services.nlp_coder.phrases import PhraseTable, matches, phrase_table
from services.nlp_coder.sections import OTHER
from services.nlp_coder.tokens import normalised, words_of

FindingStatus = Literal["positive", "negative", "uncertain"]
Region = Literal["chest", "brain"]
# Characters of mentions, in order and once each.
Spans = dict[tuple[int, int], None]

# Sections that say why or how the study was made, and not what it shows.
_SILENT_SECTIONS = frozenset({"indication", "technique", "comparison", "past_medical_history", "family_history"})
_REPORT_SECTIONS = frozenset({"findings", "impression", "technique", "comparison"})
# The strongest statement of a report stands: a finding denied in one lung is still a finding in the other.
_STRENGTH: tuple[FindingStatus, ...] = ("positive", "uncertain", "negative")
# A finer label implies its broader one.
_BROADER = {
    "nodule": "lung_lesion",
    "mass": "lung_lesion",
    "infiltration": "lung_opacity",
    "consolidation": "lung_opacity",
    "pleural_thickening": "pleural_other",
}
# Labels that a report without findings may still have.
_HARMLESS = frozenset({"support_devices", "no_finding"})
NO_FINDING = "no_finding"
OTHER_KIND = "other"  # what note-ingest says of a type it does not know


@dataclass(frozen=True, slots=True)
class ReportTerm:
    """What a phrase says: each (label, fixed status or None to read it, region or None for any)."""

    meanings: tuple[tuple[str, FindingStatus | None, Region | None], ...]


@dataclass(frozen=True, slots=True)
class ReportTerms:
    """Phrases, and the words that tell which part of the body a report is about."""

    phrases: PhraseTable[ReportTerm]
    region_words: Mapping[str, Region]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the report says about a label. `spans`: characters of the mentions that decided it."""

    label: str
    status: FindingStatus
    spans: list[tuple[int, int]]


def load_report_terms() -> ReportTerms:
    """The tables of report terms and of region words."""
    meanings: dict[tuple[str, ...], list[tuple[str, FindingStatus | None, Region | None]]] = {}
    for phrase, label, status, region, _source in rows("report_terms.tsv", 5):
        meaning = (label, None if status == "-" else status, None if region == "any" else region)
        meanings.setdefault(tuple(words_of(phrase).norms), []).append(meaning)  # type: ignore[arg-type]
    phrases = phrase_table((words, ReportTerm(tuple(found))) for words, found in meanings.items())
    regions = {normalised(word): region for word, region, _source in rows("region_words.tsv", 3)}
    return ReportTerms(phrases, regions)  # type: ignore[arg-type]  # the table's regions are checked by a test


def is_report(kind: str, document: Document) -> bool:
    """Whether the note is read for findings.

    True for a note that came as radiology, for one of another kind that none knows when it has a report's sections,
    and for bare text without a kind.
    """
    if kind == OTHER_KIND:
        return _looks_like_report(document)
    if kind:
        return kind == "radiology"
    return _looks_like_report(document) or {section.name for section in document.sections} <= {OTHER}


def _looks_like_report(document: Document) -> bool:
    return any(section.name in _REPORT_SECTIONS for section in document.sections)


def findings_of(document: Document, terms: ReportTerms, kind: str) -> list[Finding]:
    """Labels that the report mentions, by label.

    `no_finding` is positive when the note is radiology and nothing else is positive or uncertain.
    """
    region = _region(document.words.norms, terms.region_words)
    said: dict[str, dict[FindingStatus, Spans]] = {}
    for first, last, term in matches(terms.phrases, document):
        if document.section_name(first) in _SILENT_SECTIONS or document.in_header(first):
            continue
        reading = document.reading(first, last)
        span = document.span(first, last)
        for label, fixed, needed in term.meanings:
            status = fixed or _status(reading)
            if status is not None and needed in (None, region):
                _say(said, label, status, span)
    findings = [_decided(label, said[label]) for label in sorted(said)]
    return _with_no_finding(findings, is_radiology=kind == "radiology" or _looks_like_report(document))


def _region(norms: Sequence[str], region_words: Mapping[str, Region]) -> Region:
    regions = [region_words[norm] for norm in norms if norm in region_words]
    return "brain" if 2 * regions.count("brain") > len(regions) else "chest"


def _status(reading: Reading) -> FindingStatus | None:
    """None when the mention is not about this study of this patient."""
    if reading.experiencer != "patient" or reading.status == "hypothetical":
        return None
    if reading.status == "absent" or reading.resolved:
        return "negative"
    if reading.historical:
        return None
    return "uncertain" if reading.status == "possible" else "positive"


def _say(
    said: dict[str, dict[FindingStatus, Spans]],
    label: str,
    status: FindingStatus,
    span: tuple[int, int],
) -> None:
    said.setdefault(label, {}).setdefault(status, {})[span] = None
    broader = _BROADER.get(label)
    if broader and status != "negative":
        _say(said, broader, status, span)


def _decided(label: str, statements: dict[FindingStatus, Spans]) -> Finding:
    status = next(status for status in _STRENGTH if status in statements)
    return Finding(label, status, list(statements[status]))


def _with_no_finding(findings: list[Finding], *, is_radiology: bool) -> list[Finding]:
    found = any(finding.status != "negative" and finding.label not in _HARMLESS for finding in findings)
    others = [finding for finding in findings if finding.label != NO_FINDING]
    said = [finding for finding in findings if finding.label == NO_FINDING]
    if found or not findings:
        return others
    return [*others, *(said or ([Finding(NO_FINDING, "positive", [])] if is_radiology else []))]
