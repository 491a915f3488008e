"""docs/few-labels.png: a curve over the share of labels for every method, and the sheet of generated images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray

from bench.few_labels.page import LABELS, NAMES, TASKS
from bench.few_labels.results import FIGURES, METHODS, Point
from bench.few_labels.shares import SHARES

# Okabe and Ito: told apart without red and green.
COLOURS = dict(zip(METHODS, ("#555555", "#0072B2", "#E69F00", "#CC79A7"), strict=True))
MARKERS = dict(zip(METHODS, "os^v", strict=True))


def draw(points: Sequence[Point], path: Path) -> None:
    """Write the figure as PNG: the mean of the seeds, bars from the least to the most."""
    mpl.use("Agg")
    plt.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    panels = [(task, figure) for task, figures in FIGURES.items() for figure in figures]
    drawn, axes = plt.subplots(1, len(panels), figsize=(11, 3.7), layout="constrained")
    for axis, (task, figure) in zip(axes, panels, strict=True):
        own = [point for point in points if (point.task, point.figure) == (task, figure)]
        for place, method in enumerate(METHODS):
            _curve(axis, [point for point in own if point.method == method], method, 1 + 0.03 * (place - 1))
        axis.set_xscale("log")
        axis.set_xticks(SHARES, [f"{share}" for share in SHARES])
        axis.set_xticks([], minor=True)
        macro = "macro " if task == "brain" and figure == "auroc" else ""
        axis.set(xlabel="labelled share of the training set, %", ylabel=macro + NAMES[figure])
        axis.set_title(TASKS[task], fontsize=8)
        axis.grid(alpha=0.3)
    handles, names = axes[0].get_legend_handles_labels()
    drawn.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    drawn.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(drawn)


def _curve(axis: Any, points: Sequence[Point], method: str, shift: float) -> None:
    if not points:
        return
    means = [sum(point.values) / len(point.values) for point in points]
    spread = [[mean - min(point.values) for mean, point in zip(means, points, strict=True)],
              [max(point.values) - mean for mean, point in zip(means, points, strict=True)]]  # fmt: skip
    axis.errorbar([point.share * shift for point in points], means, yerr=spread, color=COLOURS[method], capsize=2,
                  marker=MARKERS[method], markersize=4, linewidth=1.2, label=LABELS[method])  # fmt: skip


def draw_sheet(rows: Mapping[str, NDArray[np.uint8]], path: Path) -> None:
    """Real and generated images, each row under its name. rows: name to [pictures, side, side]."""
    mpl.use("Agg")
    drawn, axes = plt.subplots(len(rows), 1, figsize=(9, 0.98 * len(rows)), layout="constrained")
    for axis, (name, pictures) in zip(axes, rows.items(), strict=True):
        axis.imshow(np.concatenate(list(pictures), axis=1), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.set_title(
            name, fontsize=7, loc="left", pad=2, color="#b03060" if name.startswith("GENERATED") else "black"
        )
        axis.axis("off")
    drawn.savefig(path, dpi=90, metadata={"Software": None})
    plt.close(drawn)
