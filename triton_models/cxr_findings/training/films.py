"""The training films: adults (NIH ChestX-ray14) and children (Kermany et al. 2018)."""

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
