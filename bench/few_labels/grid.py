"""Train every cell of the grid once: task, method, share of labels, seed. A run that was ended goes on where it was.

Each cell is one JSON line in `var/few_labels/cells.jsonl` with what the network says of every test picture.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from bench.few_labels import results
from bench.few_labels.methods import Course, asked, fitted, pictures_of, trunk_maps
from bench.few_labels.pools import FOLDS, KEPT, SIDE, Pool, load
from bench.few_labels.shares import SEEDS, SHARES, labelled
from services.common.settings import REPOSITORY

CELLS, CHOICE = KEPT / "cells.jsonl", KEPT / "steps.json"
# FixMatch needs pictures without labels.
METHODS = {"supervised": SHARES, "transfer": SHARES, "generated": SHARES, "fixmatch": SHARES[:-1]}
KINDS = {method: "trunk" if method == "transfer" else "small" for method in METHODS}
LIKE = {"fixmatch": "supervised", "generated": "supervised"}  # whose steps it takes
STEPS = (80, 160)
CHOOSING_SHARES = (10, 100)
SHEET, SHEET_WIDTH = REPOSITORY / "docs" / "few-labels-generated.png", 12
GENERATED = 240  # pictures, classes as in the labelled share

Cell = tuple[str, str, int, int]  # task, method, share, seed


def cells() -> list[Cell]:
    """All, the most telling first: the shares that every method has, then the rest of the curves."""
    every = [
        (task, method, share, seed)
        for method, shares in METHODS.items()
        for seed in SEEDS
        for share in shares
        for task in FOLDS
    ]
    return sorted(every, key=lambda cell: (cell[2] not in CHOOSING_SHARES, list(METHODS).index(cell[1]) // 2, cell[3]))


def run() -> None:
    """Choose the steps, then train what is missing."""
    torch.set_num_threads(1)
    KEPT.mkdir(parents=True, exist_ok=True)
    pools = {task: load(task) for task in FOLDS}
    sources = {(task, "small"): pictures_of(pool) for task, pool in pools.items()}
    sources |= {(task, "trunk"): trunk_maps(pool) for task, pool in pools.items()}
    if not CHOICE.exists():
        CHOICE.write_text(json.dumps(chosen_steps(pools, sources), indent=1) + "\n")
    steps = json.loads(CHOICE.read_text())["steps"]
    done = {tuple(line[name] for name in ("task", "method", "share", "seed")) for line in read()}
    for cell in cells():
        if cell not in done:
            line = _trained(cell, pools[cell[0]], sources[cell[0], KINDS[cell[1]]], steps)
            with CELLS.open("a") as file:
                file.write(json.dumps(line) + "\n")


def read() -> list[dict[str, Any]]:
    """The lines of the cells that are there."""
    return [json.loads(line) for line in CELLS.read_text().splitlines()] if CELLS.exists() else []


def keep() -> None:
    """Keep what is trained so far beside the code: answers, chosen steps, the sheet of generated images."""
    pools = {task: load(task) for task in FOLDS}
    tests = {
        task: results.Test(pool.labels[pool.test], np.unique(pool.groups[pool.test], return_inverse=True)[1])
        for task, pool in pools.items()
    }
    results.write(tests, read())
    results.CHOICE.write_text(CHOICE.read_text())
    rows = {name: pictures for pool in pools.values() for name, pictures in _sheet(pool)}
    if rows:
        from bench.few_labels.figure import draw_sheet

        draw_sheet(rows, SHEET)


def _sheet(pool: Pool) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Real pictures, then generated ones of each share; the same number of each class, class by class."""
    made = {
        share: _kept(pool, share, SEEDS[0]) for share in METHODS["generated"] if _kept(pool, share, SEEDS[0]).exists()
    }
    if made:
        yield (
            f"real: {pool.name}, {', '.join(pool.classes)}",
            _some(pool.pictures[pool.training], pool.labels[pool.training]),
        )
    for share, path in made.items():
        with np.load(path) as found:
            name = f"GENERATED, no patient: {pool.name}, learned from {share} % of the labels"
            yield name, _some(found["pictures"], found["labels"])


