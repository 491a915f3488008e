"""docs/coders.png: MAP and micro-F1 with intervals, and recall by how often a code was seen in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

from bench.compare_coders.page import LABELS
from bench.compare_coders.results import BANDS, OURS, Results, Row

# Okabe and Ito: told apart without red and green.
COLOURS = ("#999999", "#56B4E9", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00")


def draw(results: Results, path: Path) -> None:
    """Write the figure as PNG."""
    mpl.use("Agg")
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, (totals, bands) = plt.subplots(1, 2, figsize=(11, 4), width_ratios=[1, 1.25], layout="constrained")
    _totals(totals, results)
    _bands(bands, results)
    figure.savefig(path, dpi=130, metadata={"Software": None})
    plt.close(figure)


def _name(row: Row) -> str:
    return LABELS[row.family].replace("*", "").replace(", ", ",\n", 1)


def _totals(axes: Any, results: Results) -> None:
    for place, (row, colour) in enumerate(zip(results.rows, COLOURS, strict=True)):
        for figure, marker, offset in (("map", "o", -0.13), ("micro_f1", "D", 0.13)):
            found = row.figures[figure]
            spread = [[found.value - found.low], [found.high - found.value]]
            axes.errorbar(found.value, place + offset, xerr=spread, fmt=marker, color=colour, capsize=2, markersize=6)
            axes.annotate(f"{found.value:.2f}", (found.high, place + offset), (4, 0), textcoords="offset points",
                          va="center", fontsize=7)  # fmt: skip
    axes.set_yticks(range(len(results.rows)), [_name(row) for row in results.rows])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.grid(axis="x", alpha=0.3)
    axes.set_title("MAP (circle) and micro-F1 (diamond), 95 % intervals", fontsize=9)


def _bands(axes: Any, results: Results) -> None:
    width = 0.8 / len(results.rows)
    for place, (row, colour) in enumerate(zip(results.rows, COLOURS, strict=True)):
        recalls = [row.bands[band]["recall"] for band in BANDS]
        spread = [[one.value - one.low for one in recalls], [one.high - one.value for one in recalls]]
        at = [band + (place - (len(results.rows) - 1) / 2) * width for band in range(len(BANDS))]
        axes.bar(at, [one.value for one in recalls], width, yerr=spread, color=colour, error_kw={"linewidth": 0.8},
                 label=LABELS[row.family].replace("*", ""), zorder=2 if row.family == OURS else 1)  # fmt: skip
    axes.set_xticks(range(len(BANDS)), [f"{band}\n{results.gold_by_band[band]} gold" for band in BANDS])
    axes.set_ylim(0, 1)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False, fontsize=7.5)
    axes.set_title("recall of gold codes by the number of training notes that have the code", fontsize=9)
