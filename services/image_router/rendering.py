"""PNG files for people: the heat map and the image as displayed."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from services.image_router.preprocessing import Box, resized

# Smooth pictures gain little from more.
COMPRESSION = 1
# PNG (ISO/IEC 15948): what a file begins with, its filter "sub", and the rest of IHDR after width and height.
SIGNATURE, SUB = b"\x89PNG\r\n\x1a\n", 1
GREY_OF_8_BITS = bytes((8, 0, 0, 0, 0))


def heatmap_png(heatmap: NDArray[np.float32], rows: int, columns: int, part: Box) -> bytes:
    """8-bit grey PNG of the image's own size.

    heatmap: (h, w) over `part` of the image, what each place adds to the finding's logit. Places that add nothing or
    speak against the finding are 0; the place that adds most is 255.
    """
    seen = enlarged(heatmap.astype(np.float32), part.bottom - part.top, part.right - part.left)
    peak = float(seen.max())
    seen *= 255 / peak if peak > 0 else 0
    np.clip(seen, 0, 255, out=seen)
    if seen.shape == (rows, columns):
        return _written(_rounded(seen))
    levels = np.zeros((rows, columns), np.uint8)
    levels[part.top : part.bottom, part.left : part.right] = _rounded(seen)
    return _written(levels)


def enlarged(heatmap: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """As `resized`, by its own weights along either axis: a quarter of the time for a map of a large film."""
    down, across = (
        resized(np.eye(size, dtype=np.float32), new, size)
        for size, new in zip(heatmap.shape, (rows, columns), strict=True)
    )
    return down @ heatmap @ across.T


def mask_png(mask: NDArray[np.bool_]) -> bytes:
    """8-bit grey PNG, 255 inside, 0 outside. mask: (rows, columns)."""
    return _written(np.where(mask, np.uint8(255), np.uint8(0)))


def preview_png(grey: NDArray[np.float32], longest_side: int) -> bytes:
    """8-bit grey PNG of the image as displayed, shrunk to `longest_side` pixels at most, aspect kept.

    grey: (rows, columns) in [0, 1].
    """
    scale = min(1.0, longest_side / max(grey.shape))
    rows, columns = (max(1, round(size * scale)) for size in grey.shape)
    return _written(_rounded((resized(grey, rows, columns) if scale < 1 else grey) * 255))


def _rounded(levels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """levels: 0 to 255."""
    return np.rint(levels, out=levels).astype(np.uint8)


def _written(levels: NDArray[np.uint8]) -> bytes:
    """Every pixel less the one to its left. Pillow tries five filters for every row, which takes twice as long."""
    rows, columns = levels.shape
    filtered = np.empty((rows, columns + 1), np.uint8)
    filtered[:, 0], filtered[:, 1] = SUB, levels[:, 0]
    np.subtract(levels[:, 1:], levels[:, :-1], out=filtered[:, 2:])
    head = struct.pack(">II", columns, rows) + GREY_OF_8_BITS
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(filtered.data, COMPRESSION)), (b"IEND", b"")
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
