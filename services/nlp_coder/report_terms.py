"""The tables of radiology reports: what they name, how they describe it, and where it lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from services.nlp_coder.data_files import rows
from services.nlp_coder.tokens import normalised
from services.nlp_coder.triggers import spelled_out
from services.nlp_coder.word_trie import WordTrie, word_trie

FindingStatus = Literal["positive", "negative", "uncertain"]
Region = Literal["chest", "brain", "other"]
Side = Literal["left", "right", "bilateral"]
SUPPORT_DEVICES = "support_devices"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a phrase says. label: None for what only looks like a finding.

    status: None to read it in its sentence. region: the part of the body that it must be about, None for any.
    device: of support_devices.
    """

    label: str | None
    status: FindingStatus | None
    region: Region | None
    device: str = ""


@dataclass(frozen=True, slots=True)
class Cue:
    """A word beside a finding: its kind (severity, change, side, ...) and what it says, normalised."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Place:
    """A region by name. side: the one that its phrase implies, "" where the words beside it tell."""

    region: str
    side: str


@dataclass(frozen=True, slots=True)
class BodyRegion:
    """A row of the region table. body: chest, brain, or device for where only devices end. image: "" for none."""

    name: str
    body: str
    within: str
    is_sided: bool
    image: str


@dataclass(frozen=True, slots=True)
class ReportTerms:
    """Phrases of findings and devices; of cues and places beside them; words that tell the part of the body.

    breaks: words that a noun with its adjectives does not go back beyond. qualifiers: of which a negation leaves others
    of the kind. causes: by which what is seen is traced to what may be.
    """

    findings: WordTrie[Meaning]
    cues: WordTrie[Cue | Place]
    regions: Mapping[str, BodyRegion]
    region_words: Mapping[str, Region]
    breaks: frozenset[str]
    qualifiers: frozenset[str]
    causes: frozenset[str]


@cache
def load_report_terms() -> ReportTerms:
    """Read the tables, once a process. Raises ValueError for a slip in one."""
    classes = {name: words for name, words, _source in rows("report_words.tsv", 3)}
    findings = [
        (words, Meaning(_unless(label), _unless(status), None if region == "any" else region))  # type: ignore[arg-type]
        for pattern, label, status, region, _source in rows("report_terms.tsv", 5)
        for words in spelled_out(pattern, classes)
    ]
    devices = [
        (words, Meaning(SUPPORT_DEVICES, _unless(status), None, device))  # type: ignore[arg-type]
        for pattern, device, status, _source in rows("report_devices.tsv", 4)
        for words in spelled_out(pattern, classes)
    ]
    cues: list[tuple[tuple[str, ...], Cue | Place]] = [
        (words, Cue(kind, value))
        for pattern, kind, value, _source in rows("report_cues.tsv", 4)
        for words in spelled_out(pattern, classes)
    ]
    regions = body_regions()
    for pattern, region, side, _source in rows("report_locations.tsv", 4):
        if region not in regions:
            raise ValueError(f"report_locations.tsv: {region} is no region of report_regions.tsv")
        cues += [(words, Place(region, _unless(side) or "")) for words in spelled_out(pattern, classes)]
    named = [(words, meaning) for phrase, meaning in findings + devices for words in _spellings(phrase)]
    return ReportTerms(
        word_trie(named, _norms(classes["passed"])),
        word_trie(cues),
        regions,
        {normalised(word): region for word, region, _source in rows("region_words.tsv", 3)},  # type: ignore[misc]
        _norms(classes["breaks"]),
        _norms(classes["qualifiers"]),
        _norms(classes["causes"]),
    )


def _spellings(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """A phrase and, where it has one, its plural that the normalisation leaves: "hematomas"."""
    yield words
    if any(word.endswith("oma") for word in words):
        yield tuple(f"{word}s" if word.endswith("oma") else word for word in words)


def _norms(words: str) -> frozenset[str]:
    return frozenset(map(normalised, words.split("|")))


def body_regions() -> Mapping[str, BodyRegion]:
    """Regions by name, those that hold others before them."""
    return {
        name: BodyRegion(name, body, _unless(within) or "", sided == "yes", _unless(image) or "")
        for name, body, within, sided, image, _source in rows("report_regions.tsv", 6)
    }


def _unless(cell: str) -> str | None:
    return None if cell == "-" else cell
