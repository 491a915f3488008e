"""ICD-10-CM as published (US National Center for Health Statistics), from the package simple-icd-10-cm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree as ET  # the file comes with an installed package

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
class CodeSet:
    """All codes of a release, in tabular order. `version` e.g. "ICD-10-CM April 2026"."""

    version: str
    codes: dict[str, Code]


def load_code_set() -> CodeSet:
    """Parse the package's tabular list. About 0.4 s. Raises FileNotFoundError when the package has none."""
    for entry in _package_data():
        match = _FILE.fullmatch(entry.name)
        if match:
            root = ET.fromstring(entry.read_bytes())  # noqa: S314 - see the import
            codes = {code.code: code for diagnosis in _top(root) for code in _codes(diagnosis, "", "")}
            return CodeSet(f"ICD-10-CM {match['month']} {match['year']}", codes)
    raise FileNotFoundError("simple-icd-10-cm holds no tabular list")


def _package_data() -> Iterator[Path]:
    """Files of the package, found without importing it: its import builds a tree for two seconds."""
    spec = find_spec("simple_icd_10_cm")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        yield from (Path(folder) / "data").glob("*.xml")


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
