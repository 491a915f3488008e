"""Feature rows of the codes considered for a note, as the graph makes them: for training the trees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from calibration import Calibration, code_features, probability
from linear import Linear
from numpy.typing import NDArray

from services.nlp_coder.code_priors import of_code
from services.nlp_coder.code_set import category_of
from services.nlp_coder.ranking import EVIDENCE, NOTHING_FOUND, Candidates, Hits

TEXT = ("score", "category_score", "lexicon", "code_notes", "category_notes", "named_beside")
FEATURES = (*TEXT, *EVIDENCE)
# Score of what training has not seen; a little below what a code without any sign gets.
UNSEEN = -0.1
PROPOSED = 100


@dataclass(frozen=True, slots=True)
class Considered:
    """Codes of one note, the candidates first, with their rows, float32 [codes, len(FEATURES)]."""

    codes: list[str]
    rows: NDArray[np.float32]


def support_of(
    linear: Linear, scores: NDArray[np.float64], maxima: NDArray[np.float64], calibration: Calibration
) -> NDArray[np.float64]:
    """Probability of each code by the text alone, [C]."""
    count = len(linear.codes)
    place = {name: count + index for index, name in enumerate(linear.categories)}
    category = scores[[place[category_of(code)] for code in linear.codes]]
    features = code_features(scores[:count], category, maxima, linear.priors[:count])
    return probability(calibration, features)


def considered(
    linear: Linear,
    outputs: tuple[NDArray[np.float64], NDArray[np.float64]],
    calibration: Calibration,
    candidates: Candidates,
    hits: Hits,
) -> Considered:
    """The candidates, and the other codes that the text supports most. outputs: of one note, see `linear.outputs`."""
    scores, maxima = outputs
    count = len(linear.codes)
    column = {code: index for index, code in enumerate(linear.codes)}
    place = {name: index for index, name in enumerate(linear.categories)}
    support = support_of(linear, scores, maxima, calibration)
    support[[column[code] for code in candidates.codes if code in column]] = -1.0
    proposed = [linear.codes[index] for index in np.argsort(-support, kind="stable")[:PROPOSED]]
    codes = [*candidates.codes, *proposed]
    is_named = candidates.evidence[:, 0] > 0
    named = Counter(category_of(code) for code, yes in zip(candidates.codes, is_named, strict=True) if yes)
    rows = []
    for index, code in enumerate(codes):
        own, category = column.get(code), place.get(category_of(code))
        itself = index < len(is_named) and is_named[index]
        rows.append(
            [
                UNSEEN if own is None else scores[own],
                UNSEEN if category is None else scores[count + category],
                0.0 if own is None else maxima[own],
                0 if own is None else linear.code_counts[own],
                0 if category is None else linear.category_counts[category],
                0 if category is None else named[category_of(code)] - itself,
            ]
        )
    evidence = np.concatenate([candidates.evidence, not_found(proposed, hits)])
    return Considered(codes, np.hstack([np.array(rows, dtype=np.float32), evidence]))


def not_found(codes: Sequence[str], hits: Hits) -> NDArray[np.float32]:
    """Evidence of codes that the dictionary has not found, [codes, len(EVIDENCE)]."""
    return np.array([[*NOTHING_FOUND, *of_code(code, hits)] for code in codes], dtype=np.float32)
