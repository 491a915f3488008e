"""PNG files for people: the heat map and the image as displayed."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.image_router.preprocessing import Box, resized

# Smooth pictures gain little from more.
COMPRESSION = 1


def heatmap_png(heatmap: NDArray[np.float32], rows: int, columns: int, part: Box) -> bytes:
    """8-bit grey PNG of the image's own size.

    heatmap: (h, w) over `part` of the image, what each place adds to the finding's logit. Places that add nothing or
    speak against the finding are 0; the place that adds most is 255.
    """
    positive = np.zeros((rows, columns), np.float32)
    seen = resized(heatmap.astype(np.float32), part.bottom - part.top, part.right - part.left)
    positive[part.top : part.bottom, part.left : part.right] = np.clip(seen, 0, None)
    peak = float(positive.max())
    return _png(positive / peak if peak > 0 else positive)


def mask_png(mask: NDArray[np.bool_]) -> bytes:
    """8-bit grey PNG, 255 inside, 0 outside. mask: (rows, columns)."""
    return _png(mask.astype(np.float32))


def preview_png(grey: NDArray[np.float32], longest_side: int) -> bytes:
    """8-bit grey PNG of the image as displayed, shrunk to `longest_side` pixels at most, aspect kept.

    grey: (rows, columns) in [0, 1].
    """
    scale = min(1.0, longest_side / max(grey.shape))
    rows, columns = (max(1, round(size * scale)) for size in grey.shape)
    return _png(resized(grey, rows, columns) if scale < 1 else grey)


def _png(levels: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.round(levels * 255).astype(np.uint8)).save(file, "PNG", compress_level=COMPRESSION)
    return file.getvalue()
