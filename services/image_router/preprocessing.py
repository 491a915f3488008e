"""From a grey picture to a model's input: the same code for training and for serving.

Two pictures of the same content must give the same input whether they came as DICOM, PNG or JPEG. How a kind of
picture is prepared is a `Preparation`; a model names its own in its configuration.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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


@dataclass(frozen=True, slots=True)
class Preparation:
    """How one kind of picture becomes an input.

    cropped: to the part that is not background. equalised: only the order of grey levels remains, over the whole
    picture, then within tiles so that faint structures show.
    """

    cropped: bool
    equalised: bool


# Radiographs differ in exposure and window, which must not count. Slices of the head come with margins of any width.
PREPARATIONS = {
    "radiograph": Preparation(cropped=False, equalised=True),
    "head_slice": Preparation(cropped=True, equalised=False),
    "ultrasound": Preparation(cropped=False, equalised=False),
}


@dataclass(frozen=True, slots=True)
class Box:
    """Part of a picture: rows [top, bottom) and columns [left, right)."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What a model is shown of a picture. tensor: (1, side, side) in [0, 1]. part: of the picture, where that lies."""

    tensor: NDArray[np.float32]
    part: Box


def model_input(picture: NDArray[np.float32], side: int, preparation: str = "radiograph") -> NDArray[np.float32]:
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
    square = resized(levels[box.top : box.bottom, box.left : box.right], side, side)
    if PREPARATIONS[preparation].equalised:
        square = equalised_locally(equalised(square))
    return Shown(square[np.newaxis], box)


def read_part(picture: NDArray[np.float32], preparation: str) -> Box:
    """The part of a picture that `model_input` shows a model; what a model locates lies in it.

    picture: as `model_input` takes it, or stretched already.
    """
    rows, columns = picture.shape
    whole = Box(0, rows, 0, columns)
    if not PREPARATIONS[preparation].cropped:
        return whole
    content = stretched(picture) > BACKGROUND
    down, across = (np.flatnonzero(content.mean(axis) > CONTENT_SHARE) for axis in (1, 0))
    if not down.size or not across.size:
        return whole
    return Box(int(down[0]), int(down[-1]) + 1, int(across[0]), int(across[-1]) + 1)


def stretched(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey levels stretched to [0, 1], ignoring the outermost 0.1 % at either end. A flat picture becomes 0."""
    step = max(1, round(math.sqrt(picture.size / SAMPLED_PIXELS)))
    low, high = np.quantile(picture[::step, ::step], [CLIPPED_SHARE, 1 - CLIPPED_SHARE])
    if high <= low:
        low, high = float(picture.min()), float(picture.max())
    span = high - low
    if span <= 0:
        return np.zeros(picture.shape, np.float32)
    levels: NDArray[np.float32] = np.clip((picture - low) / span, 0, 1).astype(np.float32)
    return levels


def resized(picture: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Bilinear, with the support widened when shrinking so that nothing is skipped."""
    image = Image.fromarray(np.ascontiguousarray(picture, np.float32))
    return np.asarray(image.resize((columns, rows), Image.Resampling.BILINEAR), np.float32)


def equalised(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Histogram equalisation over 256 levels (Gonzalez and Woods, Digital Image Processing, 3.3.1).

    picture: [0, 1]. Returns each pixel's share of pixels that are as dark or darker, halfway through its own level.
    """
    levels = np.minimum((picture * GREY_LEVELS).astype(np.int64), GREY_LEVELS - 1)
    counts = np.bincount(levels.ravel(), minlength=GREY_LEVELS)
    share = (np.cumsum(counts) - counts / 2) / levels.size
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
