"""What a frozen ImageNet network with a linear classifier reaches, and what splitting by picture would add to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from fitting import SEED, low_maps
from measures import softmax
from network import Lesions
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from task import Material, Task

CHUNK = 64
STRENGTH = 0.01


def frozen_features(task: Task, m: Material) -> NDArray[np.float64]:
    """(n, 432): the pooled maps of stride 16 and 32 of EfficientNet-Lite0 with ImageNet weights."""
    network = Lesions(len(task.classes)).to(memory_format=torch.channels_last)
    parts = []
    with torch.no_grad():
        for at in range(0, len(m.samples), CHUNK):
            rows = torch.arange(at, min(at + CHUNK, len(m.samples)))
            parts.append(network.from_low(*low_maps(m.kept, 0, rows)).pooled.numpy())
    return np.concatenate(parts).astype(np.float64)


def grey_statistics(m: Material) -> NDArray[np.float64]:
    """(n, 5): mean, standard deviation and three quantiles of the prepared picture."""
    x = m.inputs.reshape(len(m.inputs), -1) / 255
    return np.column_stack([x.mean(1), x.std(1), *np.quantile(x, [0.1, 0.5, 0.9], axis=1)])


def frozen_baseline(task: Task, m: Material) -> dict[str, Any]:
    """Accuracy of logistic regression, over all classes and over pictures with a lesion: by group and by picture."""
    splits = {
        "by_group": PredefinedSplit(m.folds),
        "by_picture": StratifiedKFold(len(set(m.folds.tolist())), shuffle=True, random_state=SEED),
    }
    lesion = m.labels != task.normal
    figures: dict[str, Any] = {}
    for kind, x in (("frozen_network", frozen_features(task, m)), ("grey_statistics", grey_statistics(m))):
        for name, split in splits.items():
            learner = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=500))
            logits = cross_val_predict(learner, x, m.labels, cv=split, method="decision_function")
            among = np.delete(softmax(logits), task.normal, 1).argmax(1)
            wanted = np.searchsorted(np.delete(np.arange(len(task.classes)), task.normal), m.labels[lesion])
            figures[f"{kind}_{name}"] = {
                "accuracy": round(float((logits.argmax(1) == m.labels).mean()), 4),
                "accuracy_among_lesions": round(float((among[lesion] == wanted).mean()), 4),
            }
    return figures
