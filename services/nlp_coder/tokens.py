"""Words of a text with their character offsets, and the light normalisation that all matching shares."""

from __future__ import annotations

import re
import sys
import unicodedata
from dataclasses import dataclass

# A dotted acronym, a decimal, or letters and digits with inner apostrophes; combining marks stay with their letter.
# A sign of presence or absence counts as a word: "+cough", "-fever", "(-)", "\u2205".
_WORD = re.compile(
    r"(?:[A-Za-z]\.){2,}(?![A-Za-z]{2})|\d+(?:\.\d+)+|[^\W_][\w\u0300-\u036f]*(?:['\u2019](?=\w)[\w\u0300-\u036f]+)*"
    r"|(?<![\w.)])[-+](?=[A-Za-z])|(?<=[ ,;])\+(?= ?[A-Za-z])|\([-+]\)|\u2205"
)
# The same for ASCII, in half the time: it begins with one class of characters, by which the search skips.
_PLAIN_WORD = r"\w*(?:'(?=\w)\w+)*"
_ASCII_WORD = re.compile(
    rf"[A-Za-z0-9(+-](?:(?<=[A-Za-z])(?:\.(?:[A-Za-z]\.)+(?![A-Za-z]{{2}})|{_PLAIN_WORD})"
    rf"|(?<=[0-9])(?:[0-9]*(?:\.[0-9]+)+|{_PLAIN_WORD})"
    r"|(?<=\()[-+]\)|(?<=[-+])(?:(?<![\w.)][-+])(?=[A-Za-z])|(?<=[ ,;]\+)(?= ?[A-Za-z])))",
    re.ASCII,
)
_ACRONYM_DOTS = re.compile(r"^(?:[a-z]\.)+$")
_LONGEST_WORD = 64

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
# Hardly a word is spelled so, and one search tells.
_SPELLED = re.compile("|".join(pattern.pattern for pattern, _replacement in _SPELLING))
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
    """Parallel lists: `norms[i]` is the normalised form of `text[starts[i]:ends[i]]`."""

    starts: list[int]
    ends: list[int]
    norms: list[str]

    def __len__(self) -> int:
        return len(self.norms)


def normalised(word: str) -> str:
    """Lower case, no accents, American spelling, singular. The same for text, terms and triggers."""
    lowered = word.lower()
    plain = lowered if lowered.isascii() else _without_accents(lowered)
    if _ACRONYM_DOTS.match(plain):
        return plain.replace(".", "")
    plain = plain.removesuffix("'s").removesuffix("s'") if "'" in plain else plain
    if _SPELLED.search(plain):
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
    known, pattern = _KNOWN, _ASCII_WORD if text.isascii() else _WORD
    found = list(pattern.finditer(text))
    # Mapped, not written as loops: every word of every note passes here.
    norms = map(known.__getitem__, map(re.Match.group, found))
    return Words(list(map(re.Match.start, found)), list(map(re.Match.end, found)), list(norms))


class _Norms(dict[str, str]):
    """Normalised words by the words as written; asked once a word of every note, so a dictionary and no function."""

    def __missing__(self, word: str) -> str:
        if len(word) > _LONGEST_WORD:
            return ""
        if len(self) >= _MOST_NORMS:
            self.clear()
        # One string for each norm, so that the tables find it by its address.
        norm = self[word] = sys.intern(normalised(word))
        return norm


_MOST_NORMS = 65536
_KNOWN = _Norms()
