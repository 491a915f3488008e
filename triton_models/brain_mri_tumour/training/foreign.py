"""Pictures that a model must not read: other organs and modalities, photographs, and pictures made by code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw
from pydicom import dcmread
from pydicom.data import get_testdata_file
from samples import DATA, pictures
from sklearn.datasets import load_sample_images

from services.image_router.preprocessing import resized
from services.image_router.upright import AS_SENT, REMEDIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


Grey = "NDArray[np.float32]"
SIDE = 256
CROPPED = 0.35  # of the sides, at the least
WORDS = [
    "discharge",
    "summary",
    "patient",
    "stable",
    "afebrile",
    "continue",
    "current",
    "therapy",
    "review",
    "in",
    "clinic",
    "plan",
    "echo",
    "renal",
]
SETS = {
    "chest_film": "cxr_nih/train.tar",
    "brain_mri": "brain_mri/cheng.tar",
    "breast_ultrasound": "breast_us/busi.tar",
    "brain_mri_no_tumour": "brain_mri/no_tumour.tar",
}


def shares_in_scope(
    own: str, greys: list[Grey], accepted: Callable[[list[Grey]], NDArray[np.bool_]], count: int, seed: int
) -> dict[str, dict[str, float]]:
    """Of pictures turned and inverted, and of foreign ones, `count` a kind: the shares that a check accepts.

    as_sent: without more ado. read: after one of the remedies that the service tries, too. own: as for
    `foreign_pictures`. greys: of its own kind, 0 to 1. accepted: of pictures, whether each is in scope.
    """
    some = [greys[i] for i in np.random.default_rng(seed).permutation(len(greys))[:count]]
    kinds = dict(zip(("inverted", "turned_right", "turned_left", "upside_down"), wrong_way(some), strict=True))
    kinds |= foreign_pictures(own, greys, count, seed)
    shares = {}
    for kind, found in kinds.items():
        passed = np.array([accepted([remedy.apply(grey) for grey in found]) for remedy in (AS_SENT, *REMEDIES)])
        shares[kind] = {"as_sent": round(float(passed[0].mean()), 4), "read": round(float(passed.any(0).mean()), 4)}
    return shares


def foreign_pictures(own: str, in_scope: list[Grey], count: int, seed: int) -> dict[str, list[Grey]]:
    """`count` pictures a kind, grey 0 to 1.

    own: how the keys of `SETS` begin that are no foreign kinds. in_scope: pictures of its own.
    """
    random = np.random.default_rng(seed)
    kinds = {kind: _some(path, count, random) for kind, path in SETS.items() if not kind.startswith(own)}
    made: dict[str, Callable[[], Grey]] = {
        "blank": lambda: np.full((SIDE, SIDE), random.random(), np.float32),
        "noise": lambda: random.random((SIDE, SIDE), np.float32),
        "smooth_noise": lambda: resized(random.random((12, 12), np.float32), SIDE, SIDE),
        "text_page": lambda: text_page(random),
        "photograph": lambda: _patch(_photographs(), random, 0.5),
        "ct_slice": lambda: _patch(_ct(), random, 0.9),
        "cropped": lambda: _patch([in_scope[random.integers(len(in_scope))]], random, CROPPED),
    }
    return kinds | {kind: [make() for _ in range(count)] for kind, make in made.items()}


def wrong_way(greys: list[Grey]) -> list[list[Grey]]:
    """For each of `REMEDIES`, the pictures (0 to 1) spoilt so that it puts them right."""
    return [[remedy.undo(grey) if index else 1 - grey for grey in greys] for index, remedy in enumerate(REMEDIES)]


def crops(greys: list[Grey], seed: int) -> list[Grey]:
    """A part of each picture."""
    random = np.random.default_rng(seed)
    return [_patch([grey], random, CROPPED) for grey in greys]


def text_page(random: np.random.Generator) -> Grey:
    """A scanned letter."""
    page = Image.new("L", (SIDE, int(SIDE * 1.4)), 245)
    pen = ImageDraw.Draw(page)
    for line in range(14, page.height - 20, 13):
        pen.text((14, line), " ".join(random.choice(WORDS, 5)), fill=20)
    return np.asarray(page, np.float32) / 255


def _some(path: str, count: int, random: np.random.Generator) -> list[Grey]:
    found = list(pictures(DATA / path).values())
    return [found[row] for row in random.permutation(len(found))[:count]]


def _photographs() -> list[Grey]:
    hopper = Image.open(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg").convert("L")
    return [
        np.asarray(hopper, np.float32) / 255,
        *(image.mean(2).astype(np.float32) / 255 for image in load_sample_images().images),
    ]


def _ct() -> list[Grey]:
    slices = []
    for name in ("CT_small.dcm", "693_J2KR.dcm", "explicit_VR-UN.dcm"):
        path = get_testdata_file(name, download=False)
        if path:
            pixels = dcmread(path).pixel_array.astype(np.float32)
            slices.append((pixels - pixels.min()) / max(float(np.ptp(pixels)), 1.0))
    return slices


def _patch(sources: list[Grey], random: np.random.Generator, share: float) -> Grey:
    """A random part of a random source, `share` of its sides or up to 1.3 times that."""
    source = sources[random.integers(len(sources))]
    rows, columns = (max(8, int(size * min(1.0, share * random.uniform(1, 1.3)))) for size in source.shape)
    top, left = random.integers(source.shape[0] - rows + 1), random.integers(source.shape[1] - columns + 1)
    return np.ascontiguousarray(source[top : top + rows, left : left + columns], np.float32)
