"""Show what the model's figures do not rest on. Run like `train.py`.

Judges the cross-validated models, fitted as `train.py` fits them, on test films whose markers, corners or frame are
covered; asks what the frame alone tells; and measures where the served model's heat lies. Writes shortcuts.json and
examples.png, a page of right and wrong films. Features are kept in var/cxr_findings; delete it after a change of films,
network or preparation.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from evaluation import _resamples
from films import Film, adult_films, child_films
from network import session
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from train import Extractor, Floats, Linear, Table, calibrated_out_of_fold, fit, folds, out_of_fold, some_children
from variants import CORNER, COVERED, FRAME, corners, frame, marks

from services.image_router.preprocessing import model_input, resized

mpl.use("Agg")
from matplotlib import pyplot as plt

MODEL = Path(__file__).resolve().parents[1]
KEPT = Path("var/cxr_findings")
SHOWN = 5  # films a row
ROWS = {
    "rightly positive": (True, True),
    "rightly negative": (False, False),
    "wrongly positive": (False, True),
    "wrongly negative": (True, False),
}


def kept(name: str, make: Callable[[], Floats]) -> Floats:
    """Features from the folder, else made and put there."""
    path = KEPT / f"{name}.npy"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        np.save(path, make())
    return np.asarray(np.load(path), np.float64)


@cache
def extractor() -> Extractor:
    """Made when something is not kept."""
    return Extractor(int(os.environ.get("OMP_NUM_THREADS", "1")))


def known_table() -> Table:
    """The films that `train.py` learns from."""
    adults, children = adult_films(), some_children(child_films("train"))
    own = [
        kept("adult_plain", lambda: extractor().features([film.grey for film in adults])),
        kept("child_plain", lambda: extractor().features([film.grey for film in children])),
    ]
    twins = kept("adult_twins", lambda: extractor().features([film.grey for film in adults], mirror=True))
    return Table(adults + children, np.vstack(own), twins, np.arange(len(adults)))


def chosen_strength() -> float:
    """The penalty that `train.py` chose."""
    return float(json.loads((MODEL / "metrics.json").read_text())["chosen_strength"])


Fitted = list[tuple[Linear, NDArray[np.int64]]]


def fitted(table: Table, strength: float) -> Fitted:
    """The models of cross-validation, each with the rows that it did not see."""
    return [(fit(table, train, strength), test) for train, test in folds(table)]


def said_of(features: Floats, models: Fitted) -> Floats:
    """Logits of the first films of the table, changed or not, each by the model that did not see its patient."""
    logits = np.zeros(len(features))
    for linear, test in models:
        rows = test[test < len(features)]
        logits[rows] = linear(features[rows])
    return logits


def of_alone(table: Table, alone: Floats, strength: float) -> Floats:
    """Logits of adult films by models that were shown nothing but this part of films."""
    adults = len(alone)
    only = Table(table.films[:adults], alone, alone[:0], np.arange(0))
    return out_of_fold(only, strength)


def compared(table: Table, before: Floats, after: Floats) -> dict[str, Any]:
    """AUROC on adults, and its change, with 95 % intervals by bootstrap over patients."""
    truth, patients = table.truth[: len(after)], table.patients[: len(after)]
    drawn = [rows for rows in _resamples(patients) if 0 < truth[rows].sum() < len(rows)]
    values = [roc_auc_score(truth[rows], after[rows]) for rows in drawn]
    changes = [value - roc_auc_score(truth[rows], before[rows]) for value, rows in zip(values, drawn, strict=True)]
    change = roc_auc_score(truth, after) - roc_auc_score(truth, before)
    return {
        "auroc": _with_interval(roc_auc_score(truth, after), values),
        "change": _with_interval(change, changes),
    }


def _with_interval(value: float, drawn: list[float]) -> dict[str, float]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {name: round(float(one), 4) for name, one in (("value", value), ("low", low), ("high", high))}


def served(films: list[Film], threads: int) -> tuple[NDArray[np.float32], Floats]:
    """Heat maps, (n, 20, 20), and scope distances, (n,), by the served model."""
    network = session(MODEL / "1" / "model.onnx", threads)
    answers = [network.run(["heatmap", "scope_distance"], {"image": model_input(f.grey, 320)[None]}) for f in films]
    return np.stack([heat[0] for heat, _ in answers]), np.array([float(distance[0, 0]) for _, distance in answers])


def where_heat_lies(films: list[Film], maps: NDArray[np.float32]) -> dict[str, Any]:
    """Share of what speaks for pneumonia that lies in a part, beside the part's share of the film."""
    parts: dict[str, Callable[[Film], NDArray[np.bool_]]] = {
        f"outermost_{FRAME:.0%}_on_all_sides": lambda film: frame(film.grey.shape),
        f"corners_of_{CORNER:.0%}": lambda film: np.any(corners(film.grey.shape), axis=0),
        "marks": lambda film: marks(film.grey),
        "background": lambda film: film.grey < 0.1 * np.quantile(film.grey, 0.999),
    }
    made: dict[str, Any] = {}
    for name, part in parts.items():
        shares, areas = [], []
        for film, heat in zip(films, maps, strict=True):
            mask = part(film)
            seen = np.clip(resized(heat, *film.grey.shape), 0, None)
            if mask.any() and seen.sum() > 0:
                shares.append(seen[mask].sum() / seen.sum())
                areas.append(mask.mean())
        made[name] = {
            "films": len(shares),
            "share_of_heat": round(float(np.mean(shares)), 4),
            "share_of_film": round(float(np.mean(areas)), 4),
        }
    return made


