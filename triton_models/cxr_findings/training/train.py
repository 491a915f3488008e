"""Train, judge and export `cxr_findings`: python triton_models/cxr_findings/training/train.py (or make train).

Reads VIGIL_TRAINING_DATA (default ../shared/data). Fixed seed; same data and package versions, same model.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from card import write_tables
from evaluation import lowest_threshold, reliability, summary
from films import Film, adult_films, child_films, inputs
from foreign import crops, shares_in_scope
from kept import kept
from network import FEATURES, INNER, SIDE, Features, Findings, export, session
from numpy.typing import NDArray
from publish import MODEL, OUTPUTS, Point, default_point, publish
from scope_check import Population, ScopeCheck, fit_scope, held_out
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from torch import nn

from services.image_router.preprocessing import model_input, stretched

SEED = 7
FOLDS = 5
STRENGTHS = (0.0005, 0.001, 0.003)  # inverse L2 penalties that cross-validation chooses from
ADULT_WEIGHT = 4.0  # the few adult films count as much as several children's, or their problem drowns
SPECIFICITY = 0.85  # operating point of pneumonia, in each population
MISSED = 0.05  # share of pneumonia films that may be called no_finding, in each population
CONFIRMED = 0.95  # specificity of the point for confirming, in each population
BASELINE_FILMS = 150  # normal films of each population that the heat map is compared with
FOREIGN = 40  # pictures a kind
CHILDREN_SHARE = 2  # every second child is enough beside four hundred adults

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Table:
    """Films as numbers.

    features: (n, FEATURES). twins: (m, FEATURES), films with left and right exchanged; twin_of: (m,), their rows.
    """

    films: list[Film]
    features: Floats
    twins: Floats
    twin_of: NDArray[np.int64]

    @property
    def truth(self) -> NDArray[np.bool_]:
        return np.array([film.positive for film in self.films])

    @property
    def adult(self) -> NDArray[np.bool_]:
        return np.array([film.population == "adult" for film in self.films])

    @property
    def views(self) -> NDArray[np.str_]:
        """Of children unknown."""
        return np.array([film.view for film in self.films])

    @property
    def patients(self) -> NDArray[np.str_]:
        return np.array([film.patient for film in self.films])


class Extractor:
    """Pictures to features, through the network that is exported."""

    def __init__(self, threads: int, network: nn.Module | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "features.onnx"
        export(network or Features(), path, ["features"])
        self._session = session(path, threads)

    def features(self, pictures: list[NDArray[np.float32]], *, mirror: bool = False) -> Floats:
        """(n, FEATURES)."""
        return self.of_inputs(one[:, ::-1] if mirror else one for one in inputs(pictures, SIDE))

    def of_inputs(self, inputs: Iterable[NDArray[np.float32]]) -> Floats:
        """(n, FEATURES), of inputs that are made already, each (SIDE, SIDE)."""
        rows = [self._session.run(None, {"image": np.ascontiguousarray(one)[None, None]})[0][0] for one in inputs]
        return np.array(rows, np.float64)

    def table(self, adults: list[Film], children: list[Film], part: str = "train") -> Table:
        """The few adult films also have twins. part: names what is kept of the children."""
        own = [
            kept("adult_plain", lambda: self.features([film.grey for film in adults]))
            if adults
            else np.zeros((0, FEATURES)),
            kept(f"child_{part}_plain", lambda: self.features([film.grey for film in children])),
        ]
        twins = kept("adult_twins", lambda: self.features([film.grey for film in adults], mirror=True))
        return Table(adults + children, np.vstack(own), twins[: len(adults)], np.arange(len(adults)))


def some_children(films: list[Film]) -> list[Film]:
    """Every film of every `CHILDREN_SHARE`-th person."""
    patients = sorted({film.patient for film in films})[::CHILDREN_SHARE]
    chosen = set(patients)
    return [film for film in films if film.patient in chosen]


@dataclass(frozen=True, slots=True)
class Linear:
    """logit = features @ weights + bias."""

    weights: Floats
    bias: float

    def __call__(self, features: Floats) -> Floats:
        return features @ self.weights + self.bias


def class_weights(table: Table) -> Floats:
    """Each class of a population counts the same, in each view; adults `ADULT_WEIGHT` times children.

    Pneumonia is commoner among the adults' films taken from behind: without that a view would speak for it.
    """
    weights = np.zeros(len(table.films))
    for adult in (True, False):
        views = np.unique(table.views[table.adult == adult])
        for view in views:
            for positive in (True, False):
                chosen = (table.adult == adult) & (table.truth == positive) & (table.views == view)
                weights[chosen] = (ADULT_WEIGHT if adult else 1.0) / max(chosen.sum(), 1) / len(views)
    return weights * len(weights) / weights.sum()


def fit(table: Table, rows: NDArray[np.int64], strength: float) -> Linear:
    """Logistic regression on features scaled by the adults' spread; twins share the weight of their film."""
    adults = table.features[rows][table.adult[rows]]
    mean, scale = adults.mean(0), adults.std(0) + 1e-6
    twins = np.isin(table.twin_of, rows)
    of = np.concatenate([rows, table.twin_of[twins]])
    x = (np.vstack([table.features[rows], table.twins[twins]]) - mean) / scale
    shared = class_weights(table)[of] / (1 + np.isin(of, table.twin_of))
    model = LogisticRegression(C=strength, max_iter=400, tol=1e-4).fit(x, table.truth[of], sample_weight=shared)
    coefficients = model.coef_[0] / scale
    return Linear(coefficients, float(model.intercept_[0] - coefficients @ mean))


