"""Codes for what is past or a relative's: categories Z80 to Z87 of ICD-10-CM, by the condition."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.nlp_coder.code_set import CATEGORY_CHARACTERS, Code, CodeRange, CodeSet, ranges_in
from services.nlp_coder.data_files import rows

_CLASSIFIABLE = re.compile(r"conditions classifiable\b", re.IGNORECASE)
_FAMILY = re.compile(r"Z8[0-4]")
_PERSONAL = re.compile(r"Z8[5-7]")
_NO_CODE = "-"

# Conditions and the code of each, by category, the narrowest first.
HistoryTable = Mapping[str, Sequence[tuple[CodeRange, str]]]


@dataclass(frozen=True, slots=True)
class HistoryCodes:
    """Conditions with the code of a history of them.

    Some are over though chronic: `ends`, unless the text says that it goes on; `repaired`, where the text says so.
    """

    family: HistoryTable
    personal: HistoryTable
    ends: HistoryTable
    repaired: HistoryTable


def load_history_codes(code_set: CodeSet) -> HistoryCodes:
    """Read the tabular list's notes and `data/history_codes.tsv`.

    Raises ValueError when the table names a code that the code set does not have.
    """
    tables: Mapping[str, list[tuple[CodeRange, str]]] = defaultdict(list)
    for kind, conditions, code, _source in rows("history_codes.tsv", 4):
        if code != _NO_CODE and code not in code_set.codes:
            raise ValueError(f"history_codes.tsv: {code} is not in {code_set.version}")
        tables[kind].extend((found, code) for found in ranges_in(conditions))
    for kind, found, code in _of_tabular_list(code_set):
        tables[kind].append((found, code))
    categories = [code for code in code_set.codes if len(code) == CATEGORY_CHARACTERS]
    return HistoryCodes(**{kind: _by_category(table, categories) for kind, table in tables.items()})


def code_of(table: HistoryTable, condition: str) -> str | None:
    """What the narrowest range that holds the condition says; None when that is no code."""
    rows_ = table.get(condition[:CATEGORY_CHARACTERS], ())
    code = next((code for found, code in rows_ if condition in found), _NO_CODE)
    return None if code == _NO_CODE else code


def holds(table: HistoryTable, condition: str) -> bool:
    """Whether a range of the table holds the condition."""
    return any(condition in found for found, _code in table.get(condition[:CATEGORY_CHARACTERS], ()))


def _by_category(table: list[tuple[CodeRange, str]], categories: Sequence[str]) -> HistoryTable:
    found: dict[str, list[tuple[CodeRange, str]]] = defaultdict(list)
    for row in sorted(table, key=_width):
        first, last = row[0].first[:CATEGORY_CHARACTERS], row[0].last[:CATEGORY_CHARACTERS]
        for category in categories:
            if first <= category <= last:
                found[category].append(row)
    return dict(found)


def _of_tabular_list(code_set: CodeSet) -> Iterator[tuple[str, CodeRange, str]]:
    below: dict[str, list[Code]] = defaultdict(list)
    for code in code_set.codes.values():
        below[code.parent].append(code)
    for code in code_set.codes.values():
        kind = "family" if _FAMILY.match(code.code) else "personal" if _PERSONAL.match(code.code) else ""
        for term in code.terms if kind else ():
            if _CLASSIFIABLE.search(term):
                for found in ranges_in(term):
                    yield kind, found, _other(code, below).code


def _other(code: Code, below: Mapping[str, list[Code]]) -> Code:
    """The code below for what has no code of its own, the last "other"; the code itself when nothing is below."""
    while not code.is_leaf:
        others = [child for child in below[code.code] if " other " in child.display]
        if not others:
            break
        code = others[-1]
    return code


def _width(row: tuple[CodeRange, str]) -> tuple[int, int]:
    """Longer codes first, then ranges of fewer categories; equal ones stay in order."""
    found = row[0]
    return -len(found.first), _place(found.last) - _place(found.first)


def _place(code: str) -> int:
    return ord(code[0]) * 1000 + int(code[1]) * 100 + ord(code[2])
