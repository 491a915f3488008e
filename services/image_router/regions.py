"""From an outline to a region: mask, box, size and place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.image_router.preprocessing import Box, resized

# Parts smaller than this share of the largest one are taken for noise.
SMALLEST_PART = 0.1
THIRDS = ("upper", "middle", "lower"), ("left", "middle", "right")
# Cosine between the image's rows and the patient's left-right axis from which a side is named (45 degrees).
SIDEWAYS = 0.7

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Geometry:
    """What the tags say of where a picture's pixels lie.

    spacing: (row, column) in mm, None when unknown. leftwards: cosine between a step to the image's right and the
    direction to the patient's left, 0 when unknown.
    """

    spacing: tuple[float, float] | None = None
    leftwards: float = 0.0


@dataclass(frozen=True, slots=True)
class Outlined:
    """A region. mask: of the picture's size. box: x0, y0, x1, y1 as fractions. Sizes in mm, None without a spacing.

    side: "left" or "right" of the patient; empty when not known, or in the middle.
    """

    mask: Mask
    box: tuple[float, float, float, float]
    area_fraction: float
    area_mm2: float | None
    length_mm: float | None
    width_mm: float | None
    position: str
    side: str


def outlined(
    probability: NDArray[np.float32], threshold: float, part: Box, shape: tuple[int, int], geometry: Geometry
) -> Outlined | None:
    """The region of an outline, None when no place reaches the threshold.

    probability: (h, w) over the part of the picture that the model saw. shape: rows and columns of the picture.
    """
    mask = np.zeros(shape, bool)
    inside = without_specks(probability >= threshold)
    if not inside.any():
        return None
    kept = np.where(grown(inside) | (probability < threshold), probability, np.float32(0))
    size = part.bottom - part.top, part.right - part.left
    mask[part.top : part.bottom, part.left : part.right] = resized(kept, *size) >= threshold
    if not mask.any():
        return None
    return measured(mask, geometry)


def measured(mask: Mask, geometry: Geometry) -> Outlined:
    """Box, size and place. mask: (rows, columns), not empty."""
    rows, columns = mask.shape
    down, across = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x0, x1 = float(across[0]) / columns, float(across[-1] + 1) / columns
    y0, y1 = float(down[0]) / rows, float(down[-1] + 1) / rows
    area_mm2 = length = width = None
    if geometry.spacing:
        area_mm2 = float(mask.sum()) * geometry.spacing[0] * geometry.spacing[1]
        length, width = extents(mask, geometry.spacing)
    place, side = position(mask, geometry)
    return Outlined(mask, (x0, y0, x1, y1), float(mask.mean()), area_mm2, length, width, place, side)


def extents(mask: Mask, spacing: tuple[float, float]) -> tuple[float, float]:
    """Longest extent and the extent at right angles to it, mm, over all directions in steps of 3 degrees."""
    edge = mask & ~(_shifted(mask, 0, 1) & _shifted(mask, 0, -1) & _shifted(mask, 1, 0) & _shifted(mask, -1, 0))
    points = np.argwhere(edge) * np.array(spacing)
    angles = np.deg2rad(np.arange(0, 180, 3))
    spans = np.ptp(points @ np.stack([np.cos(angles), np.sin(angles)]), axis=0)
    spans = spans + min(spacing)  # a pixel has a width of its own
    longest = int(spans.argmax())
    return float(spans[longest]), float(spans[(longest + len(angles) // 2) % len(angles)])


def position(mask: Mask, geometry: Geometry) -> tuple[str, str]:
    """Third of the image in words, with the patient's side when the tags tell it; and that side."""
    centre = np.argwhere(mask).mean(0) / mask.shape
    down, across = (names[min(2, int(place * 3))] for names, place in zip(THIRDS, centre, strict=True))
    place = "centre" if down == across == "middle" else f"{down} {across}"
    words = f"{place} of the image"
    if abs(geometry.leftwards) < SIDEWAYS or across == "middle":
        return words, ""
    side = "left" if (across == "right") == (geometry.leftwards > 0) else "right"
    return f"{words}, the patient's {side}", side


def without_specks(inside: Mask) -> Mask:
    """Connected parts (4 neighbours) of at least `SMALLEST_PART` of the largest one's area."""
    labels = np.zeros(inside.shape, np.int64)
    for place in map(tuple, np.argwhere(inside)):
        if not labels[place]:
            _flood(inside, labels, place, int(labels.max()) + 1)
    sizes = np.bincount(labels.ravel())[1:]
    kept = np.flatnonzero(sizes >= SMALLEST_PART * sizes.max(initial=0)) + 1
    parts: Mask = np.isin(labels, kept)
    return parts


def _flood(inside: Mask, labels: NDArray[np.int64], start: Sequence[int], label: int) -> None:
    waiting = [tuple(start)]
    while waiting:
        row, column = waiting.pop()
        if (
            0 <= row < inside.shape[0]
            and 0 <= column < inside.shape[1]
            and inside[row, column]
            and not labels[row, column]
        ):
            labels[row, column] = label
            waiting += [(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]


def grown(mask: Mask) -> Mask:
    """With the four neighbours of every place."""
    return mask | _shifted(mask, 0, 1) | _shifted(mask, 0, -1) | _shifted(mask, 1, 0) | _shifted(mask, -1, 0)


def _shifted(mask: Mask, down: int, right: int) -> Mask:
    padded = np.pad(mask, 1)
    rows, columns = mask.shape
    return padded[1 + down : 1 + down + rows, 1 + right : 1 + right + columns]
