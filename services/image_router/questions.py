"""What an image is asked for, and which of a model's operating points that chooses. The words are in questions.tsv."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from services.image_router.tags import ImageTags

DEFAULT = "default"
OF_ALL = frozenset({"screening"})  # asks for whatever there is


@dataclass(frozen=True, slots=True)
class Choice:
    """What was asked, "rule_out", "screening", "confirm" or nothing; the operating point's name; why, one sentence."""

    question: str
    point: str
    reason: str


UNASKED = Choice("", DEFAULT, "nothing says what the image is to answer")


@dataclass(frozen=True, slots=True)
class Table:
    """The rows by kind.

    points: by question, with what is asked in words, and why. phrases: by question. about: by model, what names the
    thing that it reads for.
    """

    points: dict[str, tuple[str, str, str]]
    phrases: dict[str, re.Pattern[str]]
    about: dict[str, re.Pattern[str]]


@cache
def table() -> Table:
    """The table that ships with the service. Raises ValueError for a row that is none."""
    points: dict[str, tuple[str, str, str]] = {}
    phrases: dict[str, list[str]] = {}
    about: dict[str, list[str]] = {}
    for cells in _rows():
        match cells:
            case ["point", question, point, asked, why]:
                points[question] = point, asked, why
            case ["phrase", words, question]:
                phrases.setdefault(question, []).append(words)
            case ["about", model, word]:
                about.setdefault(model, []).append(word)
            case _:
                raise ValueError(f"questions.tsv: no such row: {cells}")
    whole = {question: _any_of(words, r"\b") for question, words in phrases.items()}
    return Table(points, whole, {model: _any_of(words, "") for model, words in about.items()})


def _rows() -> Iterator[list[str]]:
    text = files("services.image_router").joinpath("questions.tsv").read_text(encoding="utf-8")
    yield from (line.split("\t") for line in text.splitlines() if line.strip() and not line.startswith("#"))


def _any_of(words: list[str], end: str) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))}){end}", re.IGNORECASE)


def choice(asked: str, tags: ImageTags, model: str, points: frozenset[str]) -> Choice:
    """Which operating point of a model the question chooses; the default one unless something says otherwise.

    asked: by the caller, a question's name or words of an order. tags: else the words of the order in them. points:
    that the model declares beside the default one.
    """
    said, whose = (asked, "caller") if asked.strip() else (tags.order, "order")
    if not said.strip():
        return UNASKED
    question = said.strip().lower() if said.strip().lower() in table().points else _question(said, model)
    if not question:
        return Choice("", DEFAULT, f"the {whose}'s words choose no other for what {model} reads for")
    point, words, why = table().points[question]
    if point not in points:
        return Choice(question, DEFAULT, f"the {whose} asks to {words}, and {model} has only this one")
    return Choice(question, point, f"the {whose} asks to {words}, so {why}")


def _question(words: str, model: str) -> str:
    """The first question that the words ask; one that is not about all must name what the model reads for."""
    matches = [(found.start(), question) for question, one in table().phrases.items() if (found := one.search(words))]
    about = table().about.get(model)
    named = about is not None and bool(about.search(words))
    return next((question for _, question in sorted(matches) if named or question in OF_ALL), "")
