"""How far a probability may be trusted: networks of the same making from disjoint patients, on pictures of others."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from measures import softmax, temperature_of
from task import run

sys.path.append(str(Path(__file__).resolve().parents[2] / "cxr_findings" / "training"))
from trust import COVERED, by_fifths, half_widths

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from task import Material, Task


def interval_figures(task: Task, m: Material, fold: int) -> dict[str, Any]:
    """Half-width in log-odds that holds nine of ten probabilities of a network which learned from other patients.

    The folds other than `fold` are dealt to two networks in turn; both are asked about `fold`. The width is set on
    four fifths of its groups and judged on the fifth, over all pictures and classes.
    """
    test = np.flatnonzero(m.folds == fold)
    others = np.setdiff1d(m.folds, [fold])
    said = []
    for name, dealt in (("first", others[::2]), ("second", others[1::2])):
        one = run(task, m, f"fold_{fold}_{name}_half", np.flatnonzero(np.isin(m.folds, dealt)), test)
        logits = one.plain["logits"].astype(np.float64)
        said.append(log_odds(softmax(logits, temperature_of(logits, m.labels[test]))))
    apart, (p, _) = np.abs(said[0] - said[1]), said
    flat, groups = apart.ravel(), np.repeat(m.groups[test], apart.shape[1])
    held = (flat <= half_widths(flat, np.ones(len(flat)), groups)).reshape(apart.shape)
    return {
        "fold": fold,
        "meant_to_cover": COVERED,
        "half_width_logit": round(float(np.quantile(apart, COVERED)), 3),
        "covered": round(float(held.mean()), 4),
        "covered_by_class": {n: round(float(held[:, i].mean()), 4) for i, n in enumerate(task.classes)},
        "covered_by_fifths_of_probability": [round(share, 4) for share in by_fifths(held, p)],
    }


def log_odds(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of probabilities."""
    clipped = np.clip(p, 1e-6, 1 - 1e-6)
    odds: NDArray[np.float64] = np.log(clipped / (1 - clipped))
    return odds