def _some(pictures: NDArray[np.uint8], labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    kinds = np.unique(labels)
    random = np.random.default_rng(SEEDS[0])
    chosen = [random.choice(np.flatnonzero(labels == kind), SHEET_WIDTH // len(kinds), replace=False) for kind in kinds]
    some: NDArray[np.uint8] = pictures[np.concatenate(chosen)]
    return some


def _trained(cell: Cell, pool: Pool, source: Any, steps: dict[str, int]) -> dict[str, Any]:
    task, method, share, seed = cell
    start = time.process_time()
    known = labelled(pool.labels, pool.groups, pool.training, share, seed)
    others = np.setdiff1d(pool.training, known) if method == "fixmatch" else None
    made = made_pictures(pool, known, share, seed) if method == "generated" else None
    made_s = time.process_time() - start
    course = Course(KINDS[method], len(pool.classes), pool.labels, known, seed, others,
                    None if made is None else (torch.from_numpy(made[0]).float().div(255).unsqueeze(1),
                                               torch.from_numpy(made[1])))  # fmt: skip
    network = fitted(course, source, steps[LIKE.get(method, method)])
    said = asked(network, KINDS[method], source, pool.test)
    score = said[:, 1:] - said[:, :1]
    took = time.process_time() - start
    print(f"{cell}: {len(known)} pictures, AUROC {area(said, pool.labels[pool.test]):.4f}, {took:.1f} s", flush=True)
    return {"task": task, "method": method, "share": share, "seed": seed, "pictures": len(known),
            "groups": len(np.unique(pool.groups[known])), "seconds": round(took, 1),
            "generator_s": round(made_s, 1), "score": score.round(2).tolist()}  # fmt: skip


def _kept(pool: Pool, share: int, draw: int) -> Path:
    return KEPT / f"{pool.name}-generated-{share}-{draw}.npz"


def made_pictures(
    pool: Pool, known: NDArray[np.int64], share: int, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """From a generator of these pictures alone; with all labels known it is the same for every seed."""
    draw = seed if share < SHARES[-1] else SEEDS[0]
    kept = _kept(pool, share, draw)
    if not kept.exists():
        from bench.few_labels import generator

        labels = np.sort(np.random.default_rng(draw).choice(pool.labels[known], GENERATED))
        network = generator.fitted(pool.pictures[known], pool.labels[known], len(pool.classes), draw)
        np.savez_compressed(kept, pictures=generator.sampled(network, labels, SIDE, draw), labels=labels)
    with np.load(kept) as found:
        pictures, labels = found["pictures"], found["labels"]
    return pictures, labels


def chosen_steps(pools: dict[str, Pool], sources: dict[tuple[str, str], Any]) -> dict[str, Any]:
    """Of the highest mean AUROC on the validation part, over both tasks and two shares, for the two plain methods."""
    reached: dict[str, dict[str, list[float]]] = {}
    for method in ("supervised", "transfer"):
        reached[method] = {str(step): [] for step in STEPS}
        for task, pool in pools.items():
            for share in CHOOSING_SHARES:
                _follow(method, pool, sources[task, KINDS[method]], share, reached[method])
    best = {method: int(max(of, key=lambda step: np.mean(of[step]))) for method, of in reached.items()}
    return {"steps": best, "validation_auroc": {
        method: {step: round(float(np.mean(values)), 4) for step, values in of.items()}
        for method, of in reached.items()}}  # fmt: skip


def _follow(method: str, pool: Pool, source: Any, share: int, reached: dict[str, list[float]]) -> None:
    known = labelled(pool.labels, pool.groups, pool.rest, share, SEEDS[0])

    def at(step: int, mean: Any) -> None:
        if step in STEPS:
            reached[str(step)].append(area(asked(mean, KINDS[method], source, pool.validation),
                                           pool.labels[pool.validation]))  # fmt: skip
            print(f"choosing: {pool.name} {method} {share} % {step}: {reached[str(step)][-1]:.4f}", flush=True)

    fitted(Course(KINDS[method], len(pool.classes), pool.labels, known, SEEDS[0]), source, STEPS[-1], at)


def area(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """AUROC; the mean over classes against the rest where there are three."""
    shown = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(shown) / np.exp(shown).sum(axis=1, keepdims=True)
    kinds = range(1, 2) if p.shape[1] == 2 else range(p.shape[1])  # noqa: PLR2004 - two classes, one curve
    return float(np.mean([roc_auc_score(labels == kind, p[:, kind]) for kind in kinds]))
