"""What a note says of each medication: dose, route, frequency, duration and what happens to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder import prescription_kernels
from services.nlp_coder.data_files import rows
from services.nlp_coder.document import Document
from services.nlp_coder.dosing import IS_PART, Dose, Frequency, Part, normal_count, parts_of, telling_words
from services.nlp_coder.numbered import by_number
from services.nlp_coder.prescription_kernels import (
    AFTER,
    BEFORE,
    BEGIN,
    HAS_IT,
    HAS_STATUS,
    IT,
    IT_STOP,
    LIMIT,
    PARTED,
    SAID_AFTER,
    SAID_BEFORE,
    STATUS,
    STATUS_BEGIN,
    STOP,
    WORD,
)
from services.nlp_coder.sections import ALLERGIES
from services.nlp_coder.tokens import matches_between, words_of

# Characters after a name, and before it, in which its parts are looked for, and those after it in which something is
# said of "it"; words around a name in which its status is told, since a sentence may be as long as a list.
_REACHES = 120, 60, 160, 100
# What may stand between a dose and the name that follows it: "40 mg of", "10 mg IV", "500-mg".
_OF = re.compile(
    r"[\s-]*(?:(?:of|oral|iv|po|i\.v\.|p\.o\.|intravenous|im|subcutaneous|sublingual|bolus|daily|nightly|weekly)\s+)*"
    r"(?:the\s+)?$",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Attribute:
    """A part of what is said of an entity: its characters and, where known, what it comes to."""

    name: str
    start: int
    end: int
    value: str = ""
    dose: Dose | None = None
    frequency: Frequency | None = None


Place = tuple[int, int]
# One of these words is in whatever tells a status; most sentences have none.
_STATUS_WORDS_TEXT = """
start started starting starts restart restarted re begin began begun beginning initiate initiated initiating
commence commenced prescribe prescribed prescription given administered placed put treated received loaded add added
adding give treat use trial script course continue continued continues continuing maintain maintained remain remains
remained resume resumed resuming stay keep refill refilled on taking take takes uses increase increased increasing
decrease decreased decreasing titrate titrated titrating taper tapered tapering switch switched switching change
changed changing reduce reduced reducing adjust adjusted adjusting d dc dcd discontinue discontinued discontinuing
stop stopped stopping stops quit off came taken weaned longer cease ceased hold holding held withhold withheld
withholding allergic allergy allergies intolerant intolerance sensitive sensitivity reaction anaphylaxis
anaphylactic hives hive rash itching swelling cause causes place uses back backed go going gone went put get getting
written switching
"""
_STATUS_WORDS = frozenset(_STATUS_WORDS_TEXT.split())


def parts_by_medication(document: Document, places: Sequence[Place]) -> list[list[Attribute]]:
    """Of each medication (characters, ascending) what is said of it.

    Parts follow their medication up to the next one or the end of the sentence; a dose that stands right before a
    name, or with "of", is the name's.
    """
    found: list[list[Attribute]] = [[] for _place in places]
    if not places:
        return found
    text, told = document.text, _told(document, places)
    before = 0
    for number, ((start, end), around) in enumerate(zip(places, told.around, strict=True)):
        following = places[number + 1][0] if number + 1 < len(places) else len(text)
        own = _parts_after(text, end, around, told)
        if own and following < around[STOP]:
            taken = _of_next(text, own, end, following)
            found[number + 1] += map(_attribute, taken)
            own = [part for part in own if part not in taken]
        if around[SAID_BEFORE] & IS_PART:
            begin = around[BEGIN]
            own[:0] = _of_next(text, parts_of(text, begin, start, around[SAID_BEFORE], told.often), begin, start)
        found[number] += map(_attribute, own)
        status = _of_it(text, end, around, told) or _status(
            document, (before, start, end), min(around[STOP], following), around, told
        )
        if status is not None:
            found[number].append(status)
        before = end
    if told.of:
        _share_status(text, places, found, told)
    if any(found):
        _share_counts(text, places, found)
    return [_settled(own) for own in found]


# What follows one of these words is no longer said of the medication: "tried Advair but got vaginal irritation".
_TAKING = r"he|she|the patient|patient|(?:is|was|were) (?:taken|given|administered|started|continued|[a-z]+creased)"
_PARTED = re.compile(
    rf"\b(?:but|because|although|however|since|whereas|who|which(?! (?:{_TAKING})\b))\b", re.IGNORECASE
)
_PARTING_WORDS = words_of(
    "but because although however since whereas who which who'd who'll who've who're which'd which'll"
).norms


def _parts_after(text: str, end: int, around: Sequence[int], told: _Told) -> list[Part]:
    """What stands after a name and before a word that parts it from what follows."""
    said, limit = around[SAID_AFTER], around[LIMIT]
    if not said & IS_PART:
        return []
    if said >> PARTED & 1 and (parted := _PARTED.search(text, end, limit)):
        limit = parted.start()
        said = told.between(end, limit)
    parts = parts_of(text, end, limit, said, told.often)
    return _with_bare_doses(text, end, parts) if parts else parts


# "Lipitor 20 at bedtime", "Toprol XL 100 daily": the unit goes without saying.
_BARE = re.compile(r"\s+(?:at\s+)?(?P<amount>\d+(?:\.\d+)?(?:-\d+(?:\.\d+)?)?)\s+")
# "Norco 10/325 one to two every six hours", "Flecainide 200 in the morning and 100 in the evening": at most so many
# are counted, unless the first amount had no unit either.
_COUNTED = re.compile(
    r"[\s,(](?P<amount>[\d.]+(?:\s*(?:-|to|or)\s*[\d.]+)?|[A-Za-z]+(?:\s+(?:to|or)\s+[A-Za-z]+)?)\s+$"
)
_MOST_COUNTED = 10
_COUNTED_REACH = 16
_TAKEN = frozenset({"route", "frequency"})
# "Three infusions of" counts them.
_THINGS = frozenset({"infusion", "injection"})


def _with_bare_doses(text: str, end: int, parts: list[Part]) -> list[Part]:
    """A number between a name and its route or frequency, or right before one, is a dose in a unit that nobody says."""
    bare = _BARE.match(text, end)
    is_bare = bare is not None and any(part.start == bare.end() and part.name in _TAKEN for part in parts)
    found = []
    if bare is not None and is_bare:
        low, _dash, high = bare["amount"].partition("-")
        found.append(Part("dose", *bare.span("amount"), Dose(float(low), float(high) if high else None, "")))
    for part in parts:
        if part.name not in _TAKEN or part.value in _THINGS:
            continue
        counted = _COUNTED.search(text, max(end, part.start - _COUNTED_REACH), part.start)
        dose = normal_count(counted["amount"]) if counted else None
        if counted is None or dose is None or (dose.amount > _MOST_COUNTED and not is_bare):
            continue
        first, last = counted.span("amount")
        if (
            not any(one.start < last and first < one.end for one in (*parts, *found))
            and text[first - 4 : first] != "No. "
        ):
            found.append(Part("dose", first, last, dose))
    return sorted([*parts, *found], key=attrgetter("start"))


def _of_next(text: str, parts: Sequence[Part], begin: int, following: int) -> list[Part]:
    """Parts that belong to the name at `following`: a dose or a route right before it, and what stands between."""
    before = [part for part in parts if part.name in ("dose", "route") and _OF.fullmatch(text, part.end, following)]
    if not before:
        return []
    first = before[0]
    # "metoprolol 25 mg Lasix 40 mg": what follows a name at once, and is not parted from it, is its own.
    if (
        begin
        and text[begin - 1].isalnum()
        and not text[begin : first.start].strip(" -")
        and text[first.end : following].isspace()
    ):
        return []
    return [part for part in parts if part.start >= first.start]


def _attribute(part: Part) -> Attribute:
    value = part.value
    return Attribute(
        part.name,
        part.start,
        part.end,
        str(value),
        value if isinstance(value, Dose) else None,
        value if isinstance(value, Frequency) else None,
    )


def _settled(own: list[Attribute]) -> list[Attribute]:
    """In order of the text; nothing inside something else, as the "daily" of "daily dose"."""
    if len(own) < 2:  # noqa: PLR2004 - one is in order
        return own
    own.sort(key=lambda one: (one.start, -one.end))
    kept: list[Attribute] = []
    for one in own:
        if not kept or one.start >= kept[-1].end or one.name == "status":
            kept.append(one)
    return kept


@cache
def _cues(side: str) -> re.Pattern[str]:
    cues = [(pattern, status) for pattern, status, own, *_rest in rows("medication_status.tsv", 5) if own == side]
    names = {f"{status}_{number}": pattern for number, (pattern, status) in enumerate(cues)}
    return re.compile("|".join(rf"(?P<{name}>\b(?:{pattern})(?!\w))" for name, pattern in names.items()), re.IGNORECASE)


@cache
def _classes_of_words() -> NDArray[np.int16]:
    """Bits of the kinds that `prescription_kernels` names, by the number of a word."""
    words: dict[int, set[str]] = {kind: set(found) for kind, found in telling_words().items()}
    words[PARTED], words[STATUS] = set(_PARTING_WORDS), set(_STATUS_WORDS)
    for _pattern, _status, side, first, _source in rows("medication_status.tsv", 5):
        words.setdefault(_SIDES[side], set()).update(words_of(first).norms)
    classes: dict[str, int] = {}
    for kind, found in words.items():
        for word in found:
            classes[word] = classes.get(word, 0) | 1 << kind
    return by_number(classes, np.int16)


_SIDES = {"before": BEFORE, "after": AFTER, "it": IT}


# What is not done, or may be, is no status: "has not been taking", "cannot be taken off", "may be stopped".
_DENIED = re.compile(r"(?:\b(?:not|cannot|never|without|may|might|could)|n't)\s+(?:\w+\s+){0,2}$", re.IGNORECASE)
_DENIED_REACH = 32
# Between a cue and a name they make the name another matter: "allergy and due to being on Coumadin".
_OTHER_MATTER = re.compile(
    r"\b(?:but|because|although|however|since|whereas|due to)\b|;"
    r"|\b(?:following|after|instead of|rather than|than|despite)(?: (?:the|his|her))?\s*$",
    re.IGNORECASE,
)


# "sulfa allergies"
_ALLERGY = re.compile(r"[\s-]+(allerg(?:y|ies|ic)\b)", re.IGNORECASE)


@dataclass(slots=True)
class _Told:
    """What is told of medications.

    places: characters of the text at which something may be told, ascending, and kinds: of what, as bits. around: of
    each medication its row of `prescription_kernels.surroundings`. often, before, after, it: those of the places at
    which a frequency, and cues of a status, may begin. cues: the places of those told after names so far, and of: by
    the start of a name its status from them.
    """

    places: NDArray[np.int32]
    kinds: NDArray[np.int64]
    around: Sequence[Sequence[int]]
    often: Sequence[int]
    before: Sequence[int]
    after: Sequence[int]
    it: Sequence[int]
    cues: list[Place] = field(default_factory=list)
    of: dict[int, Attribute] = field(default_factory=dict)

    def between(self, start: int, end: int) -> int:
        """Kinds of what may be told between two characters."""
        first, last = self.places.searchsorted((start, end))
        return int(np.bitwise_or.reduce(self.kinds[first:last], initial=0))


def _told(document: Document, places: Sequence[Place]) -> _Told:
    """Where something may be told of medications, before any of it is."""
    columns = document.columns
    telling, kinds, listed, counts, around = prescription_kernels.surroundings(
        columns.characters, columns.layout(), columns.sentence_starts, _classes_of_words(),
        np.array(places, dtype=np.int64).reshape(-1, 2), _REACHES,
    )  # fmt: skip
    listed_places = (row[:count].tolist() for row, count in zip(listed, counts.tolist(), strict=True))
    return _Told(telling, kinds, around.tolist(), *listed_places)


def _status(
    document: Document, places: tuple[int, int, int], stop: int, around: Sequence[int], told: _Told
) -> Attribute | None:
    """What follows a name holds first ("was stopped"), then what stands nearest before it in its sentence.

    places: end of the medication before, start and end of this one. A change is of one medication, all else may be said
    of several: "increase Lasix, Lovenox daily". What was told after another name is that name's alone.
    """
    text, (before, start, end) = document.text, places
    if not around[HAS_STATUS]:
        return _by_section(document, around[WORD])
    if allergy := _ALLERGY.match(text, end):
        return Attribute("status", *allergy.span(1), "allergy")
    for match in matches_between(_cues("after"), text, told.after, end, stop):
        if not _is_denied(text, end, match.start()) and not _OTHER_MATTER.search(text, end, match.start()):
            told.cues.append(match.span())
            told.of[start] = _said(match)
            return told.of[start]
    begin = around[STATUS_BEGIN]
    nearest = None
    for match in matches_between(_cues("before"), text, told.before, begin, start):
        if not any(match.start() < cue[1] and cue[0] < match.end() for cue in told.cues):
            nearest = match
    if (
        nearest is not None
        and (nearest.start() >= before or _said(nearest).value != "changed")
        and not _is_denied(text, begin, nearest.start())
        and not _OTHER_MATTER.search(text, nearest.end(), start)
    ):
        return _said(nearest)
    return _by_section(document, around[WORD])


_IF = re.compile(r"\b(?:if|unless|when|until)\b|\n", re.IGNORECASE)


def _of_it(text: str, end: int, around: Sequence[int], told: _Told) -> Attribute | None:
    """What this sentence or the next says of "it", before another medication is named: "She stopped taking it"."""
    if not around[HAS_IT]:
        return None
    match = next(matches_between(_cues("it"), text, told.it, end, around[IT_STOP]), None)
    if match is None or _is_denied(text, end, match.start()) or _IF.search(text, end, match.end() + 4):
        return None
    return _said(match)


def _is_denied(text: str, begin: int, cue: int) -> bool:
    return _DENIED.search(text, max(begin, cue - _DENIED_REACH), cue) is not None


# Between names of one enumeration; only a plural verb, or none, tells of more than the last.
_COMMA = re.compile(r"[\s,/&]*(?:\b(?:and|or|as well as)\b[\s,]*)?")
_AND = re.compile(r"\b(?:and|or|as well as)\b|[&/]")
_SINGULAR = re.compile(r"(?:was|is|has)\b", re.IGNORECASE)


def _share_status(text: str, places: Sequence[Place], found: list[list[Attribute]], told: _Told) -> None:
    """Have "antibiotics and Solu-Medrol 1 g daily were started" tell it of both."""
    shared: Attribute | None = None
    for number in range(len(places) - 2, -1, -1):
        start, following = places[number][0], places[number + 1][0]
        own = told.of.get(following)
        if own is not None:
            shared = None if _SINGULAR.match(text, own.start) else own
        rest = _between(text, places[number][1], following, found[number]) if shared is not None else ""
        if shared is None or start in told.of or not _COMMA.fullmatch(rest) or (own and not _AND.search(rest)):
            shared = None
            continue
        found[number][:] = [*(one for one in found[number] if one.name != "status"), shared]


_WITH = re.compile(r"\s+(?:with|plus|\+)\s+")
_JOINED = re.compile(r",?\s+and\s+")
_SEVERAL = re.compile(r"\s+(?:inhalers|nebulizers|nebs|sprays|tablets|capsules|patches)\b", re.IGNORECASE)
_COUNTED_UNITS = frozenset({"", "{tbl}", "{capsule}", "{pill}", "{puff}", "{spray}"})


def _share_counts(text: str, places: Sequence[Place], found: list[list[Attribute]]) -> None:
    """Have what is counted, or only how often, count for both names.

    "Calcium with vitamin D 1 tablet daily", "albuterol and Flovent inhalers two puffs", "Allegra and Flonase daily".
    """
    for number in range(len(places) - 1):
        (_start, end), (following, last) = places[number], places[number + 1]
        parts = [one for one in found[number + 1] if one.name != "status"]
        if not parts or any(one.name != "status" for one in found[number]):
            continue
        is_counted = all(one.dose is None or one.name != "dose" or one.dose.unit in _COUNTED_UNITS for one in parts)
        is_one = is_counted and _WITH.fullmatch(text, end, following) is not None
        is_joined = _JOINED.fullmatch(text, end, following) is not None and (
            (all(one.name == "frequency" for one in parts) and text[last : parts[0].start].isspace())
            or (is_counted and _SEVERAL.match(text, last) is not None)
        )
        if is_one or is_joined:
            found[number] += parts


def _between(text: str, end: int, following: int, own: Sequence[Attribute]) -> str:
    """What stands between two names beside the parts of the first."""
    rest, last = [], end
    for one in sorted(own, key=attrgetter("start")):
        if last <= one.start < following and one.name != "status":
            rest.append(text[last : one.start])
            last = one.end
    return "".join([*rest, text[last:following]])


def _by_section(document: Document, word: int) -> Attribute | None:
    """What stands in a list of allergies is one."""
    if document.section_name(word) != ALLERGIES:
        return None
    section = document.sections[document.section[word]]
    return Attribute("status", section.start, section.body, "allergy")


def _said(match: re.Match[str]) -> Attribute:
    return Attribute("status", match.start(), match.end(), str(match.lastgroup).rpartition("_")[0])
