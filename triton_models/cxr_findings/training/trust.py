"""Whether intervals hold what they are meant to, judged on patients that their width was not set on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

COVERED = 0.9
PARTS = 5
SEED = 7


def half_widths(
    difference: NDArray[np.float64], spread: NDArray[np.float64], patients: NDArray[np.str_]
) -> NDArray[np.float64]:
    """(n,): a factor, set on the patients of four fifths, times the `spread` of each one of the fifth."""
    names, inverse = np.unique(patients, return_inverse=True)
    part = np.random.default_rng(SEED).integers(0, PARTS, len(names))[inverse]
    half = np.zeros(len(difference))
    for own in (part == one for one in range(PARTS)):
        half[own] = np.quantile(np.abs(difference[~own]) / spread[~own], COVERED) * spread[own]
    return half


def by_fifths(held: NDArray[np.bool_], of: NDArray[np.float64]) -> list[float]:
    """Share that is held by fifths of a quantity, lowest first."""
    fifth = np.digitize(of, np.quantile(of, [0.2, 0.4, 0.6, 0.8]))
    return [float(held[fifth == one].mean()) for one in range(PARTS)]
