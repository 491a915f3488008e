"""Operating points for what an order may ask: to rule out and screen, or to confirm; and what each says of pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

PARTS = 5
DIGITS = 10_000  # points have four
SEED = 7
NEGATIVE, UNTOLD, POSITIVE = -1, 0, 1

Floats = "NDArray[np.float64]"
Rows = "NDArray[np.int64]"
Point = tuple[tuple[float, ...], tuple[float, ...]]  # thresholds and lows, of each label


@dataclass(frozen=True, slots=True)
class Aim:
    """What questions are about, and how sure an answer must be.

    sought: indexes of labels. sensitivity: share of pictures with one of these that are not negative for all of them
    when ruling out. specificity: share of the other pictures of each that are not positive for it when confirming.
    """

    sought: tuple[int, ...]
    sensitivity: float
    specificity: float


def points_of(p: Floats, truth: Rows, aim: Aim, default: Point) -> dict[str, Point]:
    """Beside the default point of the same labels. p: (n, labels), out of fold.

    Ruling out: what is sought is negative below a lower point, and positive from there on where it is one label; of
    several the kind is still named by the default point. Any other label is positive only where nothing that is sought
    reaches that point. Confirming: what is sought is positive from a higher point. Never are two labels positive.
    """
    thresholds, lows = default
    sought = list(aim.sought)
    found = p[np.isin(truth, sought)][:, sought].max(1)
    least = math.floor(float(np.quantile(found, 1 - aim.sensitivity, method="lower")) * DIGITS) / DIGITS
    alone = len(sought) == 1
    out: list[tuple[float, float]] = []
    sure: list[tuple[float, float]] = []
    for label, (high, low) in enumerate(zip(thresholds, lows, strict=True)):
        if label in sought:
            out.append((min(high, least),) * 2 if alone else (high, min(low, least)))
            sure.append((max(high, lowest_above(p[truth != label, label], aim.specificity)), low))
        else:
            out.append((max(high, round(1 - least, 4)), low))
            sure.append((high, low))
    return {
        name: (tuple(high for high, _ in pairs), tuple(low for _, low in pairs))
        for name, pairs in (("high_sensitivity", out), ("high_specificity", sure))
    }


def lowest_above(p: Floats, share: float) -> float:
    """The lowest point of four digits that at least this share lies below."""
    return math.floor(float(np.quantile(p, share, method="higher")) * DIGITS + 1) / DIGITS


def parameters_of(points: Mapping[str, Point]) -> dict[str, str]:
    """As the service reads them from the model's configuration."""
    return {
        f"{kind}_{name}": ",".join(map(str, numbers))
        for name, point in points.items()
        for kind, numbers in zip(("thresholds", "lows"), point, strict=True)
    }


def verdicts(p: Floats, point: Point) -> NDArray[np.int64]:
    """(n, labels): positive, negative, or neither. p: (n, labels)."""
    thresholds, lows = map(np.array, point)
    said: NDArray[np.int64] = np.where(p >= thresholds, POSITIVE, np.where(p < lows, NEGATIVE, UNTOLD))
    return said


def point_figures(  # noqa: PLR0917 - what they are of
    p: Floats, truth: Rows, aim: Aim, default: Point, classes: tuple[str, ...], parts: Rows
) -> dict[str, Any]:
    """Of each point, chosen on all pictures: what it says of them, and of each part when chosen on the others.

    parts: (n,), of folds, or of groups where there is one fold.
    """
    points = points_of(p, truth, aim, default)
    crossed = {name: np.zeros(p.shape, np.int64) for name in points}
    for part in np.unique(parts):
        own = parts == part
        for name, point in points_of(p[~own], truth[~own], aim, default).items():
            crossed[name][own] = verdicts(p[own], point)
    figures = {}
    for name, point in {"default": default, **points}.items():
        said = verdicts(p, point)
        figures[name] = {
            "thresholds": list(point[0]),
            "lows": list(point[1]),
            "by_label": {label: of_label(said[:, i], truth == i) for i, label in enumerate(classes)},
            "sought": of_sought(said, truth, aim),
        }
        if name in crossed:
            figures[name]["sought_when_chosen_on_other_parts"] = of_sought(crossed[name], truth, aim)
    return figures


def of_label(said: NDArray[np.int64], own: NDArray[np.bool_]) -> dict[str, float]:
    """Of one label. said: (n,), its verdicts."""
    positive, negative = said == POSITIVE, said == NEGATIVE
    return {
        "sensitivity": _share(positive[own]),
        "specificity": _share(~positive[~own]),
        "ppv": _share(own[positive]),
        "own_called_negative": _share(negative[own]),
        "others_called_negative": _share(negative[~own]),
        "cannot_tell": _share(said == UNTOLD),
    }


def of_sought(said: NDArray[np.int64], truth: Rows, aim: Aim) -> dict[str, float]:
    """The labels sought taken together: positive where one is, negative where all are."""
    among = said[:, list(aim.sought)].max(1)
    return of_label(among, np.isin(truth, aim.sought))


def fifths(groups: NDArray[np.str_]) -> NDArray[np.int64]:
    """Each group in one of `PARTS`."""
    names, inverse = np.unique(groups, return_inverse=True)
    dealt: NDArray[np.int64] = np.random.default_rng(SEED).integers(0, PARTS, len(names))[inverse]
    return dealt


def _share(flags: NDArray[np.bool_]) -> float:
    return round(float(flags.mean()), 4) if flags.size else 0.0
