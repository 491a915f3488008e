"""The training films: adults (NIH ChestX-ray14) and children (Kermany et al. 2018), and pictures that are neither."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from services.image_router.preprocessing import model_input

sys.path.append(str(Path(__file__).resolve().parents[2] / "brain_mri_tumour" / "training"))
from samples import DATA, pictures

ADULT_FROM = 16  # years; younger NIH patients are reported by age, and trained with their set
_KERMANY_NUMBER = re.compile(r"(?:person(\d+)_|(?:NORMAL2-)?IM-(\d+))")


@dataclass(frozen=True, slots=True)
class Film:
    """One radiograph. grey: (rows, columns), 0 to 1. positive: labelled pneumonia. patient: across all sets."""

    grey: NDArray[np.float32]
    positive: bool
    patient: str
    population: str
    age: int | None = None
    sex: str = ""
    view: str = ""


def adult_films() -> list[Film]:
    """NIH: half with the label Pneumonia, half No Finding."""
    found = pictures(DATA / "cxr_nih" / "train.tar")
    with (DATA / "cxr_nih" / "labels.csv").open() as file:
        return [
            Film(
                grey=found[row["image"]],
                positive="Pneumonia" in row["findings"].split("|"),
                patient=f"nih-{row['patient']}",
                population="adult",
                age=int(row["age"]),
                sex=row["sex"],
                view=row["view"],
            )
            for row in csv.DictReader(file)
        ]


def child_films(part: str) -> list[Film]:
    """Kermany, `part` "train" or "test": children of 1 to 5 years, age and sex of each unknown.

    Numbers in file names are persons within a part and label; the two parts number their persons anew.
    """
    films = []
    for name, grey in pictures(DATA / "cxr_kermany" / f"{part}.tar").items():
        path = PurePosixPath(name)
        number = _KERMANY_NUMBER.match(path.name)
        if number is None:
            raise ValueError(f"no person number in {name}")
        label = path.parent.name
        patient = f"kermany-{part}-{label}-{number[1] or number[2]}"
        films.append(Film(grey, label == "PNEUMONIA", patient, "child"))
    return films


def inputs(greys: Iterable[NDArray[np.float32]], side: int) -> Iterator[NDArray[np.float32]]:
    """What the network is shown of each, (side, side)."""
    return (model_input(grey, side, "chest_film")[0] for grey in greys)


def foreign_pictures(count: int, seed: int) -> dict[str, list[NDArray[np.float32]]]:
    """Pictures that are no upright chest films, up to `count` a kind: other modalities, and films spoilt."""
    random = np.random.default_rng(seed)
    kinds = {
        "brain_mri": DATA / "brain_mri" / "cheng.tar",
        "brain_mri_no_tumour": DATA / "brain_mri" / "no_tumour.tar",
        "breast_ultrasound": DATA / "breast_us" / "busi.tar",
    }
    foreign = {kind: _some(list(pictures(path).values()), count, random) for kind, path in kinds.items()}
    films = _some([film.grey for film in adult_films()], count, random)
    foreign["inverted"] = [1 - grey for grey in films]
    foreign["turned_90"] = [np.rot90(grey).copy() for grey in films]
    foreign["turned_180"] = [np.rot90(grey, 2).copy() for grey in films]
    foreign["noise"] = [random.random(grey.shape, np.float32) for grey in films]
    return foreign


def _some(greys: list[NDArray[np.float32]], count: int, random: np.random.Generator) -> list[NDArray[np.float32]]:
    return [greys[i] for i in random.permutation(len(greys))[:count]]