def folds(table: Table) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """By patient, every fold with both classes of both populations."""
    strata = table.truth + 2 * table.adult
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    return list(splitter.split(table.features, strata, table.patients))


def out_of_fold(table: Table, strength: float) -> Floats:
    logits = np.zeros(len(table.films))
    for train, test in folds(table):
        logits[test] = fit(table, train, strength)(table.features[test])
    return logits


def calibrator(logits: Floats, table: Table, rows: NDArray[np.int64]) -> tuple[float, float]:
    """Platt (1999): slope and intercept, each class of a population counting the same (prevalence one half)."""
    weights = class_weights(table)[rows]
    model = LogisticRegression(C=1e6).fit(logits[rows, None], table.truth[rows], sample_weight=weights)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def calibrated_out_of_fold(logits: Floats, table: Table) -> Floats:
    """Probabilities whose calibrator never saw the patient either."""
    p = np.zeros(len(logits))
    for train, test in folds(table):
        slope, intercept = calibrator(logits, table, train)
        p[test] = sigmoid(slope * logits[test] + intercept)
    return p


def sigmoid(x: Floats) -> Floats:
    """Logistic function."""
    result: Floats = 1 / (1 + np.exp(-x))
    return result


def thresholds_of(p: Floats, table: Table) -> tuple[float, float]:
    """Of pneumonia and of no_finding: each population keeps `SPECIFICITY` and `MISSED`."""
    pneumonia, no_finding = [], []
    for chosen in (table.adult, ~table.adult):
        pneumonia.append(lowest_threshold(p[chosen & ~table.truth], SPECIFICITY))
        no_finding.append(lowest_threshold(1 - p[chosen & table.truth], 1 - MISSED))
    return _up(max(pneumonia)), _up(max(no_finding))


def _up(point: float) -> float:
    """To four digits, so that what the point promises is kept."""
    return math.ceil(point * 10_000) / 10_000


