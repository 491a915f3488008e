"""Tables made by programs, in the pages and model cards that people write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """As Markdown, line by line."""
    lines = [header, ["---"] * len(header), *([str(cell) for cell in row] for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def fill(path: Path, tables: Mapping[str, Sequence[str]]) -> None:
    """Put lines between `<!-- name -->` and `<!-- end -->`. Raises ValueError for a marker that is not there."""
    page = path.read_text(encoding="utf-8")
    for name, lines in tables.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"{path.name} has no place for {name!r}")
        text = "\n".join(lines) + "\n"
        page = pattern.sub(lambda match, text=text: match[1] + text + match[2], page)
    path.write_text(page, encoding="utf-8")


def between(page: str, begin: str, end: str, made: str) -> str:
    """The page with `made` between two markers. Raises ValueError when they are not there."""
    if begin not in page or end not in page:
        raise ValueError("the page has no place for its tables")
    return f"{page.split(begin, 1)[0]}{begin}\n\n{made}\n\n{end}{page.split(end, 1)[1]}"
