"""Figures of every cell, means over seeds, and differences from supervised with intervals over test patients."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.few_labels.shares import SHARES

FILE = Path(__file__).resolve().parent / "cells.jsonl.gz"
CHOICE = FILE.with_name("steps.json")
METHODS = ("supervised", "transfer", "fixmatch", "generated")
PLAIN = "supervised"  # what every other method is held against
FIGURES = {"breast": ("auroc",), "brain": ("auroc", "accuracy")}
RESAMPLES, SEED = 1000, 0

Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Test:
    """The test pictures of a task. labels: [n]. groups: [n], number of the patient or run of slices."""

    labels: NDArray[np.int64]
    groups: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Point:
    """One place of a curve. values: of the seeds. difference: value, low, high, from supervised."""

    task: str
    figure: str
    method: str
    share: int
    values: Sequence[float]
    pictures: float
    difference: tuple[float, float, float] | None


def write(tests: Mapping[str, Test], lines: Sequence[Mapping[str, Any]]) -> None:
    """Keep test parts and cells. The same cells give the same bytes."""
    heads = [{"test": task, "labels": test.labels.tolist(), "groups": test.groups.tolist()}
             for task, test in sorted(tests.items())]  # fmt: skip
    ordered = sorted(lines, key=lambda one: (one["task"], one["method"], one["share"], one["seed"]))
    text = "\n".join(json.dumps(line, separators=(",", ":")) for line in [*heads, *ordered]) + "\n"
    with FILE.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
        packed.write(text.encode())


def read() -> tuple[dict[str, Test], list[dict[str, Any]]]:
    """What `write` kept."""
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        entries = [json.loads(line) for line in lines]
    tests = {
        one["test"]: Test(np.array(one["labels"], np.int64), np.array(one["groups"], np.int64))
        for one in entries
        if "test" in one
    }
    return tests, [one for one in entries if "task" in one]


def auroc(score: NDArray[np.float64], positive: NDArray[np.bool_], weights: Weights) -> NDArray[np.float64]:
    """Area under the curve, [draws], ties half. score, positive: [n]. weights: [draws, n]."""
    order = np.argsort(score, kind="stable")
    levels = np.flatnonzero(np.concatenate([[True], np.diff(score[order]) > 0]))
    hits = np.add.reduceat((weights * positive)[:, order], levels, axis=1)
    misses = np.add.reduceat((weights * ~positive)[:, order], levels, axis=1)
    below = np.cumsum(misses, axis=1) - misses / 2
    found: Weights = (hits * below).sum(1) / (hits.sum(1) * misses.sum(1))
    return found


def figures_of(figure: str, score: NDArray[np.float64], labels: NDArray[np.int64], weights: Weights) -> Weights:
    """[draws]. score: [n, classes - 1], logits less that of the first class. Three classes: the mean of one to rest."""
    logits = np.concatenate([np.zeros((len(score), 1)), score], axis=1)
    if figure == "accuracy":
        right = (logits.argmax(1) == labels).astype(np.float64)
        share: Weights = weights @ right / weights.sum(1)
        return share
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    if p.shape[1] == 2:  # noqa: PLR2004 - two classes, one curve
        return auroc(score[:, 0], labels == 1, weights)
    areas = np.array([auroc(p[:, kind], labels == kind, weights) for kind in range(p.shape[1])])
    macro: Weights = areas.mean(axis=0)
    return macro


def by_patient(groups: NDArray[np.int64]) -> Weights:
    """How often each picture counts, [1 + RESAMPLES, n]: once, then by patients drawn with repetition."""
    names, place = np.unique(groups, return_inverse=True)
    drawn = np.random.default_rng(SEED).multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    weights: Weights = np.concatenate([np.ones((1, len(names))), drawn])[:, place]
    return weights


def points(tests: Mapping[str, Test], lines: Sequence[Mapping[str, Any]]) -> list[Point]:
    """Every place of every curve whose cells are there.

    The difference is the mean over the seeds that both have, each its own draw of labels, on the same resamples.
    """
    found = []
    for task, test in tests.items():
        weights = by_patient(test.groups)
        for figure in FIGURES[task]:
            of = _sampled(task, figure, test, lines, weights)
            found += [_point(task, figure, method, share, of, lines) for method in METHODS for share in SHARES
                      if of(method, share)]  # fmt: skip
    return found


Sampled = Callable[[str, int], Mapping[int, Weights]]


def _sampled(task: str, figure: str, test: Test, lines: Sequence[Mapping[str, Any]], weights: Weights) -> Sampled:
    values: dict[tuple[str, int], dict[int, Weights]] = {}
    for line in lines:
        if line["task"] == task:
            score = np.array(line["score"], np.float64)
            values.setdefault((line["method"], line["share"]), {})[line["seed"]] = figures_of(
                figure, score, test.labels, weights
            )
    return lambda method, share: values.get((method, share), {})


def _point(  # noqa: PLR0917 - a place of a curve
    task: str, figure: str, method: str, share: int, of: Sampled, lines: Sequence[Mapping[str, Any]]
) -> Point:
    own, plain = of(method, share), of(PLAIN, share)
    pictures = [one["pictures"] for one in lines
                if (one["task"], one["method"], one["share"]) == (task, method, share)]  # fmt: skip
    difference = None
    if method != PLAIN and own.keys() & plain.keys():
        mean = np.mean([own[seed] - plain[seed] for seed in sorted(own) if seed in plain], axis=0)
        low, high = np.percentile(mean[1:], (2.5, 97.5))
        difference = (float(mean[0]), float(low), float(high))
    values = [float(own[seed][0]) for seed in sorted(own)]
    return Point(task, figure, method, share, values, float(np.mean(pictures)), difference)
