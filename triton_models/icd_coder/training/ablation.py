"""What each part of `icd_coder` is worth, and what is wrong with what it says; on the training notes, cross-validated.

VIGIL_TRAINING_DATA=../shared/data python triton_models/icd_coder/training/ablation.py
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2]), str(HERE.parents[2] / "generated")]

import corpus  # noqa: E402 - after the path
import evaluation  # noqa: E402
import numpy as np  # noqa: E402
import served  # noqa: E402
import stacking  # noqa: E402
from corpus import Example  # noqa: E402
from rows import FEATURES, TEXT  # noqa: E402
from served import Served  # noqa: E402
from stacking import Fitted, Rankings, Rows, Split, Unseen  # noqa: E402

from services.nlp_coder import dictionary  # noqa: E402
from services.nlp_coder.code_priors import OF_CODE  # noqa: E402
from services.nlp_coder.ranking import EVIDENCE, FOUND, NOTHING_FOUND  # noqa: E402
from services.nlp_coder.reading import Reader, load_reader  # noqa: E402

LOOSE = tuple(name for name in EVIDENCE if name.startswith("loose"))
# Parts that are put out of sight: columns of the rows, at the value that says nothing.
PARTS = {
    "without the text model": TEXT,
    "without its mined lexicon": ("lexicon",),
    "without its categories": ("category_score", "category_notes", "named_beside"),
    "without the dictionary": EVIDENCE,
    "without terms whose words stand apart": LOOSE,
    "without the precision of phrases in training": ("phrase_precision_logit", "code_precision_logit", "code_seen"),
    "without the precision of the codes around, and the place of the code": OF_CODE,
    "without how mentions read": ("present", "possible", "historical", "said_otherwise"),
}


def main() -> None:
    """Write ablation.json beside the model's metrics."""
    path = Path(os.environ.get("VIGIL_TRAINING_DATA", "../shared/data")) / "codiesp" / "train.jsonl.gz"
    reader = load_reader()
    train = corpus.load(path, reader)
    parts = stacking.split(train)
    unseen = stacking.cross_validated(parts)
    fitted = stacking.fit(train)
    threshold = served.best_threshold(train, unseen, fitted, reader)
    # Scores are probabilities whatever they rest on: one threshold for all.
    found = {"all of it": _figures(train, unseen, fitted, threshold, reader)}
    for name, columns in PARTS.items():
        blind = [replace(part, rest=_blind(part.rest, columns), own=_blind(part.own, columns)) for part in parts]
        without = replace(unseen, with_model=stacking.scored_by_trees(blind))
        found[name] = _figures(train, without, fitted, threshold, reader)
        print(name, found[name], flush=True)
    by_logistic = replace(unseen, with_model=_logistic(parts))
    found["logistic regression instead of trees"] = _figures(train, by_logistic, fitted, threshold, reader)
    bare_reader = _without_synonyms()
    bare = corpus.load(path, bare_reader)
    found["without the clinical synonyms, names of the code set alone"] = _figures(
        bare, stacking.cross_validated(stacking.split(bare)), fitted, threshold, bare_reader
    )
    errors = _errors(train, served.serve(train, unseen, fitted, threshold, reader), threshold, reader)
    (HERE.parent / "ablation.json").write_text(json.dumps({"parts": found, "errors": errors}, indent=1) + "\n")


def _figures(
    examples: Sequence[Example], unseen: Unseen, fitted: Fitted, threshold: float, reader: Reader
) -> dict[str, float]:
    """MAP and micro-F1 of what users get, with the guidelines."""
    given = served.serve(examples, unseen, fitted, threshold, reader)
    golds = [example.gold for example in examples]
    figures = evaluation.report(given.rankings, golds, threshold, Counter(), given.chosen)
    return {"map": figures["map"]["value"], "micro_f1": figures["micro_f1"]["value"]}  # type: ignore[index]


def _blind(rows: Rows, columns: Sequence[str]) -> Rows:
    silent = dict(zip(FOUND, NOTHING_FOUND, strict=True))
    tables = []
    for table in rows.tables:
        values = table.rows.copy()
        for name in columns:
            values[:, FEATURES.index(name)] = silent.get(name, 0.0)
        tables.append(replace(table, rows=values))
    return replace(rows, tables=tables)


def _logistic(parts: Sequence[Split]) -> Rankings:
    scored = []
    for part in parts:
        rows, own = (
            np.concatenate([table.rows for table in side.tables]).astype(np.float64) for side in (part.rest, part.own)
        )
        model = stacking.logistic(rows, stacking.truth_of(part.rest))
        logits = (own - model.means) / model.scales @ model.coefficients + model.intercept
        scored.append(stacking.rankings_of([table.codes for table in part.own.tables], 1.0 / (1.0 + np.exp(-logits))))
    return stacking.in_order(parts, scored)


def _without_synonyms() -> Reader:
    kept: Callable[..., object] = dictionary._synonyms  # noqa: SLF001 - the part that is left out
    dictionary._synonyms = lambda _code_set: iter(())  # noqa: SLF001
    try:
        return load_reader()
    finally:
        dictionary._synonyms = kept  # type: ignore[assignment]  # noqa: SLF001


def _errors(examples: Sequence[Example], given: Served, threshold: float, reader: Reader) -> dict[str, object]:
    """Gold codes that are not selected, and selected codes that are not gold, by why."""
    missed, false = Counter[str](), Counter[str]()
    for example, ranking, selected in zip(examples, given.rankings, given.chosen, strict=True):
        said = {read.mention.code for read in example.note.mentions}
        for code in example.gold - selected:
            is_withheld = ranking.get(code, 0.0) >= threshold
            why = "withheld by the guidelines" if is_withheld else _why_missed(code, said, selected, ranking, reader)
            missed[why] += 1
        for code in selected - example.gold:
            false[_why_false(code, example.gold)] += 1
    return {
        "gold": sum(len(example.gold) for example in examples),
        "missed": dict(missed.most_common()),
        "false": dict(false.most_common()),
    }


def _why_missed(code: str, said: set[str], selected: frozenset[str], ranking: dict[str, float], reader: Reader) -> str:
    if code not in reader.code_set.codes:
        return "a code of an older release"
    if any(other[:3] == code[:3] for other in selected):
        return "another code of the same category was selected"
    if code in said:
        return "found in the text, below the threshold"
    return "ranked by the text model, below the threshold" if code in ranking else "not found at all"


def _why_false(code: str, gold: frozenset[str]) -> str:
    if any(other[:3] == code[:3] for other in gold):
        return "another code of the same category is right"
    return "same chapter, other category" if any(other[0] == code[0] for other in gold) else "nothing like it is right"


if __name__ == "__main__":
    main()
