"""Show what the model's figures do not rest on. Run like `train.py`.

Judges the cross-validated models, fitted as `train.py` fits them, on test films whose markers, corners, frame or
surroundings are covered; asks what the frame alone tells, how much of it the model says, and where the served model's
heat lies. Writes shortcuts.json and examples.png, a page of right and wrong films, and sheets of films at random to
var/cxr_findings.
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
from card import write_tables
from evaluation import _resamples
from films import Film, adult_films, child_films
from kept import kept
from network import SIDE, TAPS, Taps, session
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional
from train import Extractor, Floats, Linear, Table, calibrated_out_of_fold, fit, folds, out_of_fold, some_children
from variants import CORNER, COVERED, FRAME, Grey, corners, frame, frame_alone, marks, surroundings, whole_film

from services.image_router.preprocessing import model_input, read_part, resized

mpl.use("Agg")
from matplotlib import pyplot as plt

MODEL = Path(__file__).resolve().parents[1]
SHOWN = 5  # films a row
LOOKED_AT, SHEET = 100, 50  # films of each population that `sheets` draws, and on each
SHEETS = Path("var/cxr_findings")
THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))
ROWS = {
    "rightly positive": (True, True),
    "rightly negative": (False, False),
    "wrongly positive": (False, True),
    "wrongly negative": (True, False),
}


@cache
def extractor() -> Extractor:
    """Made when something is not kept."""
    return Extractor(THREADS)


def known_table() -> Table:
    """The films that `train.py` learns from."""
    return extractor().table(adult_films(), some_children(child_films("train")))


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


class WholeFeatures(nn.Module):
    """[B, 1, SIDE, SIDE] to features pooled over all of the input, for models that are shown whole films."""

    def __init__(self) -> None:
        super().__init__()
        self.taps = Taps()

    def forward(self, image: Tensor) -> Tensor:
        """image: as above."""
        bands = [(m, (side // bands, side)) for m, (_, _, side, bands) in zip(self.taps(image), TAPS, strict=True)]
        return torch.cat([functional.avg_pool2d(m, window).flatten(1) for m, window in bands], 1)


def of_whole_films(
    table: Table, films: list[Film], name: str, change: Callable[[Grey], Grey], strength: float
) -> Floats:
    """Out-of-fold logits of adults by models that were shown whole films, or a part of them that the change leaves."""
    features = kept(
        f"whole_{name}",
        lambda: Extractor(THREADS, WholeFeatures()).of_inputs(whole_film(change(film.grey)) for film in films),
    )
    return out_of_fold(Table(table.films[: len(films)], features, features[:0], np.arange(0)), strength)


def rank_correlation(table: Table, first: Floats, second: Floats) -> dict[str, float]:
    """Between two models' logits of adults, within each class and view: what they share beyond either."""
    made = {}
    for view in ("AP", "PA"):
        for name, ill in (("pneumonia", True), ("no_finding", False)):
            of = (table.views[: len(first)] == view) & (table.truth[: len(first)] == ill)
            made[f"{view}_{name}"] = round(float(spearmanr(first[of], second[of]).statistic), 4)
    return made


def by_view(table: Table, logits: Floats) -> dict[str, float]:
    """AUROC within each view, and how well the logits tell films from behind from others within each class."""
    views, truth = table.views[: len(logits)], table.truth[: len(logits)]
    within = {view: roc_auc_score(truth[views == view], logits[views == view]) for view in ("AP", "PA")}
    tells = {
        f"tells_view_of_{name}": roc_auc_score(views[truth == ill] == "PA", logits[truth == ill])
        for name, ill in (("pneumonia", True), ("no_finding", False))
    }
    return {name: round(float(value), 4) for name, value in (within | tells).items()}


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


def served(films: list[Film]) -> tuple[list[Grey], Floats]:
    """By the served model: heat maps, each laid over its film with nothing outside the thorax, and scope distances."""
    network = session(MODEL / "1" / "model.onnx", THREADS)
    maps, distances = [], []
    for film in films:
        heat, distance = network.run(["heatmap", "scope_distance"], {"image": model_input(film.grey, SIDE)[None]})
        box = read_part(film.grey, "chest_film")
        laid = np.zeros(film.grey.shape, np.float32)
        laid[box.top : box.bottom, box.left : box.right] = resized(heat[0], box.bottom - box.top, box.right - box.left)
        maps.append(laid)
        distances.append(float(distance[0, 0]))
    return maps, np.array(distances)


def where_heat_lies(films: list[Film], maps: list[Grey]) -> dict[str, Any]:
    """Share of what speaks for pneumonia that lies in a part, beside the part's share of the film."""
    parts: dict[str, Callable[[Film], NDArray[np.bool_]]] = {
        f"outermost_{FRAME:.0%}_on_all_sides": lambda film: frame(film.grey.shape),
        f"corners_of_{CORNER:.0%}": lambda film: np.any(corners(film.grey.shape), axis=0),
        "outside_the_thorax": lambda film: surroundings(film.grey),
        "marks": lambda film: marks(film.grey),
        "background": lambda film: film.grey < 0.1 * np.quantile(film.grey, 0.999),
    }
    made: dict[str, Any] = {}
    for name, part in parts.items():
        shares, areas = [], []
        for film, heat in zip(films, maps, strict=True):
            mask, seen = part(film), np.clip(heat, 0, None)
            if mask.any() and seen.sum() > 0:
                shares.append(seen[mask].sum() / seen.sum())
                areas.append(mask.mean())
        made[name] = {
            "films": len(shares),
            "share_of_heat": round(float(np.mean(shares)), 4),
            "share_of_film": round(float(np.mean(areas)), 4),
        }
    return made


