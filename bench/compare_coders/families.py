"""What a family of coders is, to the comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.compare_coders.metrics import LONGEST_RANKING, Ranking
from bench.compare_coders.notes import Note

Predict = Callable[[Sequence[Note]], list[Ranking]]
Fit = Callable[[Sequence[Note], Any], Predict]


@dataclass(frozen=True, slots=True)
class Family:
    """One way to code. `settings`: what is chosen among, on a part of the training notes, before the fit."""

    name: str
    fit: Fit
    settings: tuple[Any, ...]


def best_first(codes: Sequence[str], scores: Sequence[float]) -> Ranking:
    """The 100 codes of the highest score; codes of equal score in alphabetical order."""
    pairs = sorted(zip(codes, scores, strict=True), key=lambda pair: (-pair[1], pair[0]))
    return pairs[:LONGEST_RANKING]
