"""Units as hospitals spell them, in UCUM: tried where a unit is none of UCUM's own, or of the wrong kind.

Collected from the unit lists of laboratory and monitor interfaces: words instead of symbols, "x10^3", "per", "mm3".
"""

import re

_SYMBOLS_ALIKE = str.maketrans(
    {"µ": "u", "μ": "u", "º": "°", "˚": "°", "³": "^3", "⁶": "^6", "⁹": "^9", "⁻": "^-", "¹": "1"}
)
_PER = re.compile(r"\s*(?:/|\bper\b)\s*")
_INVERSE = re.compile(r"[. ]?\b(min|l|ul|dl)[\^*]?-1$")
_POWER = re.compile(r"(?:cells?\s*)?(?:x\s*)?(?:10\s*(?:\*\*?|\^|e|x|\(|\s)\s*\+?|e\+?)(3|6|9|12)\)?(?:\s*cells?)?")
# Units that are written whole.
_WHOLE = (
    (re.compile(r"mm[\s./-]*[(\[]?hg[)\]]?|mm of (?:hg|mercury)|millimet(?:er|re)s?(?: of)? mercury"), "mm[Hg]"),
    (re.compile(r"(?:deg(?:ree)?s?\.?\s*|°\s*|o\s?)?(?:c(?:el[sc]ius)?|centigrade)\s*°?"), "Cel"),
    (re.compile(r"(?:deg(?:ree)?s?\.?\s*|°\s*|o\s?)?f(?:ahrenheit)?\s*°?"), "[degF]"),
    (re.compile(r"(?:vol\.?\s*)?%(?:\s*(?:vol|sat|saturation|sao2|spo2|o2|of total))?\.?|per\s?cent(?:age)?"), "%"),
    (re.compile(r"mg\s?%"), "mg/dL"),
    (re.compile(r"gm?s?\s?%"), "g/dL"),
    (re.compile(r"mm"), "mmol/L"),  # mM; no quantity here is kept as a length in millimetres
    (re.compile(r"b\.?p\.?m\.?|br\.?p\.?m\.?"), "/min"),
)
# One side of a slash.
_PARTS = {
    "10*3": ("k", "thousand", "thousands", "thou", "thous", "th", "x1000", "1000"),
    "10*9": ("giga", "bil", "billion", "billions"),
    "": (
        "cell",
        "cells",
        "#",
        "beat",
        "beats",
        "breath",
        "breaths",
        "resp",
        "resps",
        "respiration",
        "respirations",
        "1",
    ),
    "kg": ("kg", "kgs", "kilo", "kilogram", "kilograms"),
    "g": ("g", "gm", "gms", "gram", "grams"),
    "mg": ("mg", "mgs", "milligram", "milligrams"),
    "ug": ("ug", "mcg", "microgram", "micrograms"),
    "ng": ("ng", "nanogram", "nanograms"),
    "pg": ("pg", "picogram", "picograms"),
    "mmol": ("mmol", "m mol", "mm", "mmole", "mmoles", "mmols", "millimol", "millimole", "millimoles"),
    "umol": ("umol", "u mol", "umole", "umoles", "umols", "mcmol", "micromol", "micromole", "micromoles"),
    "meq": ("meq", "meqs", "milliequivalent", "milliequivalents"),
    "U": ("u", "iu", "i.u.", "unit", "units", "int unit", "int units", "international unit", "international units"),
    "L": ("l", "liter", "liters", "litre", "litres"),
    "dL": ("dl", "deciliter", "deciliters", "decilitre", "decilitres", "100ml", "100 ml"),
    "mL": ("ml", "mls", "milliliter", "milliliters", "millilitre", "millilitres"),
    "uL": ("ul", "mcl", "mm3", "mm^3", "cmm", "cumm", "cu mm", "cu.mm", "microliter", "microliters", "microlitre"),
    "min": ("min", "mins", "mn", "minute", "minutes"),
    "s": ("s", "sec", "sec.", "secs", "second", "seconds", "second(s)"),
    "m": ("m", "meter", "meters", "metre", "metres"),
    "cm": ("cm", "cms", "centimeter", "centimeters", "centimetre", "centimetres"),
    "[in_i]": ("in", "inch", "inches"),
    "[lb_av]": ("lb", "lbs", "pound", "pounds"),
}
_SYMBOLS = {spelling: symbol for symbol, spellings in _PARTS.items() for spelling in spellings}
COUNT = "10*9/L"


def spelled_out(sent: str, kept: str) -> str:
    """UCUM code of a unit in words; empty when its words are not known.

    kept: the unit that the quantity is kept in. "G/L" of a count is 10^9, of everything else grams.
    """
    text = sent.strip().lower().translate(_SYMBOLS_ALIKE)
    for spelling, code in _WHOLE:
        if spelling.fullmatch(text):
            return code
    if text == "g/l" and kept == COUNT:
        return COUNT
    symbols = [_symbol(part.strip()) for part in _PER.split(_INVERSE.sub(r"/\1", text))]
    return "/".join(symbol or "" for symbol in symbols) if None not in symbols else ""


def _symbol(part: str) -> str | None:
    if power := _POWER.fullmatch(part):
        return f"10*{power[1]}"
    return _SYMBOLS.get(part) if part else ""
