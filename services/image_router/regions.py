"""From an outline to a region: mask, box, size and place."""

from collections import Counter
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
    direction to the patient's left, 0 when unknown. side: of the patient, of a picture that shows one alone: "left",
    "right" or "". quadrant: of the breast that it shows, such as "upper outer quadrant", or "".
    """

    spacing: tuple[float, float] | None = None
    leftwards: float = 0.0
    side: str = ""
    quadrant: str = ""


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
    """Third of the image in words, with the patient's side, or the quadrant, when the tags tell it; and that side."""
    centre = np.argwhere(mask).mean(0) / mask.shape
    down, across = (names[min(2, int(place * 3))] for names, place in zip(THIRDS, centre, strict=True))
    place = "centre" if down == across == "middle" else f"{down} {across}"
    words = f"{place} of the image"
    if geometry.quadrant:
        return f"{words}, {' '.join(filter(None, (geometry.side, geometry.quadrant)))}", geometry.side
    if geometry.side:
        return f"{words}, the patient's {geometry.side}", geometry.side
    if abs(geometry.leftwards) < SIDEWAYS or across == "middle":
        return words, ""
    side = "left" if (across == "right") == (geometry.leftwards > 0) else "right"
    return f"{words}, the patient's {side}", side


def without_specks(inside: Mask) -> Mask:
    """Connected parts (4 neighbours) of at least `SMALLEST_PART` of the largest one's area."""
    runs = _runs(inside)
    parts = _joined(runs)
    sizes: Counter[int] = Counter()
    for (_, start, stop), part in zip(runs, parts, strict=True):
        sizes[part] += stop - start
    smallest = SMALLEST_PART * max(sizes.values(), default=0)
    kept = np.zeros(inside.shape, bool)
    for (row, start, stop), part in zip(runs, parts, strict=True):
        kept[row, start:stop] = sizes[part] >= smallest
    return kept


def _runs(inside: Mask) -> list[tuple[int, int, int]]:
    """Row, first column and one past the last of each run of places in a row, in reading order."""
    steps = np.diff(np.pad(inside, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(steps == 1)
    stops = np.nonzero(steps == -1)[1]
    return list(zip(rows.tolist(), starts.tolist(), stops.tolist(), strict=True))


def _joined(runs: Sequence[tuple[int, int, int]]) -> list[int]:
    """Of each run the part that it belongs to: runs of neighbouring rows that share a column are of one part."""
    parent = list(range(len(runs)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = run = parent[parent[run]]
        return run

    above = 0  # the first run of the row before that may still touch
    for run, (row, start, stop) in enumerate(runs):
        while runs[above][0] < row - 1 or (runs[above][0] == row - 1 and runs[above][2] <= start):
            above += 1
        other = above
        while other < run and runs[other][0] == row - 1 and runs[other][1] < stop:
            parent[root(run)] = root(other)
            other += 1
    return [root(run) for run in range(len(runs))]


def grown(mask: Mask) -> Mask:
    """With the four neighbours of every place."""
    return mask | _shifted(mask, 0, 1) | _shifted(mask, 0, -1) | _shifted(mask, 1, 0) | _shifted(mask, -1, 0)


def _shifted(mask: Mask, down: int, right: int) -> Mask:
    padded = np.pad(mask, 1)
    rows, columns = mask.shape
    return padded[1 + down : 1 + down + rows, 1 + right : 1 + right + columns]
