"""Tables that ship with the service: tab-separated, "#" starts a comment line."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files


def rows(name: str, columns: int) -> Iterator[list[str]]:
    """Rows of `data/<name>`, each of exactly `columns` cells.

    Raises ValueError, with the line, for a row of another width: a slip in a table should stop the service.
    """
    text = files("services.nlp_coder").joinpath("data", name).read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != columns:
            raise ValueError(f"{name}:{number}: {len(cells)} columns, expected {columns}")
        yield cells
