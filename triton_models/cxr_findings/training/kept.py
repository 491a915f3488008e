"""Features kept between runs, as long as the files that they come from stay as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
PREPARATION = HERE.parents[2] / "services" / "image_router"
SOURCES = [
    *(HERE / name for name in ("films.py", "lite0.py", "network.py", "variants.py")),
    *(PREPARATION / name for name in ("pixels.py", "preprocessing.py", "thorax.py")),
]
KEPT = Path("var/cxr_findings")


def kept(name: str, make: Callable[[], NDArray[np.float64]]) -> NDArray[np.float64]:
    """Features from the folder, else made and put there."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in SOURCES)).hexdigest()[:12]
    path = KEPT / digest / f"{name}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, make())
    return np.asarray(np.load(path), np.float64)
