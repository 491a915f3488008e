"""Everything that is fitted, and what it says of notes that it did not see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

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

from services.nlp_coder.code_priors import BEGINNING, BEGINNINGS
from services.nlp_coder.ranking import LOOSE, Candidates, Hits, Stacker, alone, candidates_of, features_alone

Outputs = tuple[NDArray[np.float64], NDArray[np.float64]]
Rankings = list[dict[str, float]]
Value = TypeVar("Value")


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


@dataclass(frozen=True, slots=True)
class Rows:
    """Notes with their candidates, and the rows of their considered codes, by what has not seen the note."""

    examples: Sequence[Example]
    candidates: Sequence[Candidates]
    tables: Sequence[Considered]
    support: Calibration


@dataclass(frozen=True, slots=True)
class Split:
    """One fold held back. rest: rows of the other notes, made without it. own: its rows, by what the rest fitted."""

    held: NDArray[np.int64]
    rest: Rows
    own: Rows


def fit(examples: Sequence[Example]) -> Fitted:
    """Fit on `examples`; deterministic."""
    folds = folds_of(len(examples))
    rows = _unseen_rows(examples, folds)
    _rankings, stacker = _alone(examples, rows.candidates, folds)
    return Fitted(linear.fit(examples), term_hits(examples), rows.support, fit_trees(rows), stacker)


def cross_validated(parts: Sequence[Split]) -> Unseen:
    """Score each note by a fit that has seen nothing of its fold, in any of its steps."""
    candidates = in_order(parts, [part.own.candidates for part in parts])
    without = []
    for part in parts:
        stacker = logistic(*_features_alone(part.rest.examples, part.rest.candidates))
        without.append(_scores_alone(stacker, part.own.candidates))
    return Unseen(candidates, scored_by_trees(parts), in_order(parts, without))


def split(examples: Sequence[Example]) -> list[Split]:
    """The notes in five folds, each held back in turn. Within the rest, rows come from five folds again.

    Were rows of the rest made once for all five, with statistics of the fold that is held back, the trees could read
    its codes from them: the figures were .005 too good.
    """
    folds = folds_of(len(examples))
    parts = []
    for fold in range(FOLDS):
        held = np.flatnonzero(folds == fold)
        others = [examples[index] for index in np.flatnonzero(folds != fold)]
        rest = _unseen_rows(others, folds_of(len(others)))
        own = _rows_by(linear.fit(others), term_hits(others), rest.support, [examples[index] for index in held])
        parts.append(Split(held, rest, own))
    return parts


def in_order(parts: Sequence[Split], values: Sequence[Sequence[Value]]) -> list[Value]:
    """What belongs to the notes of each fold, in the order of all notes."""
    by_note = {
        note: value
        for part, own in zip(parts, values, strict=True)
        for note, value in zip(part.held.tolist(), own, strict=True)
    }
    return [by_note[note] for note in sorted(by_note)]


def _unseen_rows(examples: Sequence[Example], folds: NDArray[np.int64]) -> Rows:
    models, hits = [], []
    outputs: list[Outputs] = [(np.empty(0), np.empty(0))] * len(examples)
    for held in range(FOLDS):
        rest = [example for example, fold in zip(examples, folds, strict=True) if fold != held]
        models.append(linear.fit(rest))
        hits.append(term_hits(rest))
        own = np.flatnonzero(folds == held)
        scores, maxima = linear.outputs(models[held], [examples[index] for index in own])
        for row, index in enumerate(own):
            outputs[index] = scores[row], maxima[row]
    candidates = [candidates_of(example.note, hits[fold]) for example, fold in zip(examples, folds, strict=True)]
    support = _support(examples, [models[fold] for fold in folds], outputs)
    tables = [
        considered(models[fold], pair, support, own, hits[fold])
        for fold, pair, own in zip(folds, outputs, candidates, strict=True)
    ]
    return Rows(examples, candidates, tables, support)


def _rows_by(model: Linear, hits: Hits, support: Calibration, examples: Sequence[Example]) -> Rows:
    """Rows of notes that none of these has seen."""
    candidates = [candidates_of(example.note, hits) for example in examples]
    outputs = zip(*linear.outputs(model, examples), strict=True)
    tables = [considered(model, pair, support, own, hits) for pair, own in zip(outputs, candidates, strict=True)]
    return Rows(examples, candidates, tables, support)


def apply(fitted: Fitted, examples: Sequence[Example]) -> Unseen:
    """Score notes that `fitted` has not seen."""
    rows = _rows_by(fitted.linear, fitted.hits, fitted.support, examples)
    return Unseen(list(rows.candidates), _by_trees(fitted.trees, rows), _scores_alone(fitted.alone, rows.candidates))


def term_hits(examples: Sequence[Example]) -> dict[str, tuple[int, int]]:
    """What `ranking.Hits` says, of these notes."""
    seen: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for example in examples:
        keys = {(LOOSE + found.mention.code, found.mention.code) for found in example.note.loose}
        for code, entry in example.note.evidence.items():
            keys |= {(f"{read.phrase}\t{code}", code) for read in entry.patients}
            if entry.patients:
                keys.add((code, code))
                above = [BEGINNING + code[:length] for length in BEGINNINGS]
                seen.update(above)
                right.update(above if code in example.gold else ())
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


def fit_trees(rows: Rows) -> Trees:
    """The trees of these notes."""
    return trees.fit(np.concatenate([table.rows for table in rows.tables]), truth_of(rows))


def scored_by_trees(parts: Sequence[Split]) -> Rankings:
    """Scores of each note by trees of the other folds."""
    return in_order(parts, [_by_trees(fit_trees(part.rest), part.own) for part in parts])


def _by_trees(forest: Trees, rows: Rows) -> Rankings:
    values = forest.probability(np.concatenate([table.rows for table in rows.tables]))
    return rankings_of([table.codes for table in rows.tables], values)


def truth_of(rows: Rows) -> NDArray[np.bool_]:
    """Which of the considered codes are gold."""
    return _truth(rows.examples, [table.codes for table in rows.tables])


def _features_alone(
    examples: Sequence[Example], candidates: Sequence[Candidates]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    features = np.concatenate([features_alone(own) for own in candidates])
    return features, _truth(examples, [own.codes for own in candidates])


def _scores_alone(stacker: Stacker, candidates: Sequence[Candidates]) -> Rankings:
    return [dict(zip(own.codes, alone(stacker, own).tolist(), strict=True)) for own in candidates]


def _alone(
    examples: Sequence[Example], candidates: Sequence[Candidates], folds: NDArray[np.int64]
) -> tuple[Rankings, Stacker]:
    features, truth = _features_alone(examples, candidates)
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
