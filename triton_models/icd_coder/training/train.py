"""Train `icd_coder` on CodiEsp.

Choices, calibration and operating point come from cross-validation on the training notes; what they give is looked at
once on the dev notes; what ships is fitted in the same way on both.

VIGIL_TRAINING_DATA=../shared/data python triton_models/icd_coder/training/train.py
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = Path(__file__).resolve().parent
MODEL = HERE.parent
sys.path[:0] = [str(HERE), str(HERE.parents[2]), str(HERE.parents[2] / "generated")]

import audit_training  # noqa: E402 - after the path
import card  # noqa: E402
import corpus  # noqa: E402
import evaluation  # noqa: E402
import graph  # noqa: E402
import numpy as np  # noqa: E402
import served  # noqa: E402
import stacking  # noqa: E402
from corpus import Example  # noqa: E402
from rows import FEATURES  # noqa: E402
from served import Served  # noqa: E402
from stacking import Fitted, Unseen  # noqa: E402

from services.nlp_coder.reading import Reader, load_reader  # noqa: E402

LARGEST_DIFFERENCE = 1e-3  # the weights are float16
CROSS_VALIDATION = MODEL / "predictions" / "cross_validation.jsonl.gz"


def main() -> None:
    """Write the model, all that stands beside it, and the audit's operating points. `--without-dev`: dev stays shut."""
    data = Path(os.environ.get("VIGIL_TRAINING_DATA", "../shared/data")) / "codiesp"
    started = time.process_time()
    reader = load_reader()
    train = corpus.load(data / "train.jsonl.gz", reader)
    print(f"{len(train)} training notes are read", flush=True)
    fitted, unseen = stacking.fit(train), stacking.cross_validated(stacking.split(train))
    metrics, threshold = _cross_validation(train, unseen, fitted, reader)
    shipped, notes = fitted, len(train)
    if "--without-dev" not in sys.argv:
        dev = corpus.load(data / "dev.jsonl.gz", reader)
        metrics |= _look_at_dev(dev, fitted, threshold, reader, _frequency(train))
        both = [*train, *dev]
        shipped, own = stacking.fit(both), stacking.cross_validated(stacking.split(both))
        threshold = served.best_threshold(both, own, shipped, reader)
        given = served.serve(both, own, shipped, threshold, reader)
        metrics["as_shipped_cross_validation"] = evaluation.report(
            given.rankings, _golds(both), threshold, _frequency(both), given.chosen
        )
        _say("as shipped, cross-validation", metrics["as_shipped_cross_validation"])
        notes = len(both)
    digest = _write(shipped, threshold, reader.code_set.version)
    difference = served.difference_from_graph(MODEL / "1" / "model.onnx", shipped, train[:25])
    print(f"graph and training differ by at most {difference:.1e}", flush=True)
    if difference > LARGEST_DIFFERENCE:
        raise RuntimeError("the graph does not compute what was trained")
    metrics |= {
        "code_set_version": reader.code_set.version,
        "notes": notes,
        "model_sha256": digest,
        "threshold": threshold,
        "training_s": round(time.process_time() - started),
    }
    _write_metrics(metrics, shipped)
    if "dev" in metrics:
        card.write_tables(MODEL)
    audit_training.main()


def _golds(examples: Sequence[Example]) -> list[frozenset[str]]:
    return [example.gold for example in examples]


def _frequency(examples: Sequence[Example]) -> Counter[str]:
    return Counter(code for example in examples for code in example.gold)


def _cross_validation(
    train: list[Example], unseen: Unseen, fitted: Fitted, reader: Reader
) -> tuple[dict[str, object], float]:
    golds = _golds(train)
    threshold = served.best_threshold(train, unseen, fitted, reader)
    given = served.serve(train, unseen, fitted, threshold, reader)
    alone = served.serve_alone(train, unseen, fitted, reader)
    found = {
        "cross_validation": evaluation.report(given.rankings, golds, threshold, _frequency(train), given.chosen),
        "cross_validation_before_guidelines": evaluation.report(unseen.with_model, golds, threshold, _frequency(train)),
        "cross_validation_dictionary_alone": evaluation.report(
            alone.rankings, golds, fitted.alone.threshold, _frequency(train), alone.chosen
        ),
    }
    for name, figures in found.items():
        _say(name, figures)
    _write_predictions(train, given, threshold)
    return dict(found), threshold


