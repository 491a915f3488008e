"""Train `icd_coder` on CodiEsp: choose by cross-validation on the training notes, look at the dev notes once.

VIGIL_TRAINING_DATA=../shared/data python triton_models/icd_coder/training/train.py
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = Path(__file__).resolve().parent
MODEL = HERE.parent
sys.path[:0] = [str(HERE), str(HERE.parents[2]), str(HERE.parents[2] / "generated")]

import calibration  # noqa: E402 - after the path
import corpus  # noqa: E402
import evaluation  # noqa: E402
import graph  # noqa: E402
import linear  # noqa: E402
import numpy as np  # noqa: E402
import stacking  # noqa: E402
from calibration import Calibration  # noqa: E402
from corpus import Example  # noqa: E402
from linear import Linear  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from services.nlp_coder.evidence import contradicted_categories  # noqa: E402
from services.nlp_coder.ranking import ModelView, Stacker, scores  # noqa: E402
from services.nlp_coder.reading import load_reader  # noqa: E402


def main() -> None:
    """Write model.onnx, assets/, metrics.json and config.pbtxt."""
    data = Path(os.environ.get("VIGIL_TRAINING_DATA", "../shared/data")) / "codiesp"
    reader = load_reader()
    train = corpus.load(data / "train.jsonl.gz", reader)
    print(f"{len(train)} training notes", flush=True)
    folds = corpus.folds_of(len(train))
    raw, hits = _held_out(train, folds)
    codes, categories = _calibrations(train, raw)
    views = [_view(model, scores_, maxima, codes, categories) for model, scores_, maxima in raw]
    together = stacking.Candidates(train, views, hits)
    alone = stacking.without_model(train, hits)
    golds = [example.gold for example in train]
    frequency = Counter(code for gold in golds for code in gold)
    report, stackers = {}, {}
    for name, candidates in (("with_model", together), ("dictionary_alone", alone)):
        rankings = stacking.cross_validated(candidates, folds)
        threshold = evaluation.best_threshold(rankings, golds)
        stackers[name] = replace(stacking.fit(candidates.features, candidates.truth), threshold=threshold)
        report[name] = evaluation.report(rankings, golds, threshold, frequency)
        _say("cross-validation", name, report[name])
    trained = Trained(
        linear.fit(train), stacking.term_hits(train), codes, categories, stackers, reader.code_set.version
    )
    looked = _look_at_dev(corpus.load(data / "dev.jsonl.gz", reader), trained, frequency, reader.chronic)
    _write(trained)
    _write_metrics(report, looked, trained)


@dataclass(frozen=True, slots=True)
class Trained:
    """All that is written."""

    linear: Linear
    hits: stacking.Hits
    codes: Calibration
    categories: Calibration
    stackers: dict[str, Stacker]
    code_set_version: str


Raw = tuple[Linear, NDArray[np.float64], NDArray[np.float64]]


def _held_out(train: list[Example], folds: NDArray[np.int64]) -> tuple[list[Raw], list[stacking.Hits]]:
    """For each note, the outputs of a model and the term statistics that did not see it."""
    raw: list[Raw | None] = [None] * len(train)
    hits: list[stacking.Hits] = [{}] * len(train)
    for held in range(corpus.FOLDS):
        rest = [example for example, fold in zip(train, folds, strict=True) if fold != held]
        model, statistics = linear.fit(rest), stacking.term_hits(rest)
        own = np.flatnonzero(folds == held)
        scores_, maxima = linear.outputs(model, [train[index] for index in own])
        for row, index in enumerate(own):
            raw[index], hits[index] = (model, scores_[row], maxima[row]), statistics
    return [entry for entry in raw if entry is not None], hits


def _calibrations(train: list[Example], raw: list[Raw]) -> tuple[Calibration, Calibration]:
    code_parts, code_truth, category_parts, category_truth = [], [], [], []
    for example, (model, scores_, maxima) in zip(train, raw, strict=True):
        above = {code[:3] for code in example.gold}
        code_parts.append(_code_features(model, scores_, maxima))
        code_truth.append(np.array([code in example.gold for code in model.codes]))
        count = len(model.codes)
        category_parts.append(calibration.category_features(scores_[count:], model.priors[count:]))
        category_truth.append(np.array([name in above for name in model.categories]))
    return (
        calibration.fit(np.concatenate(code_parts), np.concatenate(code_truth)),
        calibration.fit(np.concatenate(category_parts), np.concatenate(category_truth)),
    )


def _code_features(model: Linear, scores_: NDArray[np.float64], maxima: NDArray[np.float64]) -> NDArray[np.float64]:
    count = len(model.codes)
    place = {name: count + index for index, name in enumerate(model.categories)}
    category = scores_[[place[code[:3]] for code in model.codes]]
    return calibration.code_features(scores_[:count], category, maxima, model.priors[:count])


def _view(
    model: Linear,
    scores_: NDArray[np.float64],
    maxima: NDArray[np.float64],
    codes: Calibration,
    categories: Calibration,
) -> ModelView:
    count = len(model.codes)
    features = calibration.category_features(scores_[count:], model.priors[count:])
    return ModelView(
        dict(zip(model.codes, calibration.probability(codes, _code_features(model, scores_, maxima)), strict=True)),
        dict(zip(model.categories, calibration.probability(categories, features), strict=True)),
    )


def _look_at_dev(
    dev: list[Example], trained: Trained, frequency: Counter[str], chronic: frozenset[str]
) -> dict[str, object]:
    all_scores, maxima = linear.outputs(trained.linear, dev)
    rows = zip(all_scores, maxima, strict=True)
    views = [_view(trained.linear, *row, trained.codes, trained.categories) for row in rows]
    golds = [example.gold for example in dev]
    hits = [trained.hits] * len(dev)
    denied = [contradicted_categories(example.mentions, chronic) for example in dev]
    sets = {
        "with_model": stacking.Candidates(dev, views, hits),
        "dictionary_alone": stacking.without_model(dev, hits),
    }
    looked = {}
    for name, candidates in sets.items():
        stacker = trained.stackers[name]
        rankings = candidates.rankings(scores(stacker, candidates.features))
        looked[name] = evaluation.report(rankings, golds, stacker.threshold, frequency)
        served = candidates.as_served(scores(stacker, candidates.features), stacker.threshold, denied)
        looked[f"{name}_as_served"] = evaluation.report(served, golds, stacker.threshold, frequency)
        for system in (name, f"{name}_as_served"):
            _say("dev", system, looked[system])
    return looked


def _write(trained: Trained) -> None:
    model, assets = trained.linear, MODEL / "assets"
    assets.mkdir(exist_ok=True)
    path = MODEL / "1" / "model.onnx"
    graph.build(model, trained.codes, trained.categories, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    contents = {
        "vocabulary": {term: round(model.idf[index], 6) for term, index in model.ids.items()},
        "labels": {
            "codes": model.codes,
            "categories": model.categories,
            "least_length": model.least_length,
            "code_set_version": trained.code_set_version,
            "model_sha256": digest,
        },
        "stacker": {name: stacking.as_json(stacker) for name, stacker in trained.stackers.items()},
        "term_hits": trained.hits,
    }
    for name, content in contents.items():
        text = json.dumps(content, ensure_ascii=False, indent=0)
        (assets / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    _write_config(digest, model)
    print(f"model.onnx: {path.stat().st_size / 1e6:.1f} MB, sha256 {digest}", flush=True)


def _write_config(digest: str, model: Linear) -> None:
    text = (HERE / "config.pbtxt.in").read_text(encoding="utf-8")
    values = {
        "@SHA256@": digest,
        "@CODES@": len(model.codes),
        "@CATEGORIES@": len(model.categories),
        "@TOP@": graph.TOP_CODES,
        "@K@": graph.TOP_POSITIONS,
    }
    for mark, value in values.items():
        text = text.replace(mark, str(value))
    (MODEL / "config.pbtxt").write_text(text, encoding="utf-8")


def _write_metrics(cross_validation: dict[str, object], dev: dict[str, object], trained: Trained) -> None:
    metrics = {
        "model": "icd_coder",
        "data": "CodiEsp v4, English machine translation, 500 training notes",
        "licence": "CC BY 4.0",
        "code_set_version": trained.code_set_version,
        "split": "five folds over notes for choices, calibration and threshold; official dev notes held out",
        "codes": len(trained.linear.codes),
        "terms": len(trained.linear.ids),
        "cross_validation": cross_validation,
        "dev": dev,
    }
    (MODEL / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")


def _say(part: str, name: str, report: dict[str, object]) -> None:
    print(part, name, {key: report[key] for key in ("map", "micro_f1", "threshold", "ece")}, flush=True)


if __name__ == "__main__":
    main()
