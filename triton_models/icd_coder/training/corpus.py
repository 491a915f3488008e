"""CodiEsp notes as the service reads them, with their gold codes."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder.features import terms_of
from services.nlp_coder.reading import Reader, ReadNote, read_note

FOLDS = 5
SEED = 20261123


@dataclass(frozen=True, slots=True)
class Example:
    """One note, read, with its terms counted and its gold codes."""

    name: str
    note: ReadNote
    counts: Counter[str]
    gold: frozenset[str]


def load(path: Path, reader: Reader) -> list[Example]:
    """Read a `*.jsonl.gz` of `{"id", "text", "codes"}` lines."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [_example(json.loads(line), reader) for line in lines]


def _example(entry: dict[str, object], reader: Reader) -> Example:
    note = read_note(str(entry["text"]), reader)
    counts = Counter(term for term, _first, _last in terms_of(note.document, note.mentions))
    return Example(str(entry["id"]), note, counts, frozenset(entry["codes"]))  # type: ignore[arg-type]


def folds_of(count: int) -> NDArray[np.int64]:
    """Fold of each note. One case report is one patient, so notes are the unit."""
    return np.random.default_rng(SEED).permutation(count) % FOLDS
