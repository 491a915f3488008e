"""The notes that are coded, their folds, and how often each code was seen in training."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.settings import REPOSITORY

FOLDS = 5
SEED = 20261123  # of triton_models/icd_coder/training/corpus.py; a test holds the folds equal
NOTES = (
    Path(os.environ.get("VIGIL_TRAINING_DATA", REPOSITORY.parent / "shared" / "data")) / "codiesp" / "train.jsonl.gz"
)


@dataclass(frozen=True, slots=True)
class Note:
    """A clinical case and the codes that professional coders gave it."""

    name: str
    text: str
    gold: frozenset[str]


def load(path: Path = NOTES) -> list[Note]:
    """CodiEsp's training notes, in the order of the file. Raises FileNotFoundError when the data are away."""
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: name the folder of codiesp/ in VIGIL_TRAINING_DATA")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        entries = [json.loads(line) for line in lines]
    return [Note(entry["id"], entry["text"], frozenset(entry["codes"])) for entry in entries]


def folds_of(count: int) -> NDArray[np.int64]:
    """Fold of each note, 0 to 4. One case report is one patient, so notes are the unit."""
    return np.random.default_rng(SEED).permutation(count) % FOLDS


def code_counts(golds: Sequence[frozenset[str]]) -> Counter[str]:
    """In how many of the notes each code is gold."""
    return Counter(code for gold in golds for code in gold)
