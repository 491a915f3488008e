"""Everything that is fitted, and what it says of notes that it did not see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import calibration
import evaluation
import linear
import numpy as np
import trees
from calibration import Calibration
from corpus import FOLDS, Example, folds_of
from linear import Linear
from numpy.typing import NDArray
from rows import Considered, considered
from sklearn.linear_model import LogisticRegression
from trees import Trees

from services.nlp_coder.evidence import gathered
from services.nlp_coder.ranking import LOOSE, Candidates, Hits, Stacker, alone, candidates_of, features_alone

Outputs = tuple[NDArray[np.float64], NDArray[np.float64]]
Rankings = list[dict[str, float]]


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is written. support: calibration of the text's part; alone: without the model."""

    linear: Linear
    hits: Hits
    support: Calibration
    trees: Trees
    alone: Stacker


@dataclass(frozen=True, slots=True)
class Unseen:
    """What was said of each note by what had not seen it: its candidates, and scores by code."""

    candidates: list[Candidates]
    with_model: Rankings
    alone: Rankings


def fit(examples: Sequence[Example]) -> tuple[Fitted, Unseen]:
    """Fit on `examples`, and score each of them by five-fold cross-validation; deterministic."""
    folds = folds_of(len(examples))
    text = _unseen_text(examples, folds)
    tables = _tables(text)
    rankings, forest = with_trees(examples, tables, folds)
    alone_rankings, stacker = _alone(examples, text.candidates, folds)
    fitted = Fitted(linear.fit(examples), term_hits(examples), text.support, forest, stacker)
    return fitted, Unseen(text.candidates, rankings, alone_rankings)


@dataclass(frozen=True, slots=True)
class _Text:
    """Of each note: the model and statistics that did not see it, its outputs, and its candidates."""

    models: list[Linear]
    outputs: list[Outputs]
    candidates: list[Candidates]
    support: Calibration


def _unseen_text(examples: Sequence[Example], folds: NDArray[np.int64]) -> _Text:
    fold_linear, fold_hits = [], []
    outputs: list[Outputs] = [(np.empty(0), np.empty(0))] * len(examples)
    for held in range(FOLDS):
        rest = [example for example, fold in zip(examples, folds, strict=True) if fold != held]
        fold_linear.append(linear.fit(rest))
        fold_hits.append(term_hits(rest))
        own = np.flatnonzero(folds == held)
        scores, maxima = linear.outputs(fold_linear[held], [examples[index] for index in own])
        for row, index in enumerate(own):
            outputs[index] = scores[row], maxima[row]
    models = [fold_linear[fold] for fold in folds]
    candidates = [candidates_of(example.note, fold_hits[fold]) for example, fold in zip(examples, folds, strict=True)]
    return _Text(models, outputs, candidates, _support(examples, models, outputs))


def _tables(text: _Text) -> list[Considered]:
    parts = zip(text.models, text.outputs, text.candidates, strict=True)
    return [considered(model, outputs, text.support, own) for model, outputs, own in parts]


def unseen_tables(examples: Sequence[Example], folds: NDArray[np.int64]) -> list[Considered]:
    """Rows of each note's considered codes, by what has not seen the note."""
    return _tables(_unseen_text(examples, folds))


def apply(fitted: Fitted, examples: Sequence[Example]) -> Unseen:
    """Score notes that `fitted` has not seen."""
    candidates = [candidates_of(example.note, fitted.hits) for example in examples]
    outputs = zip(*linear.outputs(fitted.linear, examples), strict=True)
    with_model = []
    for pair, own in zip(outputs, candidates, strict=True):
        table = considered(fitted.linear, pair, fitted.support, own)
        with_model.append(dict(zip(table.codes, fitted.trees.probability(table.rows).tolist(), strict=True)))
    without = [dict(zip(own.codes, alone(fitted.alone, own).tolist(), strict=True)) for own in candidates]
    return Unseen(candidates, with_model, without)


def term_hits(examples: Sequence[Example]) -> dict[str, tuple[int, int]]:
    """What `ranking.Hits` says, of these notes."""
    seen: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for example in examples:
        keys = {(LOOSE + found.mention.code, found.mention.code) for found in example.note.loose}
        for code, entry in gathered(example.note.mentions).items():
            keys |= {(f"{read.phrase}\t{code}", code) for read in entry.patients}
            keys |= {(code, code)} if entry.patients else set()
        seen.update(key for key, _code in keys)
        right.update(key for key, code in keys if code in example.gold)
    return {key: (right[key], count) for key, count in sorted(seen.items())}


def _support(examples: Sequence[Example], models: Sequence[Linear], outputs: Sequence[Outputs]) -> Calibration:
    features, truth = [], []
    for example, model, (scores, maxima) in zip(examples, models, outputs, strict=True):
        count = len(model.codes)
        place = {name: count + index for index, name in enumerate(model.categories)}
        category = scores[[place[code[:3]] for code in model.codes]]
        features.append(calibration.code_features(scores[:count], category, maxima, model.priors[:count]))
        truth.append(np.array([code in example.gold for code in model.codes]))
    return calibration.fit(np.concatenate(features), np.concatenate(truth))


def with_trees(
    examples: Sequence[Example], tables: Sequence[Considered], folds: NDArray[np.int64]
) -> tuple[Rankings, Trees]:
    """Scores by trees that have not seen the note, and the trees of all notes."""
    rows = np.concatenate([table.rows for table in tables])
    truth = _truth(examples, [table.codes for table in tables])
    fold = np.repeat(folds, [len(table.codes) for table in tables])
    values = np.zeros(len(rows))
    for held in range(FOLDS):
        values[fold == held] = trees.fit(rows[fold != held], truth[fold != held]).probability(rows[fold == held])
    return rankings_of([table.codes for table in tables], values), trees.fit(rows, truth)


def _alone(
    examples: Sequence[Example], candidates: Sequence[Candidates], folds: NDArray[np.int64]
) -> tuple[Rankings, Stacker]:
    features = np.concatenate([features_alone(own) for own in candidates])
    truth = _truth(examples, [own.codes for own in candidates])
    fold = np.repeat(folds, [len(own.codes) for own in candidates])
    values: list[NDArray[np.float64]] = []
    stackers = [logistic(features[fold != held], truth[fold != held]) for held in range(FOLDS)]
    values = [alone(stackers[held], own) for held, own in zip(folds, candidates, strict=True)]
    rankings = rankings_of([own.codes for own in candidates], np.concatenate(values))
    threshold = evaluation.best_threshold(rankings, [example.gold for example in examples])
    return rankings, replace(logistic(features, truth), threshold=threshold)


def logistic(features: NDArray[np.float64], truth: NDArray[np.bool_]) -> Stacker:
    """Logistic regression over standardised features, without a threshold."""
    means, scales = features.mean(axis=0), features.std(axis=0) + 1e-9
    model = LogisticRegression(C=1.0, max_iter=1000).fit((features - means) / scales, truth)
    return Stacker(means, scales, model.coef_[0], float(model.intercept_[0]), 0.0)


def _truth(examples: Sequence[Example], codes: Sequence[Sequence[str]]) -> NDArray[np.bool_]:
    return np.array([code in example.gold for example, own in zip(examples, codes, strict=True) for code in own])


def rankings_of(codes: Sequence[Sequence[str]], values: NDArray[np.float64]) -> Rankings:
    """Scores by code of each note. values: of all notes, one after the other."""
    ends = np.cumsum([len(own) for own in codes])[:-1]
    parts = np.split(values, ends)
    return [dict(zip(own, part.tolist(), strict=True)) for own, part in zip(codes, parts, strict=True)]
