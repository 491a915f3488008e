"""Breast ultrasound: BUS-BRA by patient, BUSI by cluster of near-duplicates."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
from samples import ALIKE_BITS, DATA, Sample, fingerprint, pictures
from sklearn.model_selection import StratifiedGroupKFold

if TYPE_CHECKING:
    from numpy.typing import NDArray

BREAST_CLASSES = ("normal", "benign", "malignant")
FOLDS = (0, 1, 2)
SEED = 7
SET, DEVICE, BIRADS = "set", "device", "birads"


def breast_samples() -> list[Sample]:
    """Both sets. Of BUSI's masks a part is given; a normal picture's mask is empty."""
    samples = _busbra() + _busi()
    strata = [f"{sample.about[SET]} {sample.label}" for sample in samples]
    splitter = StratifiedGroupKFold(len(FOLDS), shuffle=True, random_state=SEED)
    folds = np.zeros(len(samples), int)
    for fold, (_, test) in enumerate(splitter.split(samples, strata, [sample.group for sample in samples])):
        folds[test] = fold
    return [
        Sample(s.name, s.grey, s.label, s.mask, int(fold), s.group, s.about)
        for s, fold in zip(samples, folds, strict=True)
    ]


def _busbra() -> list[Sample]:
    found = pictures(DATA / "busbra" / "busbra.tar")
    with (DATA / "busbra" / "labels.csv").open() as file:
        return [
            Sample(
                name=row["id"],
                grey=found[f"images/{row['id']}"],
                label=BREAST_CLASSES.index(row["pathology"]),
                mask=found[f"masks/{row['id']}"] > 0.5,  # noqa: PLR2004 - 0 or 1
                fold=0,
                group=f"busbra {row['patient']}",
                about={SET: "busbra", DEVICE: row["device"].split("@")[0].strip(), BIRADS: row["birads"]},
            )
            for row in csv.DictReader(file)
        ]


def _busi() -> list[Sample]:
    found, masks = pictures(DATA / "breast_us" / "busi.tar"), pictures(DATA / "breast_us" / "busi_masks.tar")
    names = sorted(found)
    clusters = _clusters(np.array([fingerprint(found[name]) for name in names]))
    samples = []
    for name, cluster in zip(names, clusters, strict=True):
        label = BREAST_CLASSES.index(name.split("/")[0])
        mask = masks[name] > 0.5 if name in masks else None  # noqa: PLR2004 - 0 or 1
        if BREAST_CLASSES[label] == "normal":
            mask = np.zeros(found[name].shape, bool)
        samples.append(Sample(name, found[name], label, mask, 0, f"busi {cluster}", {SET: "busi"}))
    return samples


def _clusters(prints: NDArray[np.bool_]) -> list[int]:
    """Cluster of each picture: chains of pictures that are alike."""
    cluster = list(range(len(prints)))
    for row in range(len(prints)):
        alike = np.flatnonzero((prints[:row] != prints[row]).sum(1) < ALIKE_BITS)
        for other in alike:
            old, new = cluster[row], cluster[int(other)]
            cluster = [new if name == old else name for name in cluster]
    return cluster
