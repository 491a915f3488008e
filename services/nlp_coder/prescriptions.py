"""What a note says of each medication: dose, route, frequency, duration and what happens to it."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from services.nlp_coder.data_files import rows
from services.nlp_coder.document import Document
from services.nlp_coder.dosing import Dose, Frequency, Part, parts_of
from services.nlp_coder.sections import ALLERGIES

# Characters after a name, and before it, in which its parts are looked for.
_AFTER, _BEFORE = 120, 60
# What may stand between a dose and the name that follows it: "40 mg of", "10 mg IV", "500-mg".
_OF = re.compile(
    r"[\s-]*(?:(?:of|oral|iv|po|i\.v\.|p\.o\.|intravenous|im|subcutaneous|sublingual)\s+)*(?:the\s+)?$", re.IGNORECASE
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
anaphylactic hives hive rash itching swelling cause causes
"""
_STATUS_WORDS = frozenset(_STATUS_WORDS_TEXT.split())


def parts_by_medication(document: Document, places: Sequence[Place]) -> list[list[Attribute]]:
    """Of each medication (characters, ascending) what is said of it.

    Parts follow their medication up to the next one or the end of the sentence; a dose that stands right before a
    name, or with "of", is the name's.
    """
    found: list[list[Attribute]] = [[] for _place in places]
    for number, (start, end) in enumerate(places):
        sentence = bisect_right(document.sentence_starts, start) - 1
        stop = _sentence_end(document, sentence)
        following = places[number + 1][0] if number + 1 < len(places) else len(document.text)
        is_followed = following < stop
        own = _with_bare_dose(document, end, _parts(document, end, min(stop, following, end + _AFTER)))
        if is_followed:
            taken = _of_next(document.text, own, end, following)
            found[number + 1] += map(_attribute, taken)
            own = [part for part in own if part not in taken]
        if number == 0 or places[number - 1][1] <= document.sentence_starts[sentence]:
            begin = max(document.sentence_starts[sentence], start - _BEFORE)
            before = _parts(document, begin, start)
            own = [*_of_next(document.text, before, begin, start), *own]
        found[number] += map(_attribute, own)
        last = places[number - 1][1] if number else 0
        if status := _status(document, sentence, (last, start, end), min(stop, following)):
            found[number].append(status)
    return [_settled(own) for own in found]


def _parts(document: Document, start: int, end: int) -> list[Part]:
    """Parts between two characters."""
    words = document.words
    first = bisect_left(words.starts, start)
    norms = words.norms[first : bisect_left(words.starts, end, lo=first)]
    return list(parts_of(document.text, start, end, norms)) if norms else []


# "Lipitor 20 at bedtime", "Toprol XL 100 daily": the unit goes without saying.
_BARE = re.compile(r"\s+(?:at\s+)?(?P<amount>\d+(?:\.\d+)?(?:-\d+(?:\.\d+)?)?)\s+")


def _with_bare_dose(document: Document, end: int, parts: list[Part]) -> list[Part]:
    """A number between a name and its route or frequency is a dose in a unit that nobody says."""
    bare = _BARE.match(document.text, end)
    if bare is None or not any(part.start == bare.end() and part.name in ("route", "frequency") for part in parts):
        return parts
    low, _dash, high = bare["amount"].partition("-")
    dose = Dose(float(low), float(high) if high else None, "")
    return [Part("dose", *bare.span("amount"), dose), *parts]


def _sentence_end(document: Document, sentence: int) -> int:
    starts = document.sentence_starts
    return starts[sentence + 1] if sentence + 1 < len(starts) else len(document.text)


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
    own.sort(key=lambda one: (one.start, -one.end))
    kept: list[Attribute] = []
    for one in own:
        if not kept or one.start >= kept[-1].end or one.name == "status":
            kept.append(one)
    return kept


# Words around a name in which its status is told; a sentence may be as long as a list.
_STATUS_REACH = 100


@cache
def _cues(side: str) -> re.Pattern[str]:
    cues = [(pattern, status) for pattern, status, own, _source in rows("medication_status.tsv", 4) if own == side]
    names = {f"{status}_{number}": pattern for number, (pattern, status) in enumerate(cues)}
    return re.compile(
        "|".join(rf"(?P<{name}>\b(?<!not )(?:{pattern})(?!\w))" for name, pattern in names.items()), re.IGNORECASE
    )


def _status(document: Document, sentence: int, places: tuple[int, int, int], stop: int) -> Attribute | None:
    """What follows a name holds first ("was stopped"), then what stands nearest before it in its sentence.

    places: end of the medication before, start and end of this one. A change is of one medication, all else may be said
    of several: "increase Lasix, Lovenox daily".
    """
    text, (before, start, end) = document.text, places
    word = bisect_right(document.words.starts, start) - 1
    first = max(bisect_left(document.sentence, sentence, hi=word), word - _STATUS_REACH)
    last = min(bisect_right(document.sentence, sentence, lo=word), word + _STATUS_REACH)
    if _STATUS_WORDS.isdisjoint(document.words.norms[first:last]):
        return _by_section(document, word)
    for match in _cues("after").finditer(text, end, stop):
        return _told(match)
    nearest = None
    for match in _cues("before").finditer(text, document.words.starts[first], start):
        nearest = match
    if nearest is not None and (nearest.start() >= before or _told(nearest).value != "changed"):
        return _told(nearest)
    return _by_section(document, word)


def _by_section(document: Document, word: int) -> Attribute | None:
    """What stands in a list of allergies is one."""
    if document.section_name(word) != ALLERGIES:
        return None
    section = document.sections[document.section[word]]
    return Attribute("status", section.start, section.body, "allergy")


def _told(match: re.Match[str]) -> Attribute:
    return Attribute("status", match.start(), match.end(), str(match.lastgroup).rpartition("_")[0])
