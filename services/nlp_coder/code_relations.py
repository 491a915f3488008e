"""How codes of one code set stand to each other: the same, above, below, or saying less."""

from __future__ import annotations

import re
from functools import lru_cache

from services.nlp_coder.code_set import CATEGORY_CHARACTERS, Code, CodeSet, category_of, children
from services.nlp_coder.tokens import words_of

# Characters of a complete code with its extension, without the dot; "X" fills the places before it.
# ICD-10-CM Official Guidelines FY2026, I.A.4 and I.A.5.
_WITH_EXTENSION = 7
_PLACEHOLDER = "X"
# Words by which a name leaves something open (Guidelines FY2026, I.A.6.b).
_OPEN = re.compile(
    r",? ?\b(?:unspecified|not specified|NOS|without complications)\b(?: (?:organism|site|type|cause)\b)?"
)
_SMALL_WORDS = frozenset({"of", "the", "and", "or", "in", "to", "a", "with", "without", "due", "other", "not", "by"})
# A name up to what it has or lacks: "Type 2 diabetes mellitus" of "... without complications" and "... with ...".
_WITH = re.compile(r",? (?P<kind>without|with|uncomplicated|unspecified$)(?!\w)")
LACKING = frozenset({"without", "uncomplicated"})
BOTH_SIDES = "bilateral"
SIDES = {"right": "right", "left": "left", "bilateral": "bilateral", "both": "bilateral"}


def as_published(code: str, code_set: CodeSet) -> str | None:
    """The code as the code set writes it, or None when it has no such code.

    Case, blanks and the dot do not matter; placeholders and a seventh character, which the tabular list gives apart,
    are left out ("w19xxxa" is W19).
    """
    plain = "".join(code.split()).replace(".", "").upper()
    while len(plain) >= CATEGORY_CHARACTERS:
        known = _dotted(plain)
        if known in code_set.codes:
            return known
        if len(plain) != _WITH_EXTENSION and not plain.endswith(_PLACEHOLDER):
            return None
        plain = plain[:-1]
    return None


def _dotted(plain: str) -> str:
    category, rest = plain[:CATEGORY_CHARACTERS], plain[CATEGORY_CHARACTERS:]
    return f"{category}.{rest}" if rest else category


def is_below(code: str, other: str) -> bool:
    """Whether `code` is a subdivision of `other`."""
    return code != other and code.startswith(other)


def is_unspecified(code: Code) -> bool:
    """Whether its name leaves something open that a sibling says."""
    return _OPEN.search(code.display) is not None


def covers(assigned: Code, code: Code) -> bool:
    """Whether who assigned the one has coded what the other says, more or less closely."""
    if assigned.code == code.code or is_below(assigned.code, code.code) or is_below(code.code, assigned.code):
        return True
    same = category_of(assigned.code) == category_of(code.code)
    return same and (is_unspecified(assigned) or is_unspecified(code))


def leaves_nothing_to(assigned: Code, code: Code) -> bool:
    """Whether `code` adds nothing to `assigned`: the same, above or below it, or a sibling all in its name."""
    if assigned.code == code.code or is_below(assigned.code, code.code) or is_below(code.code, assigned.code):
        return True
    named = _named(code.display)
    return category_of(assigned.code) == category_of(code.code) and named < _named(assigned.display)


def says_more(code: Code, assigned: Code) -> bool:
    """Whether `code` names the condition of `assigned` more closely: below it, beside it, or by its name's words."""
    if code.code[0] != assigned.code[0] or code.code == assigned.code:
        return False
    named, already = _named(code.display), _named(assigned.display)
    if is_below(code.code, assigned.code):
        return not named <= already
    if has_what_lacks(code, assigned):
        return True
    # "Other" is what no sibling names, and so none of them says it more closely.
    if not is_unspecified(assigned) or assigned.display.startswith("Other ") or is_below(assigned.code, code.code):
        return False
    still, before = _open_parts(code), _open_parts(assigned)
    fewer, more = still < before, bool(already) and already < named
    if category_of(code.code) == category_of(assigned.code):
        return not code.display.startswith("Other ") and (fewer or (more and still == before))
    # "Pneumonia, unspecified organism" is all in "Pneumonia due to Klebsiella pneumoniae".
    return fewer and more


def has_what_lacks(code: Code, other: Code) -> bool:
    """Whether the names contradict each other: `code` with something, `other` without, or unspecified ("COPD")."""
    if code.code == other.code or category_of(code.code) != category_of(other.code):
        return False
    (base, kind), (other_base, other_kind) = _parts(code.display), _parts(other.display)
    return bool(base) and base == other_base and kind == "with" and other_kind in (*LACKING, "unspecified")


@lru_cache(maxsize=4096)
def _parts(name: str) -> tuple[str, str]:
    match = _WITH.search(name)
    return (name[: match.start()], match["kind"]) if match else ("", "")


@lru_cache(maxsize=4096)
def _named(display: str) -> frozenset[str]:
    """The words of a name that say something."""
    return frozenset(words_of(_OPEN.sub(" ", display)).norms) - _SMALL_WORDS


def _open_parts(code: Code) -> int:
    return len(_OPEN.findall(code.display))


def sideless(code: Code) -> tuple[frozenset[str], str]:
    """The words of a code's name without those of sides, and the side; "" where it tells none, or several."""
    return _sideless(code.display)


@lru_cache(maxsize=4096)
def _sideless(display: str) -> tuple[frozenset[str], str]:
    norms = frozenset(words_of(display).norms)
    sides = {SIDES[norm] for norm in norms if norm in SIDES}
    return frozenset(norms - SIDES.keys() - {"unspecified"}), sides.pop() if len(sides) == 1 else ""


@lru_cache(maxsize=4096)
def on_side(code: str, side: str, code_set: CodeSet) -> str | None:
    """The code beside `code`, one of the code set, that differs in saying the side, or None.

    side: one of the values of `SIDES`.
    """
    known = code_set.codes[code]
    parts = known.display.split("unspecified ")
    wanted = {
        "unspecified ".join(parts[:cut]) + f"{side} " + "unspecified ".join(parts[cut:]) for cut in range(1, len(parts))
    }
    names = {_singular(name) for name in wanted}
    for sibling in children(known.parent, code_set):
        if _singular(sibling.display) in names:
            return sibling.code
    return None


def _singular(name: str) -> str:
    return " ".join(words_of(name).norms)
