"""What pre-training over the stays of both challenges gives a transformer, when few or all of the labels are known.

It learns to guess the next hour's values, and hidden ones of this hour, of all stays but those of the first fold; then
it learns death (2012) or sepsis (2019) from a share of the labels, beside one that begins from nothing. Both are judged
on the first fold. Writes pretraining.json and the figure and table of docs/risk-models.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import blend
import card
import matplotlib as mpl
import measures
import numpy as np
import rows
import sequences
import train
from numpy.typing import NDArray
from sequences import Grid, State, Training

mpl.use("Agg")
from matplotlib import pyplot as plt

SHARES = (0.1, 1.0)
SEEDS = {0.1: 2, 1.0: 1}
BEFORE, AFTER = Training(epochs=2, rate=2e-3), Training(epochs=3, places=sequences.HOURS_2019)
STEPS_FEW = 3  # times as many epochs where a tenth of the labels is known
PAGE = rows.REPOSITORY / "docs"
Found = dict[str, dict[str, Any]]


def main() -> None:
    grids = {
        "death, 2012": sequences.grid_2012(sequences.NAMES_BOTH, sequences.STATIC_BOTH),
        "sepsis, 2019": sequences.grid_2019(sequences.NAMES_BOTH, sequences.STATIC_BOTH),
    }
    folds = {name: _fold(held) for name, held in grids.items()}
    both, fold = sequences.joined(list(grids.values())), np.concatenate(list(folds.values()))
    begun = sequences.pretrained(both, np.flatnonzero(fold != 0), BEFORE, rows.SEED)
    found = {name: _of_set(held, folds[name], begun) for name, held in grids.items()}
    (train.MODEL / "pretraining.json").write_text(json.dumps(found, indent=1) + "\n")
    card.fill(PAGE / "risk-models.md", {"pretraining": lines(found)})
    draw(found)


def _fold(held: Grid) -> NDArray[np.int64]:
    """Of each stay: by patient, stratified, as everywhere."""
    ever = np.nanmax(held.label, axis=1)[:, None]
    one = np.ones(len(ever), np.float32)
    return blend.folds(blend.Task(ever, held.patient, ever, one, one > 0, one > 0), rows.SEED)


def _of_set(held: Grid, fold: NDArray[np.int64], begun: State) -> dict[str, dict[str, Any]]:
    return {f"{100 * share:.0f} %": _of_share(held, fold, begun, share) for share in SHARES}


def _of_share(held: Grid, fold: NDArray[np.int64], begun: State, share: float) -> dict[str, Any]:
    """Mean over a few draws of the labels; the interval is of the first draw's difference, over patients."""
    training = replace(AFTER, share=share, epochs=AFTER.epochs * (STEPS_FEW if share < SHARES[1] else 1))
    tested = fold == 0
    judged = ~np.isnan(held.label[tested])
    if held.label.shape[1] == sequences.HOURS_2012:
        judged &= np.arange(sequences.HOURS_2012) == sequences.HOURS_2012 - 1
    label = held.label[tested][judged].astype(np.int8)
    patient = np.repeat(held.patient[tested], judged.sum(axis=1))
    pairs = [[_said(held, tested, replace(training, seed=seed), of)[judged] for of in (None, begun)]
             for seed in range(SEEDS[share])]  # fmt: skip
    areas = np.array([[measures.auroc(said, label) for said in pair] for pair in pairs])
    ranked = [measures.Ranked.of(said, label) for said in pairs[0]]
    difference = measures.interval(patient, lambda weight: ranked[1].auroc(weight) - ranked[0].auroc(weight))
    without, with_it = areas.mean(axis=0).round(4).tolist()
    return {"without": without, "with": with_it, "draws": len(pairs),
            "difference_95": [round(one, 4) for one in difference]}  # fmt: skip


def _said(held: Grid, tested: NDArray[np.bool_], training: Training, begun: State | None) -> NDArray[np.float64]:
    """[tested stays, hours]."""
    network = sequences.fitted("transformer", held, np.flatnonzero(~tested), training, begun)
    return sequences.said_by(network, held, np.flatnonzero(tested))


def lines(found: Found) -> list[str]:
    header = (
        "labels known",
        *(f"{name}: {kind}" for name in found for kind in ("without", "with", "difference, 95 %")),
    )
    shares = next(iter(found.values()))
    return card.table(
        header, ((share, *(cell for of in found.values() for cell in _cells(of[share]))) for share in shares)
    )


def _cells(one: Mapping[str, Any]) -> tuple[str, str, str]:
    low, high = one["difference_95"]
    return f"{one['without']:.3f}", f"{one['with']:.3f}", f"{low:+.3f} to {high:+.3f}"


def draw(found: Found) -> None:
    figure, axes = plt.subplots(1, len(found), figsize=(8, 3.2))
    for axis, (name, of) in zip(axes, found.items(), strict=True):
        for kind, style in (("without", "o--"), ("with", "o-")):
            axis.plot(
                [100 * share for share in SHARES],
                [one[kind] for one in of.values()],
                style,
                label=f"{kind} pre-training",
            )
        axis.set(title=name, xscale="log", xlabel="labels known, %", ylabel="AUROC, patients of the first fold")
        axis.set_xticks([100 * share for share in SHARES], [f"{100 * share:.0f}" for share in SHARES])
        axis.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(PAGE / "risk-pretraining.png", dpi=90, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
