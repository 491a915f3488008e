"""Where on a chest film what speaks for a finding lies: six zones, named as locations of reports are."""

import numpy as np
from numpy.typing import NDArray

from services.image_router.preprocessing import MIDDLE

LEVELS = ("upper", "mid", "lower")
# What the heat map of a model speaks for, of models whose images show the chest from the front.
FRONTAL = {"cxr_findings": "pneumonia"}


def zones(heatmap: NDArray[np.float32], leftwards: float) -> dict[str, float]:
    """Share of each zone in what speaks for the finding, e.g. of "left_lower_lung"; empty when nothing does.

    Zones are thirds of the thorax, the middle of what the model saw, by halves of its width: no outline of the lungs.
    heatmap: (h, w) over that part. leftwards: as in `regions.Geometry`; unknown counts as the usual way, the patient's
    left on the right.
    """
    speaking = np.clip(heatmap, 0, None)
    total = float(speaking.sum())
    if total <= 0:
        return {}
    rows, columns = speaking.shape
    below_top = (np.arange(rows) + 0.5) / rows - (1 - MIDDLE) / 2
    level = np.clip(below_top / MIDDLE * len(LEVELS), 0, len(LEVELS) - 1).astype(int)
    middle = (columns + 1) // 2
    halves = [np.bincount(level, half.sum(1), len(LEVELS)) for half in (speaking[:, middle:], speaking[:, :middle])]
    left, right = halves if leftwards >= 0 else halves[::-1]
    return {
        f"{side}_{name}_lung": float(share) / total
        for side, shares in (("left", left), ("right", right))
        for name, share in zip(LEVELS, shares, strict=True)
    }
