"""What prescriptions come to, case by case."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ucumvert import PintUcumRegistry

from services.nlp_coder.data_files import rows
from services.nlp_coder.dosing import normal_dose, normal_frequency, parts_of
from services.nlp_coder.entities import EntityTables, load_entity_tables, names_of
from services.nlp_coder.joining_kernels import COLUMNS, FIRST, LAST, MEDICATION, TYPE, names_inside
from services.nlp_coder.numbered import numbered
from services.nlp_coder.tokens import words_of

CASES = [
    tuple(line.split("\t"))
    for line in Path(__file__).with_name("normalisation_cases.tsv").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.fixture(scope="module")
def tables() -> EntityTables:
    return load_entity_tables()


def normalised(kind: str, text: str, tables: EntityTables) -> str:
    """The case's text as the service normalises it; empty for nothing."""
    norms = words_of(text).norms
    if kind == "drug":
        row = np.full((1, COLUMNS), -1, dtype=np.int64)
        row[0, [TYPE, FIRST, LAST]] = MEDICATION, 0, len(norms)
        return names_of(row, names_inside(row, numbered(norms), *tables.drugs.trie), tables).get(0, ("", ""))[1]
    if kind == "symptom":
        longest = tables.symptoms.longest_from(numbered(norms), 0, len(norms))
        return longest[1][0] if longest is not None and longest[0] == len(norms) else ""
    if kind == "dose":
        return str(normal_dose(text) or "")
    if kind == "frequency":
        return str(normal_frequency(text) or "")
    return next((str(part.value) for part in parts_of(text, 0, len(text)) if part.name == kind), "")


@pytest.mark.parametrize(("kind", "text", "expected"), CASES)
def test_what_is_written_comes_to_what_is_meant(kind: str, text: str, expected: str, tables: EntityTables) -> None:
    assert normalised(kind, text, tables) == expected


def test_there_are_at_least_two_hundred_cases() -> None:
    assert len(set(CASES)) == len(CASES) >= 200


def test_every_unit_is_one_of_ucum() -> None:
    registry = PintUcumRegistry()
    for unit in {unit for _written, unit, _source in rows("dose_units.tsv", 3)}:
        registry.from_ucum(unit)


@given(st.text(alphabet="0123456789 .,/-xqbidpon hmgulf%\u00b5\u2013\n", max_size=60))
def test_parts_of_any_text_slice_to_something_and_stay_inside(text: str) -> None:
    for part in parts_of(text, 0, len(text)):
        assert 0 <= part.start < part.end <= len(text)
        assert text[part.start : part.end].strip()
        assert str(part.value)
