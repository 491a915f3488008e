"""Where on a chest film what speaks for a finding lies: six zones, named as locations of reports are."""

import numpy as np
from numpy.typing import NDArray

LEVELS = ("upper", "mid", "lower")
# What the heat map of a model speaks for, of models whose images show the chest from the front.
FRONTAL = {"cxr_findings": "pneumonia"}


def zones(heatmap: NDArray[np.float32], leftwards: float) -> dict[str, float]:
    """Share of each zone in what speaks for the finding, e.g. of "left_lower_lung"; empty when nothing does.

    Zones are thirds of the film's height and halves of its width: no outline of the lungs. heatmap: (h, w) over the
    whole film. leftwards: as in `regions.Geometry`; unknown counts as the usual way, the patient's left on the right.
    """
    speaking = np.clip(heatmap, 0, None)
    total = float(speaking.sum())
    if total <= 0:
        return {}
    rows, columns = speaking.shape
    level = np.arange(rows) * len(LEVELS) // rows
    shown_right = np.arange(columns) >= columns / 2
    is_left = shown_right if leftwards >= 0 else ~shown_right
    return {
        f"{side}_{name}_lung": float(speaking[np.ix_(level == place, of_side)].sum()) / total
        for side, of_side in (("left", is_left), ("right", ~is_left))
        for place, name in enumerate(LEVELS)
    }
