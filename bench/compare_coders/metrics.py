"""Figures of ranked and of chosen codes, for all notes and for resamples of them.

A resample is a row of weights [notes]: how often each note was drawn. A row of ones gives the figure itself, so one
set of functions serves the value and its interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONGEST_RANKING = 100

Ranking = Sequence[tuple[str, float]]  # best first
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def average_precision(ranking: Ranking, gold: frozenset[str]) -> float:
    """Average precision of the first 100 codes, over all gold codes (CLEF eHealth 2020); 0 for a note without any.

    Codes of equal score count in the order they come in.
    """
    right, total = 0, 0.0
    for rank, (code, _score) in enumerate(ranking[:LONGEST_RANKING], start=1):
        if code in gold:
            right += 1
            total += right / rank
    return total / len(gold) if gold else 0.0


def precision_at(ranking: Ranking, gold: frozenset[str], rank: int) -> float:
    """Share of the first `rank` places that hold a gold code; a place left empty is wrong."""
    return sum(code in gold for code, _score in ranking[:rank]) / rank


def best_threshold(scores: Floats, right: Bools, wanted: int) -> float:
    """The score from which on to choose for the highest micro-F1; infinite when nothing is right.

    scores, right: [proposed pairs of note and code]. wanted: number of gold codes of these notes.
    """
    if not right.any():
        return float("inf")
    order = np.argsort(-scores, kind="stable")
    scores, counted = scores[order], right[order].cumsum()
    f1 = 2 * counted / (np.arange(1, len(counted) + 1) + wanted)
    is_last_of_its_score = np.append(scores[1:] < scores[:-1], [True])
    return float(scores[np.where(is_last_of_its_score, f1, 0.0).argmax()])


def held_out_thresholds(
    rankings: Sequence[Ranking], golds: Sequence[frozenset[str]], folds: NDArray[np.int64]
) -> dict[int, float]:
    """For each fold, the best threshold of the other folds' notes."""
    pairs = list(zip(rankings, golds, strict=True))
    scores = np.array([score for ranking in rankings for _code, score in ranking])
    right = np.array([code in gold for ranking, gold in pairs for code, _score in ranking], dtype=np.bool_)
    fold_of_pair = np.repeat(folds, [len(ranking) for ranking in rankings])
    wanted = np.array([len(gold) for gold in golds])
    chosen = {}
    for fold in np.unique(folds).tolist():
        rest = fold_of_pair != fold
        chosen[fold] = best_threshold(scores[rest], right[rest], int(wanted[folds != fold].sum()))
    return chosen


@dataclass(frozen=True, slots=True)
class Judged:
    """What one system did, note by note.

    ranked: figure of the ranking by name, [notes]. gold, chosen: [notes, codes]; columns are all codes that are gold
    or chosen anywhere. seen: [notes, codes], in how many notes of its training folds the code is gold.
    """

    ranked: Mapping[str, Floats]
    gold: Bools
    chosen: Bools
    seen: NDArray[np.int64]


def picked(
    rankings: Sequence[Ranking], folds: NDArray[np.int64], thresholds: Mapping[int, float]
) -> list[frozenset[str]]:
    """Of each note the codes from the threshold of its fold on."""
    return [
        frozenset(code for code, score in ranking if score >= thresholds[fold])
        for ranking, fold in zip(rankings, folds.tolist(), strict=True)
    ]


def judge(
    rankings: Sequence[Ranking],
    golds: Sequence[frozenset[str]],
    folds: NDArray[np.int64],
    picked: Sequence[frozenset[str]],
) -> Judged:
    """Compare each note's ranking, and the codes picked for it, with its gold codes."""
    codes = sorted(frozenset().union(*golds, *picked))
    gold, chosen = _marked(golds, codes), _marked(picked, codes)
    by_fold = {fold: gold[folds != fold].sum(axis=0) for fold in np.unique(folds).tolist()}
    pairs = list(zip(rankings, golds, strict=True))
    ranked = {
        "map": np.array([average_precision(ranking, own) for ranking, own in pairs]),
        "p_at_5": np.array([precision_at(ranking, own, 5) for ranking, own in pairs]),
        "p_at_15": np.array([precision_at(ranking, own, 15) for ranking, own in pairs]),
    }
    return Judged(ranked, gold, chosen, np.array([by_fold[fold] for fold in folds.tolist()]))


def _marked(sets: Sequence[frozenset[str]], codes: Sequence[str]) -> Bools:
    """[sets, codes], True where the set has the code."""
    column = {code: index for index, code in enumerate(codes)}
    marked = np.zeros((len(sets), len(codes)), dtype=np.bool_)
    for row, own in enumerate(sets):
        marked[row, [column[code] for code in own]] = True
    return marked


def ranking_figures(judged: Judged, weights: Floats) -> dict[str, Floats]:
    """MAP and precision at 5 and 15, [resamples]. weights: [resamples, notes]."""
    notes = weights.sum(axis=1)
    return {name: weights @ values / notes for name, values in judged.ranked.items()}


def micro_figures(gold: Bools, chosen: Bools, weights: Floats) -> dict[str, Floats]:
    """Precision, recall and F1 of all pairs of note and code together, [resamples]."""
    right = weights @ (gold & chosen).sum(axis=1)
    proposed, wanted = weights @ chosen.sum(axis=1), weights @ gold.sum(axis=1)
    return {
        "precision": right / np.maximum(proposed, 1),
        "recall": right / np.maximum(wanted, 1),
        "f1": 2 * right / np.maximum(proposed + wanted, 1),
    }


def macro_figures(gold: Bools, chosen: Bools, weights: Floats) -> dict[str, Floats]:
    """Precision, recall, F1 and accuracy a code, each the plain mean over the codes that are gold there, [resamples].

    Precision of a code that is never chosen is 0.
    """
    own = gold.any(axis=0)
    gold, chosen = gold[:, own], chosen[:, own]
    counts = weights.astype(np.float32)  # whole numbers up to the number of notes: exact, and half the work
    right, proposed, wanted = (counts @ part.astype(np.float32) for part in (gold & chosen, chosen, gold))
    there = wanted > 0
    each = {
        "precision": right / np.maximum(proposed, 1),
        "recall": right / np.maximum(wanted, 1),
        "f1": 2 * right / np.maximum(proposed + wanted, 1),
        "accuracy": 1 - (proposed + wanted - 2 * right) / counts.sum(axis=1, keepdims=True),
    }
    codes = np.maximum(there.sum(axis=1), 1)
    return {name: (values * there).sum(axis=1, dtype=np.float64) / codes for name, values in each.items()}
