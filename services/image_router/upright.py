"""Pictures that came turned or with black and white exchanged: what can be put right, and what was."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.image_router.preprocessing import Box

Grey = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing that may be wrong with a picture.

    note: said to the reader. apply: to the picture, (rows, columns) in [0, 1]. undo: on a map of what was put right.
    turns: whether it moves anything.
    """

    note: str
    apply: Callable[[Grey], Grey]
    undo: Callable[[Grey], Grey]
    turns: bool = False

    def undo_part(self, part: Box, shape: tuple[int, ...]) -> Box:
        """Where a part of what was put right lies in the picture as it was sent. shape: of the latter."""
        if not self.turns:
            return part
        inside = self.apply(np.zeros(shape, np.float32))
        inside[part.top : part.bottom, part.left : part.right] = 1
        sent = self.undo(inside)
        down, across = (np.flatnonzero(sent.any(axis)) for axis in (1, 0))
        return Box(int(down[0]), int(down[-1]) + 1, int(across[0]), int(across[-1]) + 1)


def _turned(quarters: int) -> Callable[[Grey], Grey]:
    """Counter-clockwise."""
    return lambda picture: np.ascontiguousarray(np.rot90(picture, quarters))


AS_SENT = Remedy("", lambda picture: picture, lambda shown: shown)
REMEDIES = (
    Remedy("black and white had been exchanged; put right", lambda picture: 1 - picture, lambda shown: shown),
    Remedy("the image was turned by 90° to the right; put right", _turned(1), _turned(-1), turns=True),
    Remedy("the image was turned by 90° to the left; put right", _turned(-1), _turned(1), turns=True),
    Remedy("the image was upside down; put right", _turned(2), _turned(2), turns=True),
)
