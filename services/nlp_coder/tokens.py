"""Words of a text with their character offsets, and the light normalisation that all matching shares."""

from __future__ import annotations

import re
import sys
import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

CodePoints: TypeAlias = NDArray[np.uint8] | NDArray[np.uint32]

# A dotted acronym, a decimal, or letters and digits with inner apostrophes; combining marks stay with their letter.
# A sign of presence or absence counts as a word: "+cough", "-fever", "(-)", "\u2205". `kernels.split` does the same for
# ASCII, in a tenth of the time.
_WORD = re.compile(
    r"(?:[A-Za-z]\.){2,}(?![A-Za-z]{2})|\d+(?:\.\d+)+|[^\W_][\w\u0300-\u036f]*(?:['\u2019](?=\w)[\w\u0300-\u036f]+)*"
    r"|(?<![\w.)])[-+](?=[A-Za-z])|(?<=[ ,;])\+(?= ?[A-Za-z])|\([-+]\)|\u2205"
)
_ACRONYM_DOTS = re.compile(r"^(?:[a-z]\.)+$")
LONGEST_WORD = 64

# British to American spelling, as ICD-10-CM writes it; local, in order of application.
_SPELLING: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"oedem", "edem"),
        (r"haem", "hem"),
        (r"aemi", "emi"),
        (r"tumour", "tumor"),
        (r"rrhoea", "rrhea"),
        (r"oesoph", "esoph"),
        (r"paed", "ped"),
        (r"coeliac", "celiac"),
        (r"dyspnoe", "dyspne"),
        (r"apnoe", "apne"),
        (r"orthopnoe", "orthopne"),
        (r"anaesth", "anesth"),
        (r"foet", "fet"),
        (r"gynaec", "gynec"),
        (r"caec", "cec"),
        (r"faec", "fec"),
        (r"ischaem", "ischem"),
        (r"leukaem", "leukem"),
        (r"ae(?=tiolog)", "e"),
        (r"colour", "color"),
        (r"([^aeiou])isation", r"\1ization"),
        (r"fibre", "fiber"),
        (r"litre", "liter"),
        (r"centre", "center"),
        (r"sulph", "sulf"),
    )
)
# What each of them has, and hardly another word.
_SPELLED = ("ae", "oe", "our", "isation", "bre", "tre", "ulph")
# Endings that look plural and are not.
_NOT_PLURAL = ("ss", "us", "is", "as", "os")

# Latin and Greek plurals that notes and code set use side by side, and the negation that tokenized notes part; local.
_IRREGULAR = {
    "metastases": "metastasis",
    "diagnoses": "diagnosis",
    "fistulae": "fistula",
    "vertebrae": "vertebra",
    "emboli": "embolus",
    "thrombi": "thrombus",
    "ulcera": "ulcer",
    "ribs": "rib",
    "legs": "leg",
    "feet": "foot",
    "n't": "not",
}


@dataclass(slots=True)
class Words:
    """Parallel rows: `norms[i]` is the normalised form of `text[starts[i]:ends[i]]`."""

    starts: Sequence[int]
    ends: Sequence[int]
    norms: list[str]

    def __len__(self) -> int:
        return len(self.norms)


def normalised(word: str) -> str:
    """Lower case, no accents, American spelling, singular. The same for text, terms and triggers."""
    lowered = word.lower()
    plain = lowered if lowered.isascii() else _without_accents(lowered)
    if "." in plain and _ACRONYM_DOTS.match(plain):
        return plain.replace(".", "")
    plain = plain.removesuffix("'s").removesuffix("s'") if "'" in plain else plain
    if any(part in plain for part in _SPELLED):
        for pattern, replacement in _SPELLING:
            plain = pattern.sub(replacement, plain)
    return _singular(plain)


def _without_accents(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word.replace("\u2019", "'"))
    return "".join(character for character in decomposed if not unicodedata.combining(character)).lower()


def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 5 or not word.endswith("s") or word.endswith(_NOT_PLURAL):  # noqa: PLR2004 - "ribs" goes, "gas" stays
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("xes", "ches", "shes", "sses")):
        return word[:-2]
    return word[:-1]


def words_of(text: str) -> Words:
    """Split into words. Offsets count characters (code points) of `text` exactly as given; never raises."""
    found = list(_WORD.finditer(text))
    # Mapped, not written as loops: every term of every table passes here.
    norms = list(map(_KNOWN.__getitem__, map(re.Match.group, found)))
    return Words(list(map(re.Match.start, found)), list(map(re.Match.end, found)), norms)


def norm_of(word: str) -> str:
    """`normalised`, remembered; "" for a word that is longer than any."""
    return _KNOWN[word]


def code_points(text: str) -> CodePoints:
    """Characters of a text as numbers, for compiled loops; read-only."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def row_of(places: NDArray[np.int64]) -> Sequence[int]:
    """The same numbers for Python to look up: in a thirtieth of the time of a list, most of it never asked for."""
    return array("q", places.tobytes())


def matches_from(pattern: re.Pattern[str], text: str, positions: Iterable[int]) -> Iterator[re.Match[str]]:
    """What `pattern.finditer(text)` finds. positions: ascending, all that a match may begin at."""
    free = 0
    for position in positions:
        match = pattern.match(text, position) if position >= free else None
        if match is not None:
            free = match.end()
            yield match


def stands_between(places: Sequence[int], start: int, end: int) -> bool:
    """Whether one of ascending places is at `start` or after it and before `end`."""
    index = bisect_left(places, start)
    return index < len(places) and places[index] < end


def matches_between(
    pattern: re.Pattern[str], text: str, places: Sequence[int], start: int, end: int
) -> Iterator[re.Match[str]]:
    """What `pattern.finditer(text, start, end)` finds. places: ascending, all that a match may begin at."""
    free = start
    for index in range(bisect_left(places, start), len(places)):
        if places[index] >= end:
            return
        match = pattern.match(text, places[index], end) if places[index] >= free else None
        if match is not None:
            free = match.end()
            yield match


class _Norms(dict[str, str]):
    """Normalised words by the words as written; asked once a word of every note, so a dictionary and no function."""

    def __missing__(self, word: str) -> str:
        if len(word) > LONGEST_WORD:
            return ""
        if len(self) >= _MOST_NORMS:
            self.clear()
        # One string for each norm, so that the tables find it by its address.
        norm = self[word] = sys.intern(normalised(word))
        return norm


_MOST_NORMS = 65536
_KNOWN = _Norms()
