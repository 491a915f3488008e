"""The notes that are read: about 460 words each, as in the published figures for medspaCy."""

import gzip
import json
import os
import pkgutil
from dataclasses import dataclass
from importlib import import_module
from itertools import cycle
from pathlib import Path

from services.common.settings import REPOSITORY
from ward import stories
from ward.course import Course

WORDS = 460
TOLERANCE = 80
_MTSAMPLES = Path("mtsamples") / "notes.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Notes:
    """Texts, and where they are from, in words."""

    texts: list[str]
    origin: str


def load_notes(count: int) -> Notes:
    """`count` notes of about `WORDS` words: of MTSamples when the training data are here, else of the sample ward."""
    data = Path(os.environ.get("VIGIL_TRAINING_DATA", REPOSITORY.parent / "shared" / "data"))
    path = data / _MTSAMPLES
    texts, origin = (_mtsamples(path), "MTSamples") if path.is_file() else (_of_the_ward(), "the sample ward")
    chosen = [text for text, _number in zip(cycle(texts), range(count), strict=False)]
    words = round(sum(len(text.split()) for text in chosen) / len(chosen))
    different = len(set(chosen))
    return Notes(chosen, f"{count} notes of {origin} ({different} different), {words} words on average")


def _mtsamples(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return [text for text in texts if abs(len(text.split()) - WORDS) <= TOLERANCE]


def _of_the_ward() -> list[str]:
    """The ward's notes are shorter; put together as they come, they have the length."""
    texts = [note.text for course in _courses() for note in course.notes]
    joined: list[str] = []
    current = ""
    for text in (text for start in range(len(texts)) for text in texts[start:] + texts[:start]):
        current = f"{current}\n\n{text}".strip()
        if len(current.split()) >= WORDS - TOLERANCE:
            joined.append(current)
            current = ""
    return joined


def _courses() -> list[Course]:
    modules = [import_module(f"{stories.__name__}.{found.name}") for found in pkgutil.iter_modules(stories.__path__)]
    return [value for module in modules for value in vars(module).values() if isinstance(value, Course)]
