"""What a radiology report says about each label, by terms, assertion and section.

In the manner of the CheXpert labeler: Irvin et al. 2019.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from services.nlp_coder.document import Document
from services.nlp_coder.report_details import Detail, details_of
from services.nlp_coder.report_mentions import Mention, mentions_of
from services.nlp_coder.report_terms import SUPPORT_DEVICES, FindingStatus, ReportTerms
from services.nlp_coder.sections import OTHER

_REPORT_SECTIONS = frozenset({"findings", "impression", "technique", "comparison"})
# The strongest statement of a section stands: a finding denied in one lung is still a finding in the other.
_STRENGTH: tuple[FindingStatus, ...] = ("positive", "uncertain", "negative")
# A finer label says the same of its broader one.
BROADER = {
    "nodule": "lung_lesion",
    "mass": "lung_lesion",
    "infiltration": "lung_opacity",
    "pleural_thickening": "pleural_other",
}
# Labels that a report without findings may still have.
_HARMLESS = frozenset({SUPPORT_DEVICES, "no_finding"})
# Of which a report names several, so that what the impression says of one says nothing of the others.
_MANY = frozenset({SUPPORT_DEVICES, "lung_lesion", "lung_opacity"})
NO_FINDING = "no_finding"
OTHER_KIND = "other"  # what note-ingest says of a type it does not know


@dataclass(frozen=True, slots=True)
class FindingMention:
    """One mention of a label: its characters, what it says, and what is said of it."""

    span: tuple[int, int]
    status: FindingStatus
    details: list[Detail]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the report says about a label. `spans`: characters of the mentions that decided it; `mentions`: all."""

    label: str
    status: FindingStatus
    spans: list[tuple[int, int]]
    mentions: list[FindingMention]


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
    mentions, body = mentions_of(document, terms)
    if not mentions:
        return []
    read = {id(mention): _read(document, mention, terms) for mention in mentions}
    decided: dict[str, list[Mention]] = {}
    by_label: dict[str, list[Mention]] = {}
    for mention in mentions:
        for label in _labels(mention):
            by_label.setdefault(label, []).append(mention)
    for label, own in by_label.items():
        decided[label] = _decisive(own)
    findings = [
        Finding(
            label,
            decided[label][0].status,
            list(dict.fromkeys(read[id(mention)].span for mention in decided[label])),
            [read[id(mention)] for mention in by_label[label]],
        )
        for label in sorted(by_label)
    ]
    is_radiology = kind == "radiology" or _looks_like_report(document)
    return _with_no_finding(findings, is_told=is_radiology and body != "other")


def _labels(mention: Mention) -> Iterator[str]:
    yield mention.label
    if mention.label in BROADER:
        yield BROADER[mention.label]


def _read(document: Document, mention: Mention, terms: ReportTerms) -> FindingMention:
    details = details_of(document, mention, terms.regions) if mention.label != NO_FINDING else []
    return FindingMention(document.span(mention.first, mention.last), mention.status, details)


def _decisive(mentions: Sequence[Mention]) -> list[Mention]:
    """Of the mentions of a label those that say the strongest of what the impression leaves standing."""
    groups: dict[tuple[str, str], list[Mention]] = {}
    for mention in mentions:
        groups.setdefault((mention.label, mention.device), []).append(mention)
    standing = [mention for group in groups.values() for mention in _standing(group)]
    status = next(status for status in _STRENGTH if any(mention.status == status for mention in standing))
    return [mention for mention in mentions if mention.status == status]


def _standing(mentions: Sequence[Mention]) -> Iterable[Mention]:
    """What the impression says of a thing stands over the findings section, but for what it does not speak of."""
    concluded = [mention for mention in mentions if mention.is_impression]
    is_one = mentions[0].label not in _MANY
    if not concluded or len(concluded) == len(mentions) or not is_one:
        return mentions
    speaking = [mention for mention in concluded if not mention.is_qualified]
    if not speaking:
        return mentions
    kept = [mention for mention in mentions if not mention.is_impression and _is_elsewhere(mention, speaking)]
    return [*concluded, *kept]


def _is_elsewhere(mention: Mention, concluded: Sequence[Mention]) -> bool:
    """Whether a mention is of one side, and the impression speaks of the other alone."""
    side = mention.side
    return side in ("left", "right") and all(one.side in ("left", "right") and one.side != side for one in concluded)


def _with_no_finding(findings: list[Finding], *, is_told: bool) -> list[Finding]:
    found = any(finding.status != "negative" and finding.label not in _HARMLESS for finding in findings)
    others = [finding for finding in findings if finding.label != NO_FINDING]
    said = [finding for finding in findings if finding.label == NO_FINDING]
    if found or not findings:
        return others
    return [*others, *(said or ([Finding(NO_FINDING, "positive", [], [])] if is_told else []))]
