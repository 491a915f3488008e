"""What a frozen ImageNet network with a linear classifier reaches, and what splitting by picture would add to it.

It does not depend on how the served networks are trained. Writes baseline.json beside both cards:
`PYTHONPATH=. .venv-train/bin/python triton_models/brain_mri_tumour/training/baseline.py`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
MODELS = HERE.parents[1]
sys.path[:0] = [str(HERE), str(MODELS / "breast_us_lesion" / "training"), str(HERE.parents[2])]

import numpy as np  # noqa: E402 - after the path
from asking import ask, session  # noqa: E402
from breast import BREAST_CLASSES, breast_samples  # noqa: E402
from fitting import SEED  # noqa: E402
from measures import softmax  # noqa: E402
from network import POOLED, Lesions  # noqa: E402
from samples import BRAIN_CLASSES, Sample, brain_samples, squares  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import PredefinedSplit, StratifiedKFold, cross_val_predict  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 160
STRENGTH = 0.01


def grey_statistics(inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, 5): mean, standard deviation and three quantiles of the prepared pictures, (n, side, side)."""
    x = inputs.reshape(len(inputs), -1)
    return np.column_stack([x.mean(1), x.std(1), *np.quantile(x, [0.1, 0.5, 0.9], axis=1)])


def baseline(samples: list[Sample], preparation: str, normal: int) -> dict[str, Any]:
    """Accuracy of logistic regression, over all classes and over pictures with a lesion: by group and by picture.

    normal: index of the class without lesion.
    """
    inputs, _ = squares(samples, SIDE, preparation)
    labels, folds = (np.array([getattr(s, name) for s in samples]) for name in ("label", "fold"))
    features = ask(session(Lesions(len(set(labels))), SIDE), inputs, ("features",))["features"]
    kinds = {"frozen_network": features[:, -POOLED:].astype(np.float64), "grey_statistics": grey_statistics(inputs)}
    splits = {
        "by_group": PredefinedSplit(folds),
        "by_picture": StratifiedKFold(len(set(folds)), shuffle=True, random_state=SEED),
    }
    lesion = labels != normal
    wanted = np.searchsorted(np.delete(np.unique(labels), normal), labels[lesion])
    figures: dict[str, Any] = {"side": SIDE}
    for kind, x in kinds.items():
        for name, split in splits.items():
            learner = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=500))
            logits = cross_val_predict(learner, x, labels, cv=split, method="decision_function")
            among = np.delete(softmax(logits), normal, 1).argmax(1)
            figures[f"{kind}_{name}"] = {
                "accuracy": round(float((logits.argmax(1) == labels).mean()), 4),
                "accuracy_among_lesions": round(float((among[lesion] == wanted).mean()), 4),
            }
    return figures


def main() -> None:
    """Both models."""
    brain = baseline(brain_samples(), "head_slice", BRAIN_CLASSES.index("no_tumour"))
    breast = baseline(breast_samples(), "ultrasound", BREAST_CLASSES.index("normal"))
    for name, figures in (("brain_mri_tumour", brain), ("breast_us_lesion", breast)):
        (MODELS / name / "baseline.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
