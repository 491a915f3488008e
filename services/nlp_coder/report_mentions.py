"""Mentions of findings and devices in a radiology report, sentence by sentence, each with its status."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from services.nlp_coder.assertion import Reading
from services.nlp_coder.document import Document
from services.nlp_coder.report_terms import SUPPORT_DEVICES, Cue, FindingStatus, Meaning, Place, Region, ReportTerms
from services.nlp_coder.word_trie import found_in

IMPRESSION = "impression"
IMPROVED, IF_ANY = Cue("change", "improved"), Cue("hedge", "if_any")
# Sections that say why or how the study was made, and not what it shows.
SILENT_SECTIONS = frozenset(
    {"indication", "technique", "comparison", "past_medical_history", "family_history", "history_of_present_illness"}
)
_ASKING = frozenset({"indication", "past_medical_history", "history_of_present_illness"})
# They say nothing up to a blank line: findings without a header of their own follow after it.
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
_INK = re.compile(r"\S")
# Where findings follow in the same paragraph, they follow late. These and the other counts of words are local.
_SHORT_SECTIONS, _SHORT_SECTION_WORDS = frozenset({"technique", "comparison"}), 60
_NOUN_WORDS = 7
# "A trace amount of fluid", "9 mm of shift" are one noun.
_AMOUNTS = frozenset(
    {"amount", "area", "component", "degree", "focus", "foci", "quantity", "region", "volume", "mm", "cm"}
)
_JOINERS = frozenset({"and", "or", "plus", "versus", "vs", "as", "well"})
# What stands between two of which one is meant, with an adjective at most.
_OR, _OR_WORDS = frozenset({"or", "versus", "vs"}), 2
# Words by which what is seen is traced to what may be stand close behind the doubt.
_CAUSE_WORDS = 2
# Words between "near resolution of" and the end of what it is said of.
_LEFT_WORDS = 6
# Findings that stay once they have happened.
_LASTING = frozenset({"brain_infarct", "fracture"})
# Words that begin what a negation does not reach: "no pneumothorax following chest tube placement".
_AFTER = frozenset({"after", "following", "post", "status", "s/p", "with", "despite", "since"})
# Words within which "evaluate for" makes what follows no finding, and "removal of" a device that is gone.
_SILENT_REACH, _REMOVED_REACH = 5, 7
# Words before and after a mention in which anything is looked for that may be said of it.
_REACH = 40
# Words that it takes for a report to be of neither chest nor brain.
_ELSEWHERE = 3
# "Frontal view" is no brain.
_OF_VIEWS = frozenset({"view", "radiograph", "projection", "film", "chest", "image", "portable", "upright", "and"})


@dataclass(frozen=True, slots=True)
class Found:
    """A cue or a place at words `first` to `last`."""

    first: int
    last: int
    value: Cue | Place


@dataclass(frozen=True, slots=True)
class Zones:
    """Where the cues of a mention stand, each as (first word, word after the last).

    noun: the mention with its adjectives. before: what leads to the first mention of a sentence. after: what follows,
    up to the next noun; shared by mentions that "and" or "or" joins.
    """

    noun: tuple[int, int]
    before: tuple[int, int]
    after: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Mention:
    """A finding or device at words `first` to `last`.

    is_qualified: denied for a part only. cues: of its sentence, within reach, in order.
    """

    first: int
    last: int
    label: str
    device: str
    status: FindingStatus
    is_qualified: bool
    is_impression: bool
    zones: Zones
    cues: Sequence[Found]

    @property
    def side(self) -> str:
        """The one side that is told with its noun, "" for none or both."""
        sides = {
            cue.value.value
            for cue in self.cues
            if isinstance(cue.value, Cue) and cue.value.kind == "side" and within(cue, self.zones.noun)
        }
        return next(iter(sides)) if len(sides) == 1 else ""


Match = tuple[int, int, list[Meaning]]


@dataclass(frozen=True, slots=True)
class _Sentence:
    """Words `start` to `end` of the document with what was found there."""

    document: Document
    terms: ReportTerms
    start: int
    end: int
    matches: list[Match]
    zones: list[Zones]
    cues: list[Found]
    alternatives: set[int]

    def near(self, index: int) -> Sequence[Found]:
        """Cues within reach of a match, so that a report costs what its length says."""
        first, last, _meanings = self.matches[index]
        low = bisect_left(self.cues, first - _REACH, key=_first_of)
        return self.cues[low : bisect_right(self.cues, last + _REACH, lo=low, key=_first_of)]


_first_of = attrgetter("first")


@dataclass(frozen=True, slots=True)
class _Body:
    """Words that tell a part of the body, in order, and the part that most of them tell."""

    words: list[int]
    told: list[Region]
    mostly: Region

    def near(self, first: int, last: int, start: int, end: int) -> Region:
        """What the nearest of them among the words `start` to `end` tells, else what most do."""
        low = bisect_left(self.words, max(start, first - _REACH))
        high = bisect_left(self.words, min(end, last + _REACH))
        if low == high:
            return self.mostly
        nearest = min(
            range(low, high),
            key=lambda index: (
                max(first - self.words[index], self.words[index] - last + 1, 0),
                self.told[index] != self.mostly,
            ),
        )
        return self.told[nearest]


def mentions_of(document: Document, terms: ReportTerms) -> tuple[list[Mention], Region]:
    """Mentions in order, and the part of the body that most of the report is about."""
    body, silences = _body(document, terms), _silences(document)
    matches: list[Match] = []
    for first, last, meanings in found_in(terms.findings, document, 0, len(document.words)):
        character, word = silences[document.section[first]]
        is_silent = document.words.starts[first] < character and first < word
        if meanings[0].label is not None and not is_silent and not document.in_header(last - 1):
            matches.append((first, last, meanings))
    mentions: list[Mention] = []
    for number, group in groupby(matches, key=lambda match: document.sentence[match[0]]):
        sentence = _sentence(document, terms, number, list(group))
        for index in range(len(sentence.matches)):
            mentions += _mentions(sentence, index, body)
    return mentions, body.mostly


def _body(document: Document, terms: ReportTerms) -> _Body:
    """Chest where nothing tells; neither it nor the brain only where several words say so."""
    norms, known = document.words.norms, terms.region_words
    words = [index for index, norm in enumerate(norms) if norm in known and not _is_of_view(norms, index)]
    told = [known[norms[index]] for index in words]
    # "History: lung cancer" says nothing of what a brain scan shows.
    shown = [part for index, part in zip(words, told, strict=True) if document.section_name(index) not in _ASKING]
    parts: tuple[Region, ...] = ("chest", "brain", "other")
    mostly = max(parts if told.count("other") >= _ELSEWHERE else parts[:2], key=(shown or told).count)
    return _Body(words, told, mostly)


def _is_of_view(norms: Sequence[str], index: int) -> bool:
    return norms[index] == "frontal" and index + 1 < len(norms) and norms[index + 1] in _OF_VIEWS


def _silences(document: Document) -> list[tuple[int, int]]:
    """Of each section the characters up to which it says nothing, and the words up to which it may; 0 for none."""
    found = []
    for section in document.sections:
        if section.name not in SILENT_SECTIONS:
            found.append((0, 0))
            continue
        ink = _INK.search(document.text, section.body, section.end)
        blank = _BLANK_LINE.search(document.text, ink.start(), section.end) if ink else None
        opens = bisect_left(document.words.starts, section.body)
        words = _SHORT_SECTION_WORDS if section.name in _SHORT_SECTIONS else len(document.words)
        found.append((blank.start() if blank else section.end, opens + words))
    return found


def _sentence(document: Document, terms: ReportTerms, number: int, matches: list[Match]) -> _Sentence:
    start, end = bisect_left(document.sentence, number), bisect_right(document.sentence, number)
    cues = [
        Found(first, last, value)
        for first, last, values in found_in(terms.cues, document, start, end)
        for value in values
    ]
    zones = _zones(document, terms, matches, (start, end))
    return _Sentence(document, terms, start, end, matches, zones, cues, _alternatives(document, matches))


def _zones(document: Document, terms: ReportTerms, matches: Sequence[Match], sentence: tuple[int, int]) -> list[Zones]:
    start, end = sentence
    norms, nouns, previous = document.words.norms, [], start
    for first, last, _meanings in matches:
        nouns.append((_noun_start(document, terms, first, previous), last))
        previous = last
    found: list[Zones] = []
    after, is_shared = (end, end), False
    for index in range(len(matches) - 1, -1, -1):
        opens, last = nouns[index]
        following = matches[index + 1][0] if index + 1 < len(matches) else end
        between = norms[last:following]
        # "Effusion and atelectasis at the left base": what follows the list is said of each.
        is_shared = following < end and _JOINERS.issuperset(between) and (is_shared or bool(between))
        if not is_shared:
            after = (last, nouns[index + 1][0] if index + 1 < len(nouns) else end)
        found.append(Zones(nouns[index], (start, opens) if index == 0 else (opens, opens), after))
    return found[::-1]


def _noun_start(document: Document, terms: ReportTerms, first: int, previous: int) -> int:
    norms, clauses, opens = document.words.norms, document.clauses, first
    while opens > previous and first - opens < _NOUN_WORDS and clauses[opens - 1] == clauses[first]:
        is_amount = norms[opens - 1] == "of" and opens - 2 >= previous and norms[opens - 2] in _AMOUNTS
        if norms[opens - 1] in terms.breaks and not is_amount:
            break
        opens -= 2 if is_amount else 1
    return opens


def _alternatives(document: Document, matches: Sequence[Match]) -> set[int]:
    """Matches that are named with "or" between them: "atelectasis or pneumonia"."""
    norms, found = document.words.norms, set()
    for index in range(1, len(matches)):
        before, after = matches[index - 1], matches[index]
        if after[0] - before[1] <= _OR_WORDS and not _OR.isdisjoint(norms[before[1] : after[0]]):
            found |= {index - 1, index}
    return found


def _mentions(sentence: _Sentence, index: int, body: _Body) -> Iterator[Mention]:
    """What a match means there; nothing when it is only looked for, or of another patient, time or part of the body."""
    first, last, meanings = sentence.matches[index]
    cues = sentence.near(index)
    if _is_looked_for(sentence, first, cues):
        return
    document, zones = sentence.document, sentence.zones[index]
    needed = {meaning.region for meaning in meanings} - {None}
    about = body.near(first, last, sentence.start, sentence.end) if needed else None
    is_read = any(meaning.status is None for meaning in meanings)
    reading = document.reading(first, last) if is_read else None
    read_status = _status(sentence, index, reading, cues) if reading is not None else None
    if read_status not in (None, "negative") and _is_argued_against(first, cues):
        read_status = "negative"
    for meaning in meanings:
        status = meaning.status or read_status
        if meaning.label is None or status is None or meaning.region not in (None, about):
            continue
        if meaning.label == SUPPORT_DEVICES:
            status = _of_device(sentence, status, reading, zones, cues)
        is_qualified = status == "negative" and reading is not None and _is_qualified(sentence, reading, zones)
        is_impression = document.section_name(first) == IMPRESSION
        yield Mention(first, last, meaning.label, meaning.device, status, is_qualified, is_impression, zones, cues)


def within(found: Found, zone: tuple[int, int]) -> bool:
    """Whether a cue or place lies in a zone."""
    return zone[0] <= found.first and found.last <= zone[1]


def _cues(cues: Sequence[Found], kind: str) -> Iterator[Found]:
    return (cue for cue in cues if isinstance(cue.value, Cue) and cue.value.kind == kind)


def _is_looked_for(sentence: _Sentence, first: int, cues: Sequence[Found]) -> bool:
    clauses = sentence.document.clauses
    return any(
        0 <= first - cue.last <= _SILENT_REACH and clauses[cue.last - 1] == clauses[first]
        for cue in _cues(cues, "silent")
    )


def _is_argued_against(first: int, cues: Sequence[Found]) -> bool:
    return any(0 <= first - cue.last <= _SILENT_REACH for cue in _cues(cues, "against"))


def _status(sentence: _Sentence, index: int, reading: Reading, cues: Sequence[Found]) -> FindingStatus | None:
    """None when the mention is not about this study of this patient."""
    zones = sentence.zones[index]
    if reading.experiencer != "patient" or reading.status == "hypothetical":
        return None
    if reading.status == "absent":
        return "negative"
    if reading.resolved:
        # "Has largely resolved": some of it is left.
        improved = [cue for cue in cues if cue.value == IMPROVED]
        is_left = any(within(cue, zones.after) or 0 <= zones.noun[1] - cue.last <= _LEFT_WORDS for cue in improved)
        return "positive" if is_left else "negative"
    if reading.historical and not _is_seen(sentence, index, reading, cues):
        return None
    is_doubted = reading.status == "possible" and not _doubts_other(sentence, index, reading, cues)
    is_open = any(cue.value == IF_ANY and (within(cue, zones.after) or within(cue, zones.noun)) for cue in cues)
    is_borderline = "borderline" in sentence.document.words.norms[zones.noun[0] : zones.noun[1]]
    is_one_of = index in sentence.alternatives
    return "uncertain" if is_doubted or is_open or is_borderline or is_one_of else "positive"


def _is_seen(sentence: _Sentence, index: int, reading: Reading, cues: Sequence[Found]) -> bool:
    """Whether what is past is still there: "a remote infarct", "prior rib fractures", "previous edema has improved"."""
    if any(within(cue, sentence.zones[index].after) for cue in _cues(cues, "change")):
        return True
    labels = {meaning.label for meaning in sentence.matches[index][2]}
    trigger, noun = reading.trigger, sentence.zones[index].noun
    return not _LASTING.isdisjoint(labels) and trigger is not None and noun[0] <= trigger[0] and trigger[1] <= noun[1]


def _doubts_other(sentence: _Sentence, index: int, reading: Reading, cues: Sequence[Found]) -> bool:
    """Whether a doubt behind a mention is about its cause or change: "opacities likely reflect", "likely stable"."""
    document, last = sentence.document, sentence.matches[index][1]
    is_last = index + 1 == len(sentence.matches)
    following = sentence.end if is_last else sentence.matches[index + 1][0]
    if reading.trigger is None or reading.trigger[0] < last:
        return False
    start, end = reading.trigger
    if any(cue.first == end for cue in _cues(cues, "change")):
        return True
    if not sentence.terms.causes.isdisjoint(document.words.norms[start : min(end + _CAUSE_WORDS, following)]):
        return True
    # "May be atelectasis".
    return (
        not is_last
        and 0 <= following - end <= _CAUSE_WORDS
        and document.clauses[end - 1] == document.clauses[following]
    )


def _of_device(
    sentence: _Sentence, status: FindingStatus, reading: Reading | None, zones: Zones, cues: Sequence[Found]
) -> FindingStatus:
    """The status of a device: "no pneumothorax after line placement" denies none, "removal of" does."""
    if _is_removed(zones, cues):
        return "negative"
    if status != "negative" or reading is None or reading.trigger is None:
        return status
    since = sentence.document.words.norms[reading.trigger[1] : zones.noun[1]]
    return status if _AFTER.isdisjoint(since) else "positive"


def _is_removed(zones: Zones, cues: Sequence[Found]) -> bool:
    return any(
        0 <= zones.noun[0] - cue.last <= _REMOVED_REACH
        or (within(cue, zones.after) and cue.first - zones.after[0] <= _REMOVED_REACH)
        for cue in _cues(cues, "removed")
    )


def _is_qualified(sentence: _Sentence, reading: Reading, zones: Zones) -> bool:
    """Whether only a part is denied: no acute fracture, no large effusion."""
    opens, last = zones.noun
    # The negation may hold the word itself: "no acute", "no new".
    start = reading.trigger[0] if reading.trigger and reading.trigger[0] < last else opens
    return not sentence.terms.qualifiers.isdisjoint(sentence.document.words.norms[start:last])
