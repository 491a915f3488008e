"""ICD-10-CM as published (US National Center for Health Statistics), from the package simple-icd-10-cm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import ascii_uppercase, digits
from xml.etree import ElementTree as ET  # the file comes with an installed package

CATEGORY_CHARACTERS = 3
# Codes and ranges as notes of the tabular list write them: "J18.9", "J15.-", "I60-I69", "C7A.022-C7A.025".
_CODE = r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?"
_RANGE = re.compile(rf"({_CODE})(?:-({_CODE}))?")
_IN_PARENTHESES = re.compile(r"\(([^()]*)\)")
_FILE = re.compile(r"icd10c-tabular-(?P<month>[A-Za-z]+)-\d+-(?P<year>\d{4})\.xml")


@dataclass(frozen=True, slots=True)
class Code:
    """One code. `terms`: inclusion terms. `billable`: complete as it stands, accepted on a claim."""

    code: str
    display: str
    terms: tuple[str, ...]
    parent: str
    is_leaf: bool
    billable: bool


@dataclass(frozen=True, slots=True)
class CodeRange:
    """Codes from `first` to `last`, each with all codes below it; `first` is `last` for one code."""

    first: str
    last: str

    def __contains__(self, code: str) -> bool:
        return self.first <= code[: len(self.first)] and code[: len(self.last)] <= self.last


@dataclass(frozen=True, slots=True, eq=False)
class CodeSet:
    """All codes of a release, in tabular order; equal to itself only. `version` e.g. "ICD-10-CM April 2026".

    `excludes1`: what a code's own Excludes1 notes name; codes below inherit it. Notes at chapters and blocks are left
    out: they say where a condition is classified, and not what contradicts what.
    """

    version: str
    codes: dict[str, Code]
    excludes1: dict[str, tuple[CodeRange, ...]]

    def line(self, code: str) -> Iterator[str]:
        """The code and the codes above it, up to its category."""
        while code in self.codes:
            yield code
            code = self.codes[code].parent


def category_of(code: str) -> str:
    """Its first three characters."""
    return code[:CATEGORY_CHARACTERS]


def children(parent: str, code_set: CodeSet) -> list[Code]:
    """The codes right below `parent`, in order."""
    prefix = parent if "." in parent else f"{parent}."
    names = [prefix + character for character in digits + ascii_uppercase]
    return [code_set.codes[name] for name in names if name in code_set.codes]


def load_code_set() -> CodeSet:
    """Parse the package's tabular list. About 0.4 s. Raises FileNotFoundError when the package has none."""
    for entry in _package_data():
        match = _FILE.fullmatch(entry.name)
        if match:
            root = ET.fromstring(entry.read_bytes())  # noqa: S314 - see the import
            codes = {code.code: code for diagnosis in _top(root) for code in _codes(diagnosis, "", "")}
            return CodeSet(f"ICD-10-CM {match['month']} {match['year']}", codes, _excludes1(root))
    raise FileNotFoundError("simple-icd-10-cm holds no tabular list")


def _package_data() -> Iterator[Path]:
    """Files of the package, found without importing it: its import builds a tree for two seconds."""
    spec = find_spec("simple_icd_10_cm")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        yield from (Path(folder) / "data").glob("*.xml")


def ranges_in(note: str) -> list[CodeRange]:
    """Codes and ranges that a note names, in order. A range keeps the length of its ends: "C15-C26"."""
    return [CodeRange(first, last or first) for first, last in _RANGE.findall(note)]


def _excludes1(root: ET.Element) -> dict[str, tuple[CodeRange, ...]]:
    excluded: dict[str, tuple[CodeRange, ...]] = {}
    for diagnosis in root.iter("diag"):
        ranges = _own_excludes1(diagnosis)
        if ranges:
            excluded[diagnosis.findtext("name", "")] = ranges
    return excluded


def _own_excludes1(element: ET.Element) -> tuple[CodeRange, ...]:
    """What stands in parentheses, but not "(T36-T50 with fifth or sixth character 5)", a part of a range."""
    notes = (note.text or "" for note in element.iterfind("excludes1/note"))
    groups = (group for note in notes for group in _IN_PARENTHESES.findall(note) if " with " not in group)
    return tuple(dict.fromkeys(found for group in groups for found in ranges_in(group)))


def _top(root: ET.Element) -> Iterator[ET.Element]:
    for section in root.iter("section"):
        yield from section.findall("diag")


def _codes(diagnosis: ET.Element, parent: str, extension: str) -> Iterator[Code]:
    """`extension` is "7" below a category whose codes need a seventh character to be complete."""
    name = diagnosis.findtext("name", "")
    children = diagnosis.findall("diag")
    if diagnosis.find("sevenChrDef") is not None:
        extension = "7"
    terms = tuple(note.text or "" for note in diagnosis.iterfind("inclusionTerm/note"))
    yield Code(
        name,
        diagnosis.findtext("desc", ""),
        terms,
        parent,
        is_leaf=not children,
        billable=not children and not extension,
    )
    for child in children:
        yield from _codes(child, name, extension)
