"""The served recipe split by picture: what leakage would add to its figure.

Nothing of it is served. Writes by_picture.json beside the card; run once (12 minutes of processor, resumes),
`PYTHONPATH=. .venv-train/bin/python triton_models/brain_mri_tumour/training/by_picture.py`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2])]

import numpy as np  # noqa: E402 - after the path
import torch  # noqa: E402
from fitting import SEED  # noqa: E402
from measures import dice, with_interval  # noqa: E402
from samples import brain_samples  # noqa: E402
from sklearn.model_selection import StratifiedKFold  # noqa: E402
from task import material, outlines, run  # noqa: E402
from train import BRAIN  # noqa: E402


def main() -> None:
    """A quarter of all slices, drawn at random, by a network that learned from the rest."""
    torch.set_num_threads(1)
    m = material(BRAIN, brain_samples())
    known, test = next(StratifiedKFold(4, shuffle=True, random_state=SEED).split(m.folds, m.labels))
    answers = run(BRAIN, m, "by_picture", known, test).plain
    tumour = m.labels[test] != BRAIN.normal
    hit = answers["logits"][tumour][:, : BRAIN.normal].argmax(1) == m.labels[test][tumour]
    found = outlines(answers["outline"][tumour, 0], BRAIN.side)
    threshold = json.loads((HERE.parent / "metrics.json").read_text())["outlines"]["threshold"]
    score = dice(found >= threshold, m.masks[test][tumour] > 127)  # noqa: PLR2004 - 0 to 255
    figures = {
        "slices": int(tumour.sum()),
        "accuracy_among_three": with_interval(lambda q: hit[q].mean(), np.arange(len(hit))),
        "dice": with_interval(lambda q: score[q].mean(), np.arange(len(score))),
    }
    print(figures)
    (HERE.parent / "by_picture.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
