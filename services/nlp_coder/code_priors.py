"""What is known of a code before a note is read: how the codes around it fared in training, and where it stands."""

from __future__ import annotations

import math
from collections.abc import Mapping

# Marks, in the statistics of training, what a category, block or chapter stands for: "^J18", "^J1", "^J".
BEGINNING = "^"
# Characters of what a code belongs to, the closest first. Two are no block of the code set, but close to one.
BEGINNINGS = (3, 2, 1)
# Columns of the evidence matrix that depend on the code alone, in order.
OF_CODE = (
    "category_precision_logit",
    "block_precision_logit",
    "chapter_precision_logit",
    "category_seen",
    "characters",
    "chapter",
)


def of_code(code: str, hits: Mapping[str, tuple[int, int]]) -> list[float]:
    """The columns `OF_CODE` of one code. hits: as in `ranking.Hits`.

    A phrase that training has not seen is weighed by how often mentions of the same category, block or chapter were
    right there.
    """
    found = [hits.get(BEGINNING + code[:length], (0, 0)) for length in BEGINNINGS]
    odds = [math.log((right + 1.0) / (seen - right + 2.0)) for right, seen in found]
    return [*odds, float(found[0][1]), float(len(code)), float(ord(code[0]))]
