"""Train, judge and export `breast_us_lesion` (or make train MODEL=breast_us_lesion).

Reads VIGIL_TRAINING_DATA (default ../shared/data). Fixed seed; same data and package versions, same model. An
interrupted run goes on from its checkpoints.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "brain_mri_tumour" / "training")]

import numpy as np  # noqa: E402 - after the path
import torch  # noqa: E402
from breast import BIRADS, BREAST_CLASSES, DEVICE, FOLDS, SET, breast_samples  # noqa: E402
from finish import finish  # noqa: E402
from fitting import Recipe  # noqa: E402
from intervals import interval_figures  # noqa: E402
from measures import dice, softmax, with_interval  # noqa: E402
from points import Aim  # noqa: E402
from sklearn.metrics import roc_auc_score  # noqa: E402
from task import Material, OutOfFold, Task, judged, material, out_of_fold, outlines, run, scope_figures, scope_of  # noqa: E402

MALIGNANT = BREAST_CLASSES.index("malignant")
BREAST = Task(
    name="breast_us_lesion",
    classes=BREAST_CLASSES,
    normal=BREAST_CLASSES.index("normal"),
    side=192,
    preparation="ultrasound",
    region="lesion",
    foreign="breast_ultrasound",
    recipe=Recipe(epochs=20),
    sensitivity=0.95,
    specificity=0.90,
    aim=Aim(sought=(MALIGNANT,), sensitivity=0.95, specificity=0.95),
    near=0.987,
    groups=(SET, DEVICE, BIRADS),
)


def main() -> None:
    """Judge by patient and cluster, and across sets; export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "1")))
    parser.add_argument("--folds", type=int, nargs="+", default=list(FOLDS), help="folds to judge by")
    parser.add_argument("--across", nargs="*", default=["busbra", "busi"], help="sets to train on, tested on the other")
    chosen = parser.parse_args()
    pairs = [(known, "busi" if known == "busbra" else "busbra") for known in chosen.across]
    torch.set_num_threads(chosen.threads)
    m = material(BREAST, breast_samples())
    oof = out_of_fold(BREAST, m, chosen.folds)
    seen = m.part(np.flatnonzero(np.isin(m.folds, chosen.folds)))
    first = min(chosen.folds)
    check = scope_of(BREAST, m, first, oof.runs[first])
    metrics = judged(BREAST, seen, oof) | {
        "malignant_against_benign": malignant_against_benign(seen, oof),
        "across_sets": across_sets(m, pairs),
        "scope": scope_figures(BREAST, m, first, oof.runs[first], check),
        "interval": interval_figures(BREAST, m, first),
    }
    finish(BREAST, m, oof, check, metrics, "")


def malignancy(logits: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Probability of malignant among the lesions."""
    p = softmax(logits)
    score = p[:, MALIGNANT] / (1 - p[:, BREAST.normal])
    return np.asarray(score, np.float64)


def malignant_against_benign(m: Material, oof: OutOfFold) -> dict[str, Any]:
    """AUROC among lesions, of both sets, each, and each subgroup with both kinds."""
    score, lesion = malignancy(oof.logits), m.labels != BREAST.normal
    figures = {"all": auroc(m, score, np.flatnonzero(lesion))}
    for name in BREAST.groups:
        values = np.array([sample.about.get(name, "") for sample in m.samples])
        for value in sorted(set(values.tolist()) - {""}):
            rows = np.flatnonzero(lesion & (values == value))
            if 0 < (m.labels[rows] == MALIGNANT).sum() < len(rows):
                figures[f"{name} {value}"] = auroc(m, score[rows], rows, aligned=True)
    return figures


def auroc(
    m: Material, score: np.ndarray[Any, np.dtype[np.float64]], rows: np.ndarray[Any, Any], *, aligned: bool = False
) -> dict[str, float]:
    """With its interval by patient or cluster. aligned: score is of these rows already."""
    y, s = m.labels[rows] == MALIGNANT, score if aligned else score[rows]
    return with_interval(lambda q: roc_auc_score(y[q], s[q]), m.groups[rows])


def across_sets(m: Material, chosen: list[tuple[str, str]]) -> dict[str, Any]:
    """Trained on one set, tested on the other. chosen: pairs of these."""
    sets = np.array([sample.about[SET] for sample in m.samples])
    figures = {}
    for known, new in chosen:
        train, test = np.flatnonzero(sets == known), np.flatnonzero((sets == new) & (m.labels != BREAST.normal))
        one = run(BREAST, m, f"{known}_to_{new}", train, test)
        drawn = m.drawn[test]
        found = outlines(one.plain["outline"][drawn, 0], BREAST.side) >= 0.5  # noqa: PLR2004 - untuned
        figures[f"{known}_to_{new}"] = {
            "auroc": auroc(m, malignancy(one.plain["logits"]), test, aligned=True),
            "dice": round(float(dice(found, m.masks[test][drawn] > 127).mean()), 4),  # noqa: PLR2004 - 0 to 255
        }
    return figures


if __name__ == "__main__":
    main()
