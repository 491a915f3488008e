"""The pictures of both tasks as small grey squares, with their patients and parts."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.few_labels.shares import runs
from services.common.settings import REPOSITORY

SIDE = 64
KEPT = REPOSITORY / "var" / "few_labels"
TRAINING = tuple(
    str(REPOSITORY / "triton_models" / name / "training") for name in ("brain_mri_tumour", "breast_us_lesion")
)


@dataclass(frozen=True, slots=True)
class Pool:
    """One task.

    pictures: [n, SIDE, SIDE] uint8. labels: [n]. groups: [n], patient, or run of neighbouring slices. test, validation,
    rest: rows of the three parts; validation and rest are what is trained on.
    """

    name: str
    classes: tuple[str, ...]
    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]
    test: NDArray[np.int64]
    validation: NDArray[np.int64]
    rest: NDArray[np.int64]

    @property
    def training(self) -> NDArray[np.int64]:
        """Rows to train on once all is chosen."""
        return np.sort(np.concatenate([self.validation, self.rest]))


# Task: test fold, validation fold. Those that the served models are judged by are the test folds here too.
FOLDS = {"breast": (0, 1), "brain": (2, 3)}
CLASSES = {"breast": ("benign", "malignant"), "brain": ("meningioma", "glioma", "pituitary")}


def training_module(name: str) -> Any:
    """A module of the image models' training code, which is no package."""
    sys.path.extend(folder for folder in TRAINING if folder not in sys.path)
    return import_module(name)


def load(task: str) -> Pool:
    """From VIGIL_TRAINING_DATA the first time, from `var/few_labels` afterwards. Raises KeyError for another task."""
    kept = KEPT / f"{task}.npz"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(kept, **(_breast() if task == "breast" else _brain()))
    with np.load(kept) as found:
        pictures, labels, groups, folds = (found[name] for name in ("pictures", "labels", "groups", "folds"))
    test, validation = FOLDS[task]
    parts = [np.flatnonzero(part) for part in (folds == test, folds == validation, ~np.isin(folds, (test, validation)))]
    return Pool(task, CLASSES[task], pictures, labels, groups, *parts)


def _levels(inputs: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Of inputs in [0, 1]."""
    levels: NDArray[np.uint8] = np.round(inputs * 255).astype(np.uint8)
    return levels


def _breast() -> dict[str, NDArray[Any]]:
    """BUS-BRA by the folds and patients of `breast_us_lesion`."""
    breast, samples = training_module("breast"), training_module("samples")
    ours = [sample for sample in breast.breast_samples() if sample.about[breast.SET] == "busbra"]
    return {
        "pictures": _levels(samples.squares(ours, SIDE, "ultrasound")[0]),
        "labels": np.array([CLASSES["breast"].index(breast.BREAST_CLASSES[sample.label]) for sample in ours]),
        "groups": np.array([sample.group for sample in ours]),
        "folds": np.array([sample.fold for sample in ours]),
    }


def _brain() -> dict[str, NDArray[Any]]:
    """Cheng's slices by their official folds; the set does not name its patients, so groups are runs of slices."""
    samples = training_module("samples")
    ours = [sample for sample in samples.brain_samples() if sample.label < len(CLASSES["brain"])]
    pictures = _levels(samples.squares(ours, SIDE, "head_slice")[0])
    folds = np.array([sample.fold for sample in ours])
    halved = pictures.reshape(len(ours), SIDE // 2, 2, SIDE // 2, 2).mean((2, 4)).reshape(len(ours), -1)
    run = runs([sample.name for sample in ours], folds, halved)
    return {
        "pictures": pictures,
        "labels": np.array([sample.label for sample in ours]),
        "groups": np.array([f"run {number}" for number in run]),
        "folds": folds,
    }
