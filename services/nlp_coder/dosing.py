"""Doses, routes, frequencies and durations as prescriptions write them, and what they come to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from services.nlp_coder.data_files import rows
from services.nlp_coder.prescription_kernels import COURSE, DURATION, FREQUENCY, NUMBER, OFTEN, ROUTE
from services.nlp_coder.tokens import matches_between, words_of

_NUMBER_WORDS = {
    "half": 0.5, "half a": 0.5, "half an": 0.5, "one-half": 0.5, "a half": 0.5, "one half": 0.5,
    "one": 1.0, "a": 1.0, "an": 1.0,
    "one and a half": 1.5, "one and one-half": 1.5, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0,
    "seven": 7.0, "eight": 8.0, "nine": 9.0, "ten": 10.0, "twelve": 12.0, "fifteen": 15.0, "twenty": 20.0,
}  # fmt: skip
_WORD_NUMBER = "|".join(sorted(map(re.escape, _NUMBER_WORDS), key=len, reverse=True))
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_FRACTION = r"\d+\s+\d/\d|\d+-\d/\d|\d/\d(?!\d)"
_AMOUNT = rf"(?:{_FRACTION}|{_DIGITS}|\b(?:{_WORD_NUMBER})\b)"
_TO = r"\s*(?:-|\u2013|to|or)\s*"
# What a dose may be counted per: "5 mg/kg/day", "250 mg per 5 mL".
_PER = {
    "kg": "kg", "m2": "m2", "m\u00b2": "m2", "min": "min", "minute": "min", "h": "h", "hr": "h", "hour": "h",
    "day": "d", "d": "d", "dose": "{dose}", "week": "wk", "wk": "wk", "month": "mo", "ml": "mL", "dl": "dL", "l": "L",
    "kilogram": "kg", "hours": "h",
}  # fmt: skip
_PER_UNITS = "|".join(sorted(map(re.escape, _PER), key=len, reverse=True))
_ROUNDED = 4


class Dose(NamedTuple):
    """An amount, or a range, in a UCUM unit; `high` is None for a single amount."""

    amount: float
    high: float | None
    unit: str

    def __str__(self) -> str:
        amount = f"{self.amount:g}" if self.high is None else f"{self.amount:g}-{self.high:g}"
        return f"{amount} {self.unit}".rstrip()


class Frequency(NamedTuple):
    """Times a day, at least and at most; None where nothing says. 0.5 is every other day."""

    least: float | None
    most: float | None
    as_needed: bool

    def __str__(self) -> str:
        parts = []
        if self.least is not None and self.most is not None:
            times = f"{self.least:g}" if self.least == self.most else f"{self.least:g}-{self.most:g}"
            parts.append(f"{times}/d")
        if self.as_needed:
            parts.append("as needed")
        return " ".join(parts) or "once"


class Part(NamedTuple):
    """One part of a prescription: "dose", "route", "frequency" or "duration", its characters and what it comes to."""

    name: str
    start: int
    end: int
    value: Dose | Frequency | str


def normal_dose(text: str) -> Dose | None:
    """Of "1,000 mg", "2-3 tablets", "1/2 tab", "5 mg/kg", "two puffs"; None for what is no amount."""
    match = _dose_pattern().search(text)
    return _dose(match) if match else None


def normal_count(text: str) -> Dose | None:
    """Of "2", "1-2", "one to two": so many of what nobody names; None for what is no number."""
    match = _COUNT_ALONE.fullmatch(text)
    return Dose(_number(match["low"]), _number(match["high"]) if match["high"] else None, "") if match else None


def normal_frequency(text: str) -> Frequency | None:
    """Of "BID", "q.8h.", "every 4 to 6 hours as needed"; None for what says no frequency."""
    parts = [part.value for part in _frequencies(text, 0, len(text)) if isinstance(part.value, Frequency)]
    said = [*parts, *(_frequency(match) for match in _frequency_pattern().finditer(text) if match["slash"])]
    return together(said) if said else None


def together(said: list[Frequency]) -> Frequency:
    """One of several: the first that counts, as needed when any says so. "At bedtime" beside "daily" adds nothing."""
    counted = next((one for one in said if one.least is not None), None)
    needed = any(one.as_needed for one in said)
    return Frequency(counted.least, counted.most, needed) if counted else Frequency(None, None, needed)


# Kinds (`prescription_kernels`) as bits: all, and those of which one is in each part, or in each of some parts.
ANY = -1
IS_PART = 1 << NUMBER | 1 << ROUTE | 1 << FREQUENCY | 1 << DURATION
_IS_OFTEN = 1 << NUMBER | 1 << FREQUENCY
# "For a year" counts nothing, "for a month's course" does.
_IS_LASTING = 1 << NUMBER | 1 << COURSE


def parts_of(text: str, start: int, end: int, said: int = ANY, often: Sequence[int] | None = None) -> list[Part]:
    """Parts of a prescription between two characters, left to right by kind.

    said: kinds of what stands there, as bits. often: of the whole text the characters at which a frequency may begin,
    ascending; None where nobody knows.
    """
    found: list[Part] = []
    if said >> NUMBER & 1:
        found += _doses(text, start, end)
    if said >> ROUTE & 1:
        for match in _route_pattern().finditer(text, start, end):
            found.append(Part("route", match.start(), match.end(), _routes()[_squeezed(match[0])]))
    if said & _IS_OFTEN:
        found += _frequencies(text, start, end, often)
    if said >> DURATION & 1 and said & _IS_LASTING:
        for match in _DURATION.finditer(text, start, end):
            found.append(Part("duration", *match.span("span" if match["span"] else "course"), _duration(match)))
    return found


def _frequencies(text: str, start: int, end: int, often: Sequence[int] | None = None) -> Iterator[Part]:
    """As they stand, and "b.i.d. to t.i.d." as one."""
    last: Part | None = None
    pattern = _frequency_pattern()
    for match in (
        pattern.finditer(text, start, end) if often is None else matches_between(pattern, text, often, start, end)
    ):
        # The "/day" of "800 mg/day" is part of the dose, and "x 1 week" lasts a week.
        if match["slash"] or (match["named"] and _LASTING.match(text, match.end())):
            continue
        said = _frequency(match)
        if (
            last is not None
            and isinstance(last.value, Frequency)
            and _TO_ANOTHER.fullmatch(text, last.end, match.start())
        ):
            low, high = last.value.least, said.most
            if low is not None and high is not None and low < high:
                last = Part("frequency", last.start, match.end(), Frequency(low, high, as_needed=said.as_needed))
                continue
        if last is not None:
            yield last
        last = Part("frequency", match.start(), match.end(), said)
    if last is not None:
        yield last


_TO_ANOTHER = re.compile(r"\s*(?:to|or|-|\u2013)\s*", re.IGNORECASE)


def _doses(text: str, start: int, end: int) -> Iterator[Part]:
    for match in _dose_pattern().finditer(text, start, end):
        is_none = _MEASURED.search(match[0]) or _NO_DOSE_AFTER.match(text, match.end())
        if not is_none and not _NO_DOSE_BEFORE.search(text, max(0, match.start() - _NO_DOSE_REACH), match.start()):
            yield Part("dose", match.start(), match.end(), _dose(match))


@cache
def telling_words() -> dict[int, frozenset[str]]:
    """By kind normalised words of which one is in every route, frequency or duration, and the numbers in words."""
    routes = [route for route, _name, _source in rows("dose_routes.tsv", 3)]
    said = [phrases for phrases, _least, _most, _needed, _source in rows("dose_frequencies.tsv", 5)]
    phrases = [phrase for each in said for phrase in each.replace(r"\b", "").replace("/", " ").split("|")]
    frequencies, numbers = _first_words(phrases), _first_words(list(_NUMBER_WORDS)) | {"half"}
    # "b. i. d." is three words, and "b.i.d" two.
    parts = {word[:length] for word in _LATIN for length in range(1, len(word))}
    return {
        NUMBER: numbers - {"a", "an"},
        ROUTE: _first_words(routes),
        FREQUENCY: frequencies - {"a", "an", "x", "in"}
        | {"every", "each", "q", "morning", "evening", "am", "pm", "time"},
        DURATION: _first_words(["for", "x", "times", "over", "course", "taper"]),
        COURSE: frozenset({"course"}),
        OFTEN: frequencies | numbers | parts | {"every", "each"},
    }


def _first_words(phrases: Sequence[str]) -> frozenset[str]:
    found = (words_of(phrase).norms for phrase in phrases)
    return frozenset(norms[0] for norms in found if norms)


def _number(text: str) -> float:
    plain = text.strip().lower().replace(",", "")
    if plain in _NUMBER_WORDS:
        return _NUMBER_WORDS[plain]
    whole, _blank, fraction = plain.replace("-", " ").rpartition(" ")
    if "/" in fraction:
        above, below = fraction.split("/")
        return float(whole or 0) + float(above) / max(float(below), 1.0)
    return float(plain)


def _dose(match: re.Match[str]) -> Dose:
    low, high = match["low"], match["high"]
    unit = _units()[_squeezed(match["unit"])]
    for per in _PER_PART.finditer(match["per"] or ""):
        amount = per["count"] or ""
        unit += f"/({amount}.{_PER[per['unit'].lower()]})" if amount else f"/{_PER[per['unit'].lower()]}"
    return Dose(_number(low), _number(high) if high else None, unit)


def _any_of(patterns: Sequence[str]) -> str:
    """Patterns that each begin with a character of their own, tried in order, those of one beginning together.

    As alternatives of alternatives they are asked for a quarter as often.
    """
    by_first: dict[str, list[str]] = {}
    for pattern in patterns:
        length = 2 if pattern[0] == "\\" else 1
        by_first.setdefault(pattern[:length], []).append(pattern[length:])
    return "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in by_first.items())


def _squeezed(text: str) -> str:
    """Lower case, without full stops, one blank for many."""
    return " ".join(text.lower().replace(".", "").split())


@cache
def _units() -> dict[str, str]:
    return {written: unit for written, unit, _source in rows("dose_units.tsv", 3)}


@cache
def _dose_pattern() -> re.Pattern[str]:
    units = _any_of(
        [re.escape(unit).replace("\\ ", r"\s+") for unit in sorted(_units(), key=len, reverse=True) if unit != "%"]
    )
    return re.compile(
        rf"(?<![\w./])(?P<low>{_AMOUNT})(?:{_TO}(?P<high>{_AMOUNT}))?(?:\s*-\s*|\s*)"
        rf"(?P<unit>(?:{units})(?![A-Za-z])|%)"
        rf"(?P<per>(?:\s*(?:/|\b(?:per|an)\b)\s*(?:\d+\s*)?(?:{_PER_UNITS})(?![A-Za-z0-9]))*)",
        re.IGNORECASE,
    )


_COUNT_ALONE = re.compile(rf"(?!an?\b)(?P<low>{_AMOUNT})(?:{_TO}(?P<high>{_AMOUNT}))?", re.IGNORECASE)
# What a laboratory measures, and "the dose", are no doses.
_MEASURED = re.compile(r"^an?\s+dose$|/\s*d?l$", re.IGNORECASE)
# "125 mg per 5 mL" is a concentration, "in 3 doses" divides the dose, "Dispense: 4 oz" is what the pharmacy gives.
_NO_DOSE_BEFORE = re.compile(r"\b(?:(?:per|in) |disp(?:ense)?[.:]{0,2}\s*)$", re.IGNORECASE)
_NO_DOSE_REACH = 12
_NO_DOSE_AFTER = re.compile(r"\s+(?:effective|response|improvement|relief|better|on room air)\b", re.IGNORECASE)
_PER_PART = re.compile(
    rf"(?:/|\b(?:per|an)\b)\s*(?P<count>\d+)?\s*(?P<unit>{_PER_UNITS})(?![A-Za-z0-9])", re.IGNORECASE
)


@cache
def _routes() -> dict[str, str]:
    return {written: route for written, route, _source in rows("dose_routes.tsv", 3)}


@cache
def _route_pattern() -> re.Pattern[str]:
    return re.compile(
        rf"(?<![\w.])(?:{_any_of([_written(route) for route in sorted(_routes(), key=len, reverse=True)])})(?![\w.]?\w)"
        r"(?!\s+(?:contrast|dye|fluids?|access|line|site|drug|tubing|irritation|bleeding|discharge|mucosa|cavity|intake|exam)\b)",
        re.IGNORECASE,
    )


def _written(phrase: str) -> str:
    """A pattern for a phrase whose short words may have full stops: "po" is "p.o." too."""
    return r"\s+".join(_dotted(word) for word in phrase.split())


_LONGEST_ABBREVIATION = 4


def _dotted(word: str) -> str:
    if word.isalpha() and len(word) <= _LONGEST_ABBREVIATION:
        return r"\.?".join(word) + r"\.?"
    return re.escape(word)


_LATIN = frozenset(
    {
        "qd",
        "qday",
        "qdaily",
        "bid",
        "tid",
        "qid",
        "prn",
        "qhs",
        "hs",
        "qam",
        "qpm",
        "qod",
        "ac",
        "qac",
        "od",
        "bd",
        "am",
        "pm",
    }
)


def _frequency_phrase(phrase: str) -> str:
    return r"[\s-]+".join(
        r"\.?\s?".join(word[:1]) + _tail(word) if word in _LATIN else re.escape(word)
        for word in phrase.replace(r"\b", "").split()
    )


def _tail(word: str) -> str:
    return r"\.?\s?" + r"\.?\s?".join(word[1:]) + r"\.?"


_LASTING = re.compile(r"(?<=1)\s*-?\s*(?:days?|weeks?|months?|years?|wks?)\b", re.IGNORECASE)
_NAMED: dict[str, Frequency] = {}
_COUNT = rf"{_DIGITS}|\b(?:{_WORD_NUMBER})"
# "4-6 hours p.r.n." says no "every".
_HOURS_AS_NEEDED = (
    rf"(?=(?:{_COUNT})\b(?:{_TO}(?:{_COUNT})\b)?\s?-?\s?(?:hours?|hrs?)\s+(?:as\s+needed|p\.?\s?r\.?\s?n\b))"
)
_EVERY = (
    rf"(?:q\.?\s?|every\s+|each\s+|{_HOURS_AS_NEEDED})(?P<low>{_DIGITS}|\b(?:{_WORD_NUMBER})\b)(?:{_TO}(?P<high>{_DIGITS}|(?:{_WORD_NUMBER})))?"
    r"\s?-?\s?(?P<unit>h|hr|hrs|hours?|hourly|d|days?|wks?|weeks?|months?|min|minutes?)\b\.?"
)
_TIMES = (
    rf"(?P<times>{_COUNT})(?:{_TO}(?P<most>{_COUNT}))?\s*(?:x|times)\s*"
    r"(?:/|per|a|each|every)?\s*(?P<each>day|daily|week|weekly)"
)

# "At once" says how soon.
_AT_ONCE = r"(?<=\bat\s)once\b(?!\s+(?:a|per|daily|weekly|monthly)\b)"


@cache
def _frequency_pattern() -> re.Pattern[str]:
    _NAMED.clear()
    phrases = []
    for text, least, most, needed, _source in rows("dose_frequencies.tsv", 5):
        counted = None if least == "-" else float(least), None if most == "-" else float(most)
        for phrase in text.split("|"):
            plain = phrase.replace(r"\b", "")
            _NAMED.setdefault(_bare(plain), Frequency(*counted, as_needed=needed == "1"))
            phrases.append(plain)
    phrases.sort(key=len, reverse=True)
    named = _any_of([_frequency_phrase(phrase) for phrase in phrases])
    return re.compile(
        rf"(?<![A-Za-z0-9.])(?:{_EVERY}|{_TIMES}|(?!{_AT_ONCE})(?P<named>{named}))(?![A-Za-z0-9])|(?P<slash>/(?:day|d|week|wk|month|hr|h)\b)",
        re.IGNORECASE,
    )


def _bare(text: str) -> str:
    """Letters and digits alone, so that "b.i.d." and "bid" are one."""
    return re.sub(r"[^a-z0-9/&]", "", text.lower())


_HOURS = {"h": 1.0, "m": 1 / 60, "d": 24.0, "w": 168.0, "mo": 720.0}


def _frequency(match: re.Match[str]) -> Frequency:
    if match["slash"]:
        return _NAMED[_bare(match["slash"])]
    if match["named"]:
        return _NAMED[_bare(match["named"])]
    if match["times"]:
        days = 7.0 if match["each"].lower().startswith("week") else 1.0
        least = _number(match["times"]) / days
        most = _number(match["most"]) / days if match["most"] else least
        return Frequency(round(least, _ROUNDED), round(most, _ROUNDED), as_needed=False)
    unit = match["unit"].lower()
    hours = _HOURS["mo"] if unit.startswith("mo") else _HOURS[unit[0]]
    most = 24.0 / max(_number(match["low"]) * hours, 1e-3)
    least = 24.0 / max(_number(match["high"]) * hours, 1e-3) if match["high"] else most
    return Frequency(round(min(least, most), _ROUNDED), round(max(least, most), _ROUNDED), as_needed=False)


_LENGTH = r"(?:days?|weeks?|months?|years?|hours?|wks?|hrs?|minutes?)"
_FOR = r"(?:for|x|times|over)\s*(?:the\s+(?:next|past|last)\s+|another\s+|an?\s+additional\s+|a\s+total\s+of\s+)?"
_DURATION = re.compile(
    rf"\b{_FOR}(?P<span>(?P<low>{_AMOUNT})(?:{_TO}(?P<high>{_AMOUNT}))?[\s-]*(?P<unit>{_LENGTH}))\b"
    rf"|(?<!\w)(?P<course>(?P<of>{_DIGITS}|(?:{_WORD_NUMBER}))[\s-]+(?P<each>{_LENGTH}))(?=\s+(?:course|taper)\b)",
    re.IGNORECASE,
)
_DURATION_UNITS = {"d": "d", "w": "wk", "m": "mo", "y": "a", "h": "h", "mi": "min"}


def _duration(match: re.Match[str]) -> Dose:
    unit = (match["unit"] or match["each"]).lower()
    ucum = _DURATION_UNITS["mi"] if unit.startswith("mi") else _DURATION_UNITS[unit[0]]
    return Dose(_number(match["low"] or match["of"]), _number(match["high"]) if match["high"] else None, ucum)
