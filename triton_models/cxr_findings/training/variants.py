"""Films changed in ways that must not matter: what may be a shortcut covered, or the film moved a little."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from network import SIDE
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from services.image_router.preprocessing import equalised, equalised_locally, read_part, resized, stretched

CORNER = 0.2  # of either side, where markers stand
FRAME = 0.1  # of either side
# Burnt-in letters: nearly white, small, near the edge.
MARK_LEVEL = 0.95
LARGEST_MARK = 0.006  # of the film
MARK_FRAME = 0.25
SHIFT = 0.04
ZOOM = 0.94

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]


def corners(shape: tuple[int, int]) -> list[Mask]:
    """The four corners of a film."""
    rows, columns = shape
    down, across = round(rows * CORNER), round(columns * CORNER)
    masks = []
    for vertical in (slice(None, down), slice(-down, None)):
        for horizontal in (slice(None, across), slice(-across, None)):
            mask = np.zeros(shape, bool)
            mask[vertical, horizontal] = True
            masks.append(mask)
    return masks


def frame(shape: tuple[int, int], share: float = FRAME) -> Mask:
    """The outermost part on all four sides."""
    mask = np.ones(shape, bool)
    down, across = round(shape[0] * share), round(shape[1] * share)
    mask[down:-down, across:-across] = False
    return mask


def marks(grey: Grey) -> Mask:
    """Burnt-in letters and arrows: small nearly white parts near the edge, with a pixel around each."""
    bright = (stretched(grey) >= MARK_LEVEL) & frame(grey.shape, MARK_FRAME)
    parts, count = ndimage.label(bright, np.ones((3, 3)))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    small = (sizes <= LARGEST_MARK * grey.size) & (sizes >= 4)  # noqa: PLR2004 - pixels; fewer are noise
    small[0] = False
    return np.asarray(ndimage.binary_dilation(small[parts], iterations=2), bool)


def covered(grey: Grey, *masks: Mask) -> Grey:
    """Each mask filled with the median of what lies under it."""
    film = grey.copy()
    for mask in masks:
        if mask.any():
            film[mask] = np.median(grey[mask])
    return film


def marks_covered(grey: Grey) -> Grey:
    """Each mark filled with the median of what lies around it."""
    film = grey.copy()
    parts, _ = ndimage.label(marks(grey), np.ones((3, 3)))
    for number, place in enumerate(ndimage.find_objects(parts), 1):
        around = tuple(slice(max(0, one.start - 6), one.stop + 6) for one in place)
        mark = parts[around] == number
        film[around][mark] = np.median(grey[around][~mark]) if not mark.all() else np.median(grey)
    return film


def corners_covered(grey: Grey) -> Grey:
    """Without the four corners."""
    return covered(grey, *corners(grey.shape))


def frame_covered(grey: Grey) -> Grey:
    """Without the outermost tenth on all sides."""
    return covered(grey, frame(grey.shape))


def frame_alone(grey: Grey) -> Grey:
    """The outermost tenth and nothing else."""
    return covered(grey, ~frame(grey.shape))


def surroundings(grey: Grey) -> Mask:
    """All that `model_input` leaves out: what is not thorax."""
    box = read_part(grey, "chest_film")
    mask = np.ones(grey.shape, bool)
    mask[box.top : box.bottom, box.left : box.right] = False
    return mask


def surroundings_covered(grey: Grey) -> Grey:
    """The thorax and nothing else; where it lies has to be found anew."""
    return covered(grey, surroundings(grey))


def whole_film(grey: Grey) -> Grey:
    """(SIDE, SIDE): the input that shows all of a film, for models that are shown what the served one is not."""
    return equalised_locally(equalised(resized(stretched(grey), SIDE, SIDE)))


def moved(down: float, right: float) -> Callable[[Grey], Grey]:
    """By shares of the film; what is uncovered repeats the edge."""

    def move(grey: Grey) -> Grey:
        shift = round(down * grey.shape[0]), round(right * grey.shape[1])
        return np.asarray(ndimage.shift(grey, shift, order=0, mode="nearest"), np.float32)

    return move


def zoomed(grey: Grey) -> Grey:
    """The middle `ZOOM` of either side."""
    rows, columns = grey.shape
    top, left = round(rows * (1 - ZOOM) / 2), round(columns * (1 - ZOOM) / 2)
    return np.ascontiguousarray(grey[top : rows - top, left : columns - left])


def mirrored(grey: Grey) -> Grey:
    """Left and right exchanged."""
    return np.ascontiguousarray(grey[:, ::-1])


def softened(grey: Grey) -> Grey:
    """Shrunk to three quarters and back."""
    rows, columns = grey.shape
    small = Image.fromarray(grey).resize((columns * 3 // 4, rows * 3 // 4), Image.Resampling.BILINEAR)
    return np.asarray(small.resize((columns, rows), Image.Resampling.BILINEAR), np.float32)


COVERED: dict[str, Callable[[Grey], Grey]] = {
    "marks_covered": marks_covered,
    "corners_covered": corners_covered,
    "frame_covered": frame_covered,
    "surroundings_covered": surroundings_covered,
    "frame_alone": frame_alone,
}
MOVED: dict[str, Callable[[Grey], Grey]] = {
    "mirrored": mirrored,
    "moved": moved(-SHIFT, SHIFT),
    "zoomed": zoomed,
    "softened": softened,
}