def _look_at_dev(
    dev: list[Example], fitted: Fitted, threshold: float, reader: Reader, frequency: Counter[str]
) -> dict[str, object]:
    unseen = stacking.apply(fitted, dev)
    given = served.serve(dev, unseen, fitted, threshold, reader)
    alone = served.serve_alone(dev, unseen, fitted, reader)
    found = {
        "dev": evaluation.report(given.rankings, _golds(dev), threshold, frequency, given.chosen),
        "dev_before_guidelines": evaluation.report(unseen.with_model, _golds(dev), threshold, frequency),
        "dev_dictionary_alone": evaluation.report(
            alone.rankings, _golds(dev), fitted.alone.threshold, frequency, alone.chosen
        ),
    }
    for name, figures in found.items():
        _say(name, figures)
    return dict(found)


def _write_predictions(examples: Sequence[Example], given: Served, threshold: float) -> None:
    """What was said of each training note by what had not seen it; a file that is the same every time."""
    lines = [json.dumps({"threshold": threshold})]
    for example, ranking, chosen in zip(examples, given.rankings, given.chosen, strict=True):
        best = sorted(ranking.items(), key=lambda entry: (-entry[1], entry[0]))[: evaluation.LONGEST_RANKING]
        pairs = [[code, round(score, 4)] for code, score in best]
        lines.append(json.dumps({"id": example.name, "ranking": pairs, "selected": sorted(chosen)}))
    CROSS_VALIDATION.parent.mkdir(exist_ok=True)
    CROSS_VALIDATION.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))


def _write(fitted: Fitted, threshold: float, code_set_version: str) -> str:
    """Model, assets and configuration; the model's SHA-256."""
    model, assets = fitted.linear, MODEL / "assets"
    assets.mkdir(exist_ok=True)
    path = MODEL / "1" / "model.onnx"
    graph.build(model, fitted.support, fitted.trees, fitted.hits, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    alone = fitted.alone
    contents = {
        "vocabulary": {term: round(model.idf[index], 6) for term, index in model.ids.items()},
        "labels": {
            "codes": model.codes,
            "categories": model.categories,
            "least_length": model.least_length,
            "code_set_version": code_set_version,
            "model_sha256": digest,
        },
        "stacker": {
            "with_model": {"threshold": threshold},
            "dictionary_alone": {
                "means": alone.means.tolist(),
                "scales": alone.scales.tolist(),
                "coefficients": alone.coefficients.tolist(),
                "intercept": alone.intercept,
                "threshold": alone.threshold,
            },
        },
        "term_hits": fitted.hits,
    }
    for name, content in contents.items():
        text = json.dumps(content, ensure_ascii=False, indent=0)
        (assets / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    config = (HERE / "config.pbtxt.in").read_text(encoding="utf-8")
    values = {
        "@SHA256@": digest,
        "@TOP@": graph.TOP_CODES,
        "@K@": graph.TOP_POSITIONS,
        "@EVIDENCE@": graph.EVIDENCE_WIDTH,
    }
    for mark, value in values.items():
        config = config.replace(mark, str(value))
    (MODEL / "config.pbtxt").write_text(config, encoding="utf-8")
    print(f"model.onnx: {path.stat().st_size / 1e6:.1f} MB, sha256 {digest}", flush=True)
    return digest


def _write_metrics(found: dict[str, object], fitted: Fitted) -> None:
    gains = fitted.trees.booster.feature_importance("gain")
    shares = zip(FEATURES, (gains / np.sum(gains)).round(4).tolist(), strict=True)
    metrics = {
        "model": "icd_coder",
        "data": "CodiEsp v4, English machine translation, 500 training and 250 dev notes",
        "licence": "CC BY 4.0",
        "split": "five folds over the training notes for choices; one look at dev with these; shipped from both",
        "codes": len(fitted.linear.codes),
        "terms": len(fitted.linear.ids),
        "share_of_gain": dict(shares),
        **found,
    }
    (MODEL / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")


def _say(name: str, figures: dict[str, object]) -> None:
    print(name, {key: figures[key] for key in ("map", "micro_f1", "threshold", "ece")}, flush=True)


if __name__ == "__main__":
    main()
