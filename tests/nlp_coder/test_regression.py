"""What reading real notes taught, a row a lesson: which codes a short text must have, and which it must not."""

from pathlib import Path

import pytest

from services.nlp_coder.handlers import Coder
from tests.nlp_coder.fakes import coded

FOLDER = Path(__file__).with_name("regression")


def rows() -> list[tuple[str, list[str], list[str], str]]:
    """(text, codes to select, codes or beginnings of codes not to select, what it is about) of every table."""
    found = []
    for path in sorted(FOLDER.glob("*.tsv")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                text, wanted, unwanted, about = line.split("\t")
                codes = [[] if cell.strip() == "-" else cell.split() for cell in (wanted, unwanted)]
                found.append((text.replace("\\n", "\n"), codes[0], codes[1], about))
    return found


def test_there_are_sixty_cases() -> None:
    assert len(rows()) >= 60


@pytest.mark.parametrize(("text", "wanted", "unwanted", "about"), rows(), ids=range(len(rows())))
async def test_a_note_is_coded_as_its_readers_would(
    text: str, wanted: list[str], unwanted: list[str], about: str, coder: Coder
) -> None:
    selected = {code.code for code in (await coded(coder, text)).codes if code.selected}
    assert set(wanted) <= selected, about
    assert not {code for code in selected for beginning in unwanted if code.startswith(beginning)}, about
