"""From a grey picture to a model's input: the same code for training and for serving.

Two pictures of the same content must give the same input whether they came as DICOM, PNG or JPEG. How a kind of
picture is prepared is a `Preparation`; a model names its own in its configuration.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.image_router import thorax

GREY_LEVELS = 256
# Share of pixels at either end of the grey scale that may be burnt-in markers or dead pixels.
CLIPPED_SHARE = 0.001
# Enough for those quantiles; sorting every pixel of a large radiograph takes longer than reading it.
SAMPLED_PIXELS = 250_000
# A row or column is content when this share of it is brighter than that background.
BACKGROUND = 0.1
CONTENT_SHARE = 0.02
TILES = 8
# Share of a tile's pixels that one level may have; what is over is spread, so that noise in flat tiles stays small.
CLIP_LIMIT = 0.01


# Of either side: the part whose grey levels are spread evenly in the end. Models of chest films look no further out.
MIDDLE = 0.8
# Pixels of either side that a thorax has in the coarsest films that were learned from. Without that limit it would show
# how fine a film is and how large the thorax on it.
GRAIN = 160
# Around the thorax, in shares of its height and width: apices, the bases behind the diaphragm, chest wall.
ABOVE, BELOW, BESIDE = 0.04, 0.12, 0.05


@dataclass(frozen=True, slots=True)
class Box:
    """Part of a picture: rows [top, bottom) and columns [left, right)."""

    top: int
    bottom: int
    left: int
    right: int


def whole(picture: NDArray[np.float32]) -> Box:
    """All of it."""
    return Box(0, picture.shape[0], 0, picture.shape[1])


def content(picture: NDArray[np.float32]) -> Box:
    """Without margins of background."""
    bright = stretched(picture) > BACKGROUND
    down, across = (np.flatnonzero(bright.mean(axis) > CONTENT_SHARE) for axis in (1, 0))
    if not down.size or not across.size:
        return whole(picture)
    return Box(int(down[0]), int(down[-1]) + 1, int(across[0]), int(across[-1]) + 1)


def chest(picture: NDArray[np.float32]) -> Box:
    """The thorax of a frontal film with a little around it; some box or other where there is none."""
    rows, columns = picture.shape
    step = _sampling_step(picture)
    small = resized(picture[::step, ::step], thorax.SIDE, thorax.SIDE)
    top, bottom, left, right = thorax.located(equalised(stretched(small)))
    high, wide = bottom - top, right - left
    first = max(0, round((top - ABOVE * high) * rows)), max(0, round((left - BESIDE * wide) * columns))
    last = min(rows, round((bottom + BELOW * high) * rows)), min(columns, round((right + BESIDE * wide) * columns))
    return Box(first[0], max(last[0], first[0] + 1), first[1], max(last[1], first[1] + 1))


@dataclass(frozen=True, slots=True)
class Preparation:
    """How one kind of picture becomes an input.

    part: what is shown of it. grain: pixels of either side that are left of that part before it gets its size, None
    for as many as there are. equalised: only the order of grey levels in that part remains, over all of it, then within
    tiles so that faint structures show, then over its middle so that nothing of the overall brightness is left there.
    """

    part: Callable[[NDArray[np.float32]], Box]
    grain: int | None = None
    equalised: bool = False


# Chest films differ in exposure, window and in what lies around the thorax, which must not count. Slices of the head
# come with margins of any width.
PREPARATIONS = {
    "chest_film": Preparation(part=chest, grain=GRAIN, equalised=True),
    "head_slice": Preparation(part=content),
    "ultrasound": Preparation(part=whole),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a model is shown of a picture. tensor: (1, side, side) in [0, 1]. part: of the picture, where that lies."""

    tensor: NDArray[np.float32]
    part: Box


def model_input(picture: NDArray[np.float32], side: int, preparation: str = "chest_film") -> NDArray[np.float32]:
    """The tensor of `shown`, which takes and raises the same."""
    return shown(picture, side, preparation).tensor


def shown(picture: NDArray[np.float32], side: int, preparation: str) -> Shown:
    """A picture as an image model takes it.

    picture: (rows, columns), any linear grey scale, brighter is denser. side: pixels of the model's square input.
    preparation: key of `PREPARATIONS`. The aspect ratio is not kept: many training pictures exist only as squares.
    Raises ValueError for an empty or non-finite picture, or, when equalising, a side that is no multiple of `TILES`.
    """
    if picture.ndim != 2 or not picture.size or not np.isfinite(picture).all():  # noqa: PLR2004 - rows and columns
        raise ValueError("a picture has rows and columns of finite grey levels")
    levels = stretched(picture)
    box = read_part(levels, preparation)
    inside, how = levels[box.top : box.bottom, box.left : box.right], PREPARATIONS[preparation]
    if how.grain is not None:
        inside = resized(inside, how.grain, how.grain)
    square = resized(inside, side, side)
    if how.equalised:
        square = equalised(equalised_locally(equalised(square)), MIDDLE)
    return Shown(square[np.newaxis], box)


