"""What a reader found in a hundred notes: their medications with what is said of them, their symptoms as they read.

Held by the tables and rules alone: a model may be replaced, and adds to them.
"""

from pathlib import Path

import pytest
from vigil.v1 import notes_pb2
from vigil.v1.notes_pb2 import Entity, NoteCoded

from services.nlp_coder.handlers import Coder
from tests.nlp_coder.fakes import coded
from tests.nlp_coder.test_entities import without_model

FOLDER = Path(__file__).with_name("regression") / "entities"
PARTS = ("dose", "route", "frequency", "status")
# Codes for what is outside a body, and for states that are no disease.
NO_SYMPTOMS = ("V", "W", "X", "Y", "Z")
NOTHING = "?"


def rows(name: str) -> list[tuple[str, set[str], set[str]]]:
    """(text, what is right, what is found instead) of a table."""
    found = []
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            _note, text, *cells = line.split("\t")
            right, instead = (set() if cell == "-" else set(cell.split("; ")) for cell in cells)
            found.append((text.replace("\\n", "\n"), right, instead))
    return found


def _words(answer: NoteCoded, one: Entity) -> str:
    return answer.text[one.span.start : one.span.end]


def medications(answer: NoteCoded) -> set[str]:
    """As the table writes them."""
    found = set()
    for one in answer.entities:
        if one.type == "medication":
            values = [said.value for part in PARTS for said in one.attributes if said.name == part]
            found.add(", ".join([f"{_words(answer, one)} = {one.name or '-'}", *dict.fromkeys(values)]))
    return found


def symptoms(answer: NoteCoded) -> set[str]:
    """As the table writes them."""
    found = set()
    for one in answer.entities:
        if one.type in ("sign_symptom", "disease") and not one.code.startswith(NO_SYMPTOMS):
            said = notes_pb2.Assertion.Name(one.assertion).removeprefix("ASSERTION_").lower()
            said += "/past" if one.temporality == notes_pb2.TEMPORALITY_HISTORICAL else ""
            said += "/family" if one.experiencer != notes_pb2.EXPERIENCER_PATIENT else ""
            found.add(f"{_words(answer, one)} = {said}")
    return found


def _named(items: set[str]) -> set[str]:
    return {item.partition(" = ")[0] for item in items}


def check(found: set[str], right: set[str], instead: set[str]) -> None:
    """Nothing is found that is neither right nor known to be wrong; nothing is missed that is not known to be."""
    assert found - right <= instead
    assert _named(right - found) <= _named(instead)


@pytest.mark.parametrize(("text", "right", "instead"), rows("medications.tsv"))
async def test_medications_of_a_note_are_as_its_reader_found(
    text: str, right: set[str], instead: set[str], coder: Coder
) -> None:
    check(medications(await coded(without_model(coder), text)), right, instead)


@pytest.mark.parametrize(("text", "right", "instead"), rows("symptoms.tsv"))
async def test_symptoms_of_a_note_read_as_its_reader_found(
    text: str, right: set[str], instead: set[str], coder: Coder
) -> None:
    check(symptoms(await coded(without_model(coder), text)), right, instead)


def test_what_is_wrong_is_little() -> None:
    tables = [row for name in ("medications.tsv", "symptoms.tsv") for row in rows(name)]
    assert sum(len(right) for _text, right, _instead in tables) >= 1200
    assert sum(len(instead) for _text, _right, instead in tables) <= 60