def points_of(p: Floats, table: Table, thresholds: tuple[float, float]) -> dict[str, Point]:
    """For ruling out and screening pneumonia is positive wherever it is not `MISSED`; for confirming, `CONFIRMED`."""
    no_finding = thresholds[1]
    low = round(1 - no_finding, 4)
    confirming = _up(max(lowest_threshold(p[of & ~table.truth], CONFIRMED) for of in (table.adult, ~table.adult)))
    return {
        "high_sensitivity": ((low, no_finding), (low, no_finding)),
        "high_specificity": ((confirming, no_finding), (low, round(1 - confirming, 4))),
    }


def at_points(p: Floats, table: Table, points: dict[str, Point]) -> dict[str, Any]:
    """Sensitivity, specificity and share that cannot be told, by point and population."""
    made: dict[str, Any] = {}
    for name, (thresholds, lows) in points.items():
        for population, of in (("adult", table.adult), ("child", ~table.adult)):
            told, truth = p[of], table.truth[of]
            made.setdefault(name, {})[population] = {
                "sensitivity": round(float((told[truth] >= thresholds[0]).mean()), 4),
                "specificity": round(float((told[~truth] < thresholds[0]).mean()), 4),
                "cannot_tell": round(float(((told >= lows[0]) & (told < thresholds[0])).mean()), 4),
                "pneumonia_called_negative": round(float((told[truth] < lows[0]).mean()), 4),
            }
    return made


def brightness_probe(films: list[Film], pictures: list[NDArray[np.float32]]) -> float:
    """AUROC, patient-wise, of five grey-level statistics of adults' pictures, by the better of two learners."""
    x = np.array([[q.mean(), q.std(), *np.quantile(q, [0.1, 0.5, 0.9])] for q in pictures])
    y, patients = np.array([f.positive for f in films]), np.array([f.patient for f in films])
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    x = (x - x.mean(0)) / (x.std(0) + 1e-9)
    learners = LogisticRegression(), RandomForestClassifier(200, min_samples_leaf=5, random_state=SEED)
    scores = [
        cross_val_predict(learner, x, y, groups=patients, cv=splitter, method="predict_proba")[:, 1]
        for learner in learners
    ]
    return round(max(float(roc_auc_score(y, score)) for score in scores), 4)


def by_group(table: Table, p: Floats, thresholds: tuple[float, float]) -> dict[str, Any]:
    """Summaries of the populations and, for adults, of age bands, sex and view."""
    ages = np.array([film.age if film.age is not None else -1 for film in table.films])
    sexes, views = (np.array([getattr(film, name) for film in table.films]) for name in ("sex", "view"))
    groups = {"adult": table.adult, "child": ~table.adult}
    for low, high in ((0, 18), (18, 40), (40, 65), (65, 120)):
        groups[f"nih_age_{low}_to_{high - 1}"] = (ages >= low) & (ages < high)
    groups |= {f"nih_sex_{sex}": sexes == sex for sex in ("F", "M")}
    groups |= {f"nih_view_{view}": views == view for view in ("PA", "AP")}
    return {
        name: summary(table.truth[chosen], p[chosen], table.patients[chosen], thresholds)
        for name, chosen in groups.items()
    }


@dataclass(frozen=True, slots=True)
class Judged:
    """What cross-validation chose and found. p: out-of-fold calibrated probabilities."""

    strength: float
    logits: Floats
    p: Floats
    thresholds: tuple[float, float]
    points: dict[str, Point]
    report: dict[str, Any]