def read_part(picture: NDArray[np.float32], preparation: str) -> Box:
    """The part of a picture that `model_input` shows a model; what a model locates lies in it.

    picture: as `model_input` takes it, or stretched already.
    """
    return PREPARATIONS[preparation].part(picture)


def stretched(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey levels stretched to [0, 1], ignoring the outermost 0.1 % at either end. A flat picture becomes 0."""
    step = _sampling_step(picture)
    low, high = np.quantile(picture[::step, ::step], [CLIPPED_SHARE, 1 - CLIPPED_SHARE])
    if high <= low:
        low, high = float(picture.min()), float(picture.max())
    span = high - low
    if span <= 0:
        return np.zeros(picture.shape, np.float32)
    levels: NDArray[np.float32] = picture - low
    levels /= span
    return np.clip(levels, 0, 1, out=levels).astype(np.float32, copy=False)


def _sampling_step(picture: NDArray[np.float32]) -> int:
    return max(1, round(math.sqrt(picture.size / SAMPLED_PIXELS)))


def resized(picture: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Bilinear, with the support widened when shrinking so that nothing is skipped."""
    image = Image.fromarray(np.ascontiguousarray(picture, np.float32))
    return np.asarray(image.resize((columns, rows), Image.Resampling.BILINEAR), np.float32)


def equalised(picture: NDArray[np.float32], middle: float = 1.0) -> NDArray[np.float32]:
    """Histogram equalisation over 256 levels (Gonzalez and Woods, Digital Image Processing, 3.3.1).

    picture: [0, 1]. middle: share of either side that is counted. Returns for each pixel the share of counted pixels
    that are as dark or darker, halfway through its own level.
    """
    levels = np.minimum((picture * GREY_LEVELS).astype(np.int64), GREY_LEVELS - 1)
    down, across = (round(side * (1 - middle) / 2) for side in levels.shape)
    counted = levels[down : levels.shape[0] - down, across : levels.shape[1] - across]
    counts = np.bincount(counted.ravel(), minlength=GREY_LEVELS)
    share = (np.cumsum(counts) - counts / 2) / counted.size
    flat: NDArray[np.float32] = share.astype(np.float32)[levels]
    return flat


def equalised_locally(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld, Graphics Gems IV, 1994), 8 by 8 tiles.

    picture: (side, side) in [0, 1]. Returns the same. Raises ValueError when `TILES` does not divide side.
    """
    side = picture.shape[0]
    if picture.shape != (side, side) or side % TILES:
        raise ValueError(f"a square picture whose side is a multiple of {TILES} is needed")
    levels = np.minimum((picture * GREY_LEVELS).astype(np.int64), GREY_LEVELS - 1)
    curves = _tile_curves(levels, side // TILES).ravel()
    low, high, weight = _neighbours(side)

    def made(down: NDArray[np.int64], across: NDArray[np.int64]) -> NDArray[np.float32]:
        looked_up: NDArray[np.float32] = curves.take((down[:, None] * TILES + across[None]) * GREY_LEVELS + levels)
        return looked_up

    left = _blend(made(low, low), made(high, low), weight[:, None])
    right = _blend(made(low, high), made(high, high), weight[:, None])
    return _blend(left, right, weight[None])


def _tile_curves(levels: NDArray[np.int64], size: int) -> NDArray[np.float32]:
    """(TILES, TILES, GREY_LEVELS): what each tile makes of each level."""
    tiles = levels.reshape(TILES, size, TILES, size).swapaxes(1, 2).reshape(TILES * TILES, -1)
    offsets = np.arange(TILES * TILES)[:, None] * GREY_LEVELS
    counts = np.bincount((tiles + offsets).ravel(), minlength=TILES * TILES * GREY_LEVELS)
    shares = counts.reshape(TILES, TILES, GREY_LEVELS) / tiles.shape[1]
    over = np.clip(shares - CLIP_LIMIT, 0, None).sum(-1, keepdims=True)
    limited = np.minimum(shares, CLIP_LIMIT) + over / GREY_LEVELS
    curves: NDArray[np.float32] = (np.cumsum(limited, -1) - limited / 2).astype(np.float32)
    return curves


def _neighbours(side: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """For each row: the tiles whose centres lie before and after it, and the weight of the one after."""
    place = (np.arange(side) + 0.5) / (side // TILES) - 0.5
    low = np.clip(np.floor(place).astype(np.int64), 0, TILES - 1)
    high = np.minimum(low + 1, TILES - 1)
    return low, high, np.clip(place - low, 0, 1).astype(np.float32)


def _blend(first: NDArray[np.float32], second: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    return first + (second - first) * weight