def draw(axis: Any, film: Film, heat: Grey, title: str) -> None:
    """A film with what speaks for pneumonia in colour, and what the model sees outlined."""
    axis.imshow(film.grey, cmap="gray")
    speaking = np.clip(heat, 0, None)
    axis.imshow(speaking, cmap="inferno", alpha=0.45 * speaking / max(float(speaking.max()), 1e-6))
    box = read_part(film.grey, "chest_film")
    corner, width, height = (box.left, box.top), box.right - box.left - 1, box.bottom - box.top - 1
    axis.add_patch(plt.Rectangle(corner, width, height, fill=False, edgecolor="white", linewidth=0.5))
    axis.set_title(title, fontsize=7)


def sheets(films: list[Film], p: Floats, maps: list[Grey], threshold: float, name: str) -> None:
    """Films at random, out of fold, to be looked at: var/cxr_findings/NAME_n.png."""
    for number in range(0, len(films), SHEET):
        figure, axes = plt.subplots(5, SHEET // 5, figsize=(2.0 * SHEET // 5, 11))
        for axis, row in zip(axes.ravel(), range(number, min(number + SHEET, len(films))), strict=False):
            right = films[row].positive == (p[row] >= threshold)
            title = f"{row} {'ill' if films[row].positive else 'well'} {films[row].view} {p[row]:.2f}"
            draw(axis, films[row], maps[row], title + ("" if right else " WRONG"))
        for axis in axes.ravel():
            axis.axis("off")
        figure.tight_layout(pad=0.2)
        SHEETS.mkdir(parents=True, exist_ok=True)
        figure.savefig(SHEETS / f"{name}_{number // SHEET}.png", dpi=75)
        plt.close(figure)


def page(films: list[Film], p: Floats, maps: list[Grey], threshold: float, refused: list[Film]) -> None:
    """examples.png: films drawn at random of each kind, with the heat; and those that the scope check refuses."""
    truth, positive = np.array([film.positive for film in films]), p >= threshold
    random = np.random.default_rng(7)
    figure, axes = plt.subplots(len(ROWS) + 1, SHOWN, figsize=(2.1 * SHOWN, 2.3 * (len(ROWS) + 1)))
    for row, (name, (is_ill, is_found)) in zip(axes, ROWS.items(), strict=False):
        of = random.permutation(np.flatnonzero((truth == is_ill) & (positive == is_found)))[:SHOWN]
        for axis, film in zip(row, of, strict=True):
            draw(axis, films[film], maps[film], f"{name}, {p[film]:.2f}")
    for axis, film in zip(axes[-1], refused, strict=False):
        axis.imshow(film.grey, cmap="gray")
        axis.set_title(f"refused ({'pneumonia' if film.positive else 'no finding'})", fontsize=7)
    for axis in axes.ravel():
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(MODEL / "examples.png", dpi=80)


def main() -> None:
    """All of it."""
    torch.set_num_threads(THREADS)
    strength, table = chosen_strength(), known_table()
    adults = [film for film in table.films if film.population == "adult"]
    models = fitted(table, strength)
    logits = said_of(table.features, models)
    own = logits[: len(adults)]
    result: dict[str, Any] = {"as_it_is": compared(table, own, own)["auroc"], "by_view": by_view(table, own)}
    for name, change in COVERED.items():
        changed = kept(f"adult_{name}", lambda change=change: extractor().features([change(f.grey) for f in adults]))
        result[name] = compared(table, own, said_of(changed, models))
    alone = of_whole_films(table, adults, "frame_alone", frame_alone, strength)
    whole = of_whole_films(table, adults, "films", lambda grey: grey, strength)
    result["learned_from_the_frame_alone"] = compared(table, own, alone)
    result["learned_from_whole_films"] = compared(table, own, whole) | {"by_view": by_view(table, whole)}
    result["rank_correlation_with_the_frame"] = {
        "this_model": rank_correlation(table, own, alone),
        "learned_from_whole_films": rank_correlation(table, whole, alone),
    }
    marked = np.array([marks(film.grey).any() for film in adults])
    result["films_with_marks"] = {"adults": len(adults), "marked": int(marked.sum())}
    maps, distance = served(adults)
    p = calibrated_out_of_fold(logits, table)
    threshold = float(json.loads((MODEL / "metrics.json").read_text())["parameters"]["thresholds"].split(",")[0])
    found = [row for row in range(len(adults)) if adults[row].positive and p[row] >= threshold]
    result["heat_of_rightly_positive"] = where_heat_lies([adults[row] for row in found], [maps[row] for row in found])
    refused = [adults[row] for row in np.argsort(distance)[::-1][:SHOWN] if distance[row] > 1]
    page(adults, p[: len(adults)], maps, threshold, refused)
    (MODEL / "shortcuts.json").write_text(json.dumps(result, indent=1) + "\n")
    write_tables(MODEL)
    print(json.dumps(result, indent=1))
    drawn = np.random.default_rng(11).permutation(len(adults))[:LOOKED_AT]
    sheets([adults[row] for row in drawn], p[drawn], [maps[row] for row in drawn], threshold, "adults")
    drawn = len(adults) + np.random.default_rng(11).permutation(len(table.films) - len(adults))[:LOOKED_AT]
    children = [table.films[row] for row in drawn]
    sheets(children, p[drawn], served(children)[0], threshold, "children")


if __name__ == "__main__":
    main()