def judge(table: Table) -> Judged:
    """Choose the penalty by the adults' out-of-fold AUROC, then calibration and operating points."""
    tried = {strength: out_of_fold(table, strength) for strength in STRENGTHS}
    auroc = {s: float(roc_auc_score(table.truth[table.adult], logits[table.adult])) for s, logits in tried.items()}
    strength = max(auroc, key=lambda s: auroc[s])
    p = calibrated_out_of_fold(tried[strength], table)
    thresholds = thresholds_of(p, table)
    points = points_of(p, table, thresholds)
    adults = [film for film in table.films if film.population == "adult"]
    seen = list(inputs((film.grey for film in adults), SIDE))
    edge = round(SIDE * (1 - INNER) / 2)
    report = {
        "cross_validation": by_group(table, p, thresholds),
        "reliability_adult": reliability(table.truth[table.adult], p[table.adult]),
        "reliability_child": reliability(table.truth[~table.adult], p[~table.adult]),
        "brightness_probe_adult_auroc": {
            "as_sent": brightness_probe(adults, [stretched(film.grey) for film in adults]),
            "as_the_model_sees_it": brightness_probe(adults, seen),
            "as_the_model_pools_it": brightness_probe(adults, [one[edge:-edge, edge:-edge] for one in seen]),
        },
        "strengths_tried_adult_auroc": {str(s): round(value, 4) for s, value in auroc.items()},
        "chosen_strength": strength,
        "operating_points": at_points(p, table, {"default": default_point(thresholds)} | points),
    }
    return Judged(strength, tried[strength], p, thresholds, points, report)


def mean_heatmap(module: Findings, table: Table, threads: int) -> Floats:
    """(20, 20), over normal films, both populations counting the same."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "findings.onnx"
        export(module, path, OUTPUTS)
        network = session(path, threads)
    means = []
    for group in (table.adult, ~table.adult):
        greys = [table.films[row].grey for row in np.flatnonzero(group & ~table.truth)[:BASELINE_FILMS]]
        maps = [network.run(["heatmap"], {"image": model_input(grey, SIDE)[None]})[0][0] for grey in greys]
        means.append(np.mean(maps, 0))
    return np.asarray(np.mean(means, 0), np.float64)


def population(extractor: Extractor, table: Table) -> Population:
    """What the scope check learns from: the films, some of them with black and white exchanged, and parts of these."""
    children = np.flatnonzero(~table.adult)
    of = np.concatenate([table.twin_of, children[:: max(1, len(children) // len(table.twin_of))]])
    inverted = kept("inverted", lambda: extractor.features([1 - table.films[row].grey for row in of]))
    cropped = kept("cropped", lambda: extractor.features(crops([table.films[row].grey for row in of], SEED)))
    return Population(table.features, table.adult, inverted, cropped, of)


def accepted(scope: ScopeCheck, features: Floats) -> float:
    """Share of pictures in scope."""
    return round(float((scope(features) <= 1).mean()), 4)


def main() -> None:
    """Judge by cross-validation, train on everything, look once at the children's test part, export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "1")))
    threads = parser.parse_args().threads
    torch.set_num_threads(threads)
    extractor = Extractor(threads)
    print("reading the films")
    table = extractor.table(adult_films(), some_children(child_films("train")))
    print("cross-validation")
    judged = judge(table)
    everything = np.arange(len(table.films))
    slope, intercept = calibrator(judged.logits, table, everything)
    linear = fit(table, everything, judged.strength)
    final = Linear(linear.weights * slope, linear.bias * slope + intercept)
    print("scope")
    known = population(extractor, table)
    scope = fit_scope(known)
    last = extractor.table([], child_films("test"), "test")
    adults = [film.grey for film in table.films if film.population == "adult"]
    shares = shares_in_scope("chest_film", adults, lambda shown: scope(extractor.features(shown)) <= 1, FOREIGN, SEED)
    metrics = judged.report | {
        "last_look_kermany_test": summary(last.truth, sigmoid(final(last.features)), last.patients, judged.thresholds),
        "scope_held_out": held_out(known, folds(table)),
        "scope_accepted_kermany_test": accepted(scope, last.features),
        "scope_kinds": shares,
    }
    baseline = mean_heatmap(Findings(final.weights, final.bias, scope.arrays()), table, threads)
    publish(Findings(final.weights, final.bias, scope.arrays(), baseline), judged.thresholds, judged.points, metrics)
    write_tables(MODEL)
    print(json.dumps(metrics, indent=1))


if __name__ == "__main__":
    main()
