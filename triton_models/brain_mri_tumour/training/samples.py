"""Pictures with labels and outlines, from the tar files of the training data; those of the brain model."""

from __future__ import annotations

import csv
import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.image_router.pixels import file_picture
from services.image_router.preprocessing import model_input, read_part, resized

DATA = Path(os.environ.get("VIGIL_TRAINING_DATA", "../shared/data"))
BRAIN_CLASSES = ("meningioma", "glioma", "pituitary", "no_tumour")
FOLDS = (2, 3, 4, 5)  # the official patient-wise folds that are given
NO_TUMOUR_A_FOLD = 150
ALIKE_BITS = 10  # of 256: pictures whose fingerprints differ in fewer are taken for the same
LARGEST = 10**8  # pixels of a picture

Grey = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture.

    name: within its set. grey: (rows, columns), 0 to 1. label: index of its class. mask: same size,
    None when nobody drew one. fold: where it is judged. group: patient or cluster of duplicates. about: its subgroups.
    """

    name: str
    grey: Grey
    label: int
    mask: NDArray[np.bool_] | None
    fold: int
    group: str
    about: dict[str, str] = field(default_factory=dict)


def brain_samples() -> list[Sample]:
    """Cheng's slices by official fold; slices without tumour, a part of them, by cluster of duplicates."""
    folder = DATA / "brain_mri"
    masks = pictures(folder / "cheng_masks.tar")
    with (folder / "cheng_folds.csv").open() as file:
        folds = {f"{row['class']}/{row['slice']}": int(row["fold"]) for row in csv.DictReader(file)}
    samples = []
    for name, grey in pictures(folder / "cheng.tar").items():
        label = BRAIN_CLASSES.index(name.split("/")[0])
        mask = masks[name] > 0.5  # noqa: PLR2004 - 0 or 1
        samples.append(Sample(name, grey, label, mask, folds[name], name))  # the set does not name its patients
    return samples + _without_tumour(pictures(folder / "no_tumour.tar"))


def _without_tumour(found: dict[str, Grey]) -> list[Sample]:
    """One picture of each cluster of duplicates, `NO_TUMOUR_A_FOLD` a fold."""
    names = sorted(found)
    prints = np.array([fingerprint(found[name]) for name in names])
    kept: list[int] = []
    for row in np.random.default_rng(7).permutation(len(names)):
        if len(kept) == NO_TUMOUR_A_FOLD * len(FOLDS):
            break
        if not kept or (prints[kept] != prints[row]).sum(1).min() >= ALIKE_BITS:
            kept.append(int(row))
    label = BRAIN_CLASSES.index("no_tumour")
    return [
        Sample(name, found[name], label, np.zeros(found[name].shape, bool), FOLDS[i % len(FOLDS)], name)
        for i, name in enumerate(names[row] for row in kept)
    ]


def fingerprint(grey: Grey) -> NDArray[np.bool_]:
    """256 bits: whether each of 16 by 17 shrunk pixels is brighter than its right neighbour (dHash)."""
    small = resized(np.round(grey * 255), 16, 17)  # whole levels, so that ties stay ties
    bits: NDArray[np.bool_] = (small[:, :-1] > small[:, 1:]).ravel()
    return bits


def pictures(path: Path) -> dict[str, Grey]:
    """Grey levels 0 to 1 by name without suffix, read as the service reads a file that is sent."""
    found = {}
    with tarfile.open(path) as tar:
        for member in sorted((m for m in tar if m.isfile()), key=lambda m: m.name):
            file = tar.extractfile(member)
            if file is None:
                raise ValueError(f"{member.name} is no file")
            found[str(Path(member.name).with_suffix(""))] = file_picture(file.read(), LARGEST).grey
    return found


def squares(samples: list[Sample], side: int, preparation: str) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Inputs as the service makes them, and masks in the same frame, shares times 255: (n, side, side) each."""
    inputs = np.zeros((len(samples), side, side), np.float32)
    masks = np.zeros(inputs.shape, np.uint8)
    for row, sample in enumerate(samples):
        inputs[row] = model_input(sample.grey, side, preparation)[0]
        if sample.mask is not None:
            box = read_part(sample.grey, preparation)
            part = sample.mask[box.top : box.bottom, box.left : box.right].astype(np.float32)
            masks[row] = np.round(resized(part, side, side) * 255)
    return inputs, masks