def page(films: list[Film], p: Floats, maps: NDArray[np.float32], threshold: float, refused: list[Film]) -> None:
    """examples.png: films drawn at random of each kind, with the heat; and those that the scope check refuses."""
    truth, positive = np.array([film.positive for film in films]), p >= threshold
    random = np.random.default_rng(7)
    figure, axes = plt.subplots(len(ROWS) + 1, SHOWN, figsize=(2.1 * SHOWN, 2.3 * (len(ROWS) + 1)))
    for row, (name, (is_ill, is_found)) in zip(axes, ROWS.items(), strict=False):
        of = random.permutation(np.flatnonzero((truth == is_ill) & (positive == is_found)))[:SHOWN]
        for axis, film in zip(row, of, strict=True):
            grey = films[film].grey
            axis.imshow(grey, cmap="gray")
            heat = np.clip(resized(maps[film], *grey.shape), 0, None)
            axis.imshow(heat, cmap="inferno", alpha=0.45 * heat / max(float(heat.max()), 1e-6))
            axis.set_title(f"{name}, {p[film]:.2f}", fontsize=7)
    for axis, film in zip(axes[-1], refused, strict=False):
        axis.imshow(film.grey, cmap="gray")
        axis.set_title(f"refused ({'pneumonia' if film.positive else 'no finding'})", fontsize=7)
    for axis in axes.ravel():
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(MODEL / "examples.png", dpi=80)


def main() -> None:
    """All of it."""
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    torch.set_num_threads(threads)
    strength, table = chosen_strength(), known_table()
    adults = [film for film in table.films if film.population == "adult"]
    models = fitted(table, strength)
    logits = said_of(table.features, models)
    own = logits[: len(adults)]
    result: dict[str, Any] = {"as_it_is": compared(table, own, own)["auroc"]}
    for name, change in COVERED.items():
        changed = kept(f"adult_{name}", lambda change=change: extractor().features([change(f.grey) for f in adults]))
        result[name] = compared(table, own, said_of(changed, models))
        if name == "frame_alone":
            result["learned_from_the_frame_alone"] = compared(table, own, of_alone(table, changed, strength))
    marked = np.array([marks(film.grey).any() for film in adults])
    result["films_with_marks"] = {"adults": len(adults), "marked": int(marked.sum())}
    maps, distance = served(adults, threads)
    p = calibrated_out_of_fold(logits, table)[: len(adults)]
    threshold = float(json.loads((MODEL / "metrics.json").read_text())["parameters"]["thresholds"].split(",")[0])
    found = [row for row in range(len(adults)) if adults[row].positive and p[row] >= threshold]
    result["heat_of_rightly_positive"] = where_heat_lies([adults[row] for row in found], maps[found])
    refused = [adults[row] for row in np.argsort(distance)[::-1][:SHOWN] if distance[row] > 1]
    page(adults, p, maps, threshold, refused)
    (MODEL / "shortcuts.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
