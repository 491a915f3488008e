"""Where on a frontal chest film the thorax lies, so that a model sees it and nothing around it.

Every window of a small picture of the film is compared with the mean thorax (template matching by normalised
cross-correlation: Gonzalez and Woods, Digital Image Processing, 12.2). What lies around a thorax, such as arms,
collimation and markers, tells how a film was taken, and with it something of who was ill.
"""

import numpy as np
from numpy.typing import NDArray

SIDE = 32  # of the small picture
SHORTEST, STEP = 16, 2  # of a window's side
# The windows' mean weighted by exp(SHARPNESS x score): the box moves as the film does, not by steps of windows.
SHARPNESS = 60.0
# What a larger window is worth, for its log area: without it many children's lungs are cut off above their bases.
LARGER = 0.05
LEAST_VARIANCE = 1e-4  # of a window; flatter ones look like anything
# Left half of the mean thorax, brighter is denser; the right half is its mirror image. Found from the training films
# without their labels: two dark ellipses first, then three times the mean of the windows found with the last mean.
HALF = np.array(
    [
        [-0.16, -0.18, -0.31, -0.54, -0.34, 0.25],
        [0.21, 0.03, -0.51, -0.87, -0.57, 0.23],
        [0.40, -0.05, -0.92, -1.20, -0.71, 0.33],
        [0.49, -0.21, -1.15, -1.35, -0.74, 0.48],
        [0.53, -0.39, -1.27, -1.36, -0.61, 0.70],
        [0.52, -0.51, -1.28, -1.23, -0.31, 0.92],
        [0.48, -0.58, -1.23, -1.03, 0.01, 1.12],
        [0.42, -0.60, -1.07, -0.70, 0.38, 1.35],
        [0.35, -0.55, -0.81, -0.29, 0.74, 1.54],
        [0.30, -0.42, -0.47, 0.09, 1.00, 1.67],
        [0.32, -0.10, 0.08, 0.58, 1.28, 1.81],
        [0.46, 0.38, 0.68, 1.04, 1.52, 1.92],
    ]
)

Floats = NDArray[np.float64]


def _intervals() -> Floats:
    """(n, 2): first and past-last pixel of every window along one side."""
    return np.array(
        [(first, first + length) for length in range(SHORTEST, SIDE + 1, STEP) for first in range(SIDE - length + 1)],
        np.float64,
    )


def _parts(intervals: Floats, count: int) -> Floats:
    """(n, count, SIDE): weights of the pixels in the mean of each of `count` equal parts of every window."""
    edges = intervals[:, :1] + (intervals[:, 1:] - intervals[:, :1]) * np.linspace(0, 1, count + 1)
    low, high = edges[:, :-1, None], edges[:, 1:, None]
    pixels = np.arange(SIDE)
    weights: Floats = np.clip(np.minimum(high, pixels + 1) - np.maximum(low, pixels), 0, None) / (high - low)
    return weights


def _standardised(template: Floats) -> Floats:
    centred = template - template.mean()
    made: Floats = centred / np.sqrt((centred**2).mean())
    return made


TEMPLATE = _standardised(np.hstack([HALF, HALF[:, ::-1]]))
INTERVALS = _intervals()
_PARTS = _parts(INTERVALS, len(TEMPLATE))
_WHOLE = _PARTS.mean(1)
# The template times the parts along the columns: what is left to do for a film are matrix products.
_ACROSS = np.einsum("ab,jbn->anj", TEMPLATE, _PARTS).reshape(-1, len(INTERVALS)) / TEMPLATE.size
_LENGTHS = INTERVALS[:, 1] - INTERVALS[:, 0]
_BONUS = LARGER * np.log(np.outer(_LENGTHS, _LENGTHS) / SIDE**2)


def likeness(square: NDArray[np.float32]) -> Floats:
    """How like the mean thorax each window is, -1 to 1: (n, n), rows by columns of `INTERVALS`.

    square: (SIDE, SIDE) in [0, 1], equalised.
    """
    picture = square.astype(np.float64)
    together = (_PARTS @ picture).reshape(len(INTERVALS), -1) @ _ACROSS
    mean = _WHOLE @ picture @ _WHOLE.T
    variance = _WHOLE @ picture**2 @ _WHOLE.T - mean**2
    result: Floats = together / np.sqrt(np.maximum(variance, LEAST_VARIANCE))
    return result


def located(square: NDArray[np.float32]) -> tuple[float, float, float, float]:
    """Top, bottom, left and right of the thorax as shares of the film. square: as for `likeness`."""
    score = likeness(square) + _BONUS
    weights = np.exp(SHARPNESS * (score - score.max()))
    weights /= weights.sum()
    top, bottom = weights.sum(1) @ INTERVALS / SIDE
    left, right = weights.sum(0) @ INTERVALS / SIDE
    return float(top), float(bottom), float(left), float(right)
