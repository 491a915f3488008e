"""Choose the audit's operating points on planted errors, and measure the audit.

VIGIL_TRAINING_DATA=../shared/data python triton_models/icd_coder/training/audit_training.py

Every note is ranked by models that did not see it, and every figure comes from operating points that the note's fold
had no part in.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = Path(__file__).resolve().parent
MODEL = HERE.parent
sys.path[:0] = [str(HERE), str(HERE.parents[2]), str(HERE.parents[2] / "generated")]

import audit_page  # noqa: E402 - after the path
import corpus  # noqa: E402
import numpy as np  # noqa: E402
import stacking  # noqa: E402
from audit_figures import ALARMS, COLUMNS, PLACE, Counts, f_score, figures_of, margin, youden  # noqa: E402
from corpus import Example  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from planting import SEED, Case, Planted, case_of, plant  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

from services.nlp_coder.audit import Measured, is_to_add, measure, missing_codes, omission_features  # noqa: E402
from services.nlp_coder.audit_facts import MISSED, SUPPORT  # noqa: E402
from services.nlp_coder.audit_policy import Policy, Tables, Weighing, formerly_complete  # noqa: E402
from services.nlp_coder.code_set import CodeSet  # noqa: E402
from services.nlp_coder.ranking import candidates_of  # noqa: E402
from services.nlp_coder.reading import Reader, load_reader  # noqa: E402
from services.nlp_coder.tokens import words_of  # noqa: E402

FOLDS = 5
GOLD = "gold"
_GRID = tuple(step / 100 for step in range(1, 101))
# Of operating points that find nearly as much, the one with the fewest alarms.
_NEARLY = 0.02
# Coders of the corpus also coded what a note denies, so an alarm there is not the audit's fault: recall counts double.
_DENIED_BETA = 2.0


@dataclass(frozen=True, slots=True)
class Notes:
    """Measurements of many notes, a row for each gold code and each planted one.

    note: index [rows]; kind: "gold" or what was planted [rows]; features [rows, SUPPORT]; closer: score of the more
    specific code, -1 without one; suggested: whether that is the gold code.
    """

    cases: Sequence[Case]
    planted: Sequence[Planted]
    note: NDArray[np.int64]
    kind: NDArray[np.str_]
    features: NDArray[np.float64]
    plainly: NDArray[np.bool_]
    denied: NDArray[np.bool_]
    misplaced: NDArray[np.bool_]
    unstated: NDArray[np.bool_]
    closer: NDArray[np.float64]
    suggested: NDArray[np.bool_]
    tables: Tables


def main() -> None:
    """Audit the training notes as the coder ranked them in its cross-validation (`predictions/`)."""
    reader = load_reader()
    data = Path(os.environ.get("VIGIL_TRAINING_DATA", "../shared/data")) / "codiesp"
    examples = corpus.load(data / "train.jsonl.gz", reader)
    folds = corpus.folds_of(len(examples))

    def cases(rankings: Sequence[Mapping[str, float]]) -> list[Case]:
        return [
            case_of(example.note, ranking, example.gold, int(fold), reader)
            for example, ranking, fold in zip(examples, rankings, folds, strict=True)
        ]

    train(cases(_predicted(examples)), cases(_alone(examples, folds)), reader, MODEL)


def _predicted(examples: Sequence[Example]) -> list[dict[str, float]]:
    """Of each note what was said by a model that had not seen it, as served."""
    with gzip.open(MODEL / "predictions" / "cross_validation.jsonl.gz", "rt", encoding="utf-8") as lines:
        by_name = {line["id"]: dict(line["ranking"]) for line in map(json.loads, lines) if "id" in line}
    return [by_name[example.name] for example in examples]


def _alone(examples: Sequence[Example], folds: NDArray[np.int64]) -> list[dict[str, float]]:
    """As `_predicted`, for when the model is away."""
    hits = [
        stacking.term_hits([one for one, fold in zip(examples, folds, strict=True) if fold != held])
        for held in range(FOLDS)
    ]
    candidates = [candidates_of(one.note, hits[fold]) for one, fold in zip(examples, folds, strict=True)]
    rankings, _stacker = stacking._alone(examples, candidates, folds)  # noqa: SLF001 - the same training, next door
    return rankings


def train(with_model: Sequence[Case], dictionary_alone: Sequence[Case], reader: Reader, folder: Path) -> None:
    """Write `assets/audit.json` and `audit_metrics.json` into the model's `folder`, and docs/audit.md. Two minutes.

    The cases hold the same notes in one order, as ranked with the model and without it.
    """
    tables = Tables(reader, word_weights(reader.code_set), formerly_complete())
    assets: dict[str, object] = {}
    metrics: dict[str, object] = {
        "data": f"CodiEsp v4, English machine translation, {len(with_model)} training notes, errors planted",
        "licence": "CC BY 4.0",
        "split": "five folds over notes; the ranking and the operating points come from the other folds",
        "seed": SEED,
    }
    for name, cases in (("with_model", with_model), ("dictionary_alone", dictionary_alone)):
        notes = measured(cases, plant(cases, reader.code_set), tables)
        assets[name] = as_json(learned(notes, range(len(cases))))
        metrics[name] = cross_validated(notes)
        print("audit", name, json.dumps(metrics[name]), flush=True)
    assets["word_weights"] = tables.word_weights
    (folder / "assets" / "audit.json").write_text(json.dumps(assets, indent=0) + "\n", encoding="utf-8")
    (folder / "audit_metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    audit_page.write()


def word_weights(code_set: CodeSet) -> dict[str, float]:
    """How rare each word is among the names of codes: ln(names / names with it)."""
    names = Counter(norm for code in code_set.codes.values() for norm in set(words_of(code.display).norms) if norm)
    return {norm: round(math.log(len(code_set.codes) / count), 2) for norm, count in sorted(names.items())}


def as_json(policy: Policy) -> dict[str, object]:
    support = dict(zip(SUPPORT, policy.support.coefficients, strict=True)) | {"intercept": policy.support.intercept}
    omission = dict(zip(MISSED, policy.omission.coefficients, strict=True)) | {"intercept": policy.omission.intercept}
    points = {name: getattr(policy, name) for name in ("supported", "contradicted", "closer", "missing")}
    return {"support": support, "omission": omission} | points


def measured(cases: Sequence[Case], planted: Sequence[Planted], tables: Tables) -> Notes:
    """What the notes hold of their gold codes and of the planted ones."""
    rows: list[tuple[int, str, Measured, str]] = []
    for index, (case, errors) in enumerate(zip(cases, planted, strict=True)):
        gold = frozenset(case.gold)
        original, vaguer = errors.less_specific
        rows += [(index, GOLD, measure(code, gold, case.facts, tables), "") for code in case.gold]
        among = (("unsupported", errors.unsupported, gold), ("contradicted", errors.contradicted, gold),
                 ("less_specific", vaguer, gold - {original}))  # fmt: skip
        rows += [
            (index, kind, measure(code, others | {code}, case.facts, tables), original)
            for kind, code, others in among
            if code
        ]
    return Notes(
        cases,
        planted,
        np.array([index for index, _kind, _entry, _original in rows]),
        np.array([kind for _index, kind, _entry, _original in rows]),
        np.array([entry.features for _index, _kind, entry, _original in rows]),
        np.array([entry.plainly for _index, _kind, entry, _original in rows]),
        np.array([bool(entry.denials) for _index, _kind, entry, _original in rows]),
        np.array([bool(entry.misplaced) for _index, _kind, entry, _original in rows]),
        np.array([entry.unstated for _index, _kind, entry, _original in rows]),
        np.array([entry.closer.score if entry.closer else -1.0 for _index, _kind, entry, _original in rows]),
        np.array([entry.closer is not None and entry.closer.code == original for *_rest, entry, original in rows]),
        tables,
    )


def learned(notes: Notes, chosen: Sequence[int]) -> Policy:
    """Fit the weighing and choose the operating points on the chosen notes."""
    policy = Policy(_support(notes, chosen), _omission(notes, chosen), 0.5, 0.5, 0.5, 0.0)
    policy = _tuned(policy, "contradicted", notes, chosen, lambda total: f_score(total, "contradicted", _DENIED_BETA))
    policy = _tuned(policy, "closer", notes, chosen, lambda total: f_score(total, "less_specific", 1.0))
    policy = _tuned(policy, "supported", notes, chosen, youden)
    listings = [_listing(notes, index, policy) for index in chosen]
    values = {point: margin(sum(_listed(*listing, point) for listing in listings)) for point in _GRID}
    return replace(policy, missing=max(values, key=lambda point: values[point]))


def _support(notes: Notes, chosen: Sequence[int]) -> Weighing:
    rows = np.isin(notes.note, chosen) & np.isin(notes.kind, (GOLD, "unsupported"))
    return _fit(notes.features[rows], notes.kind[rows] == GOLD, class_weight="balanced")


def _omission(notes: Notes, chosen: Sequence[int]) -> Weighing:
    """Each gold code in turn taken away and to be found again, against the codes that nobody gave."""
    known, tables = notes.tables.reader.code_set.codes, notes.tables
    rows, truth = [], []
    for index in chosen:
        case = notes.cases[index]
        gold = [known[code] for code in case.gold]
        for code in (known[name] for name in case.facts.scores if name in known):
            rest = [other for other in gold if other is not code]
            if is_to_add(code, rest, case.facts, tables):
                rows.append(omission_features(code, rest, case.facts, tables))
                truth.append(code.code in case.gold)
    return _fit(np.array(rows), np.array(truth))


def _fit(features: NDArray[np.float64], truth: NDArray[np.bool_], class_weight: str | None = None) -> Weighing:
    model = LogisticRegression(C=1.0, max_iter=5000, class_weight=class_weight).fit(features, truth)
    return Weighing(tuple(round(float(value), 4) for value in model.coef_[0]), round(float(model.intercept_[0]), 4))


def _tuned(
    policy: Policy, name: str, notes: Notes, chosen: Sequence[int], value_of: Callable[[Counts], float]
) -> Policy:
    """The operating point of the best value, or of the fewest alarms among those nearly as good."""
    totals = {point: verdict_counts(notes, chosen, replace(policy, **{name: point})).sum(axis=0) for point in _GRID}  # type: ignore[arg-type]
    values = {point: value_of(total) for point, total in totals.items()}
    enough = max(values.values()) - _NEARLY
    alarms = {point: sum(totals[point][PLACE[f"gold_{kind}"]] for kind in ALARMS) for point in _GRID}
    best = min((point for point in _GRID if values[point] >= enough), key=lambda point: (alarms[point], point))
    return replace(policy, **{name: best})  # type: ignore[arg-type]


def verdicts(notes: Notes, policy: Policy) -> NDArray[np.str_]:
    """`audit.verdict_of` of every row."""
    logits = notes.features @ np.array(policy.support.coefficients) + policy.support.intercept
    support = 1.0 / (1.0 + np.exp(-logits))
    return np.select(
        [
            notes.misplaced | (notes.denied & (support < policy.contradicted)),
            notes.closer >= policy.closer,
            (notes.plainly | (support >= policy.supported)) & ~notes.unstated,
        ],
        ["contradicted", "less_specific", "supported"],
        "unsupported",
    )


def verdict_counts(notes: Notes, chosen: Sequence[int], policy: Policy) -> Counts:
    """What is said of gold and planted codes, [chosen, COLUMNS]; missing codes aside."""
    said = verdicts(notes, policy)
    counts = np.zeros((len(notes.cases), len(COLUMNS)))
    is_alarm = np.isin(said, ALARMS)

    def count(name: str, rows: NDArray[np.bool_]) -> None:
        counts[:, PLACE[name]] = np.bincount(notes.note[rows], minlength=len(notes.cases))

    count(GOLD, notes.kind == GOLD)
    for kind in ALARMS:
        count(f"gold_{kind}", (notes.kind == GOLD) & (said == kind))
        count(f"planted_{kind}", notes.kind == kind)
        count(f"found_{kind}", (notes.kind == kind) & (said == kind))
        count(f"noticed_{kind}", (notes.kind == kind) & is_alarm)
    count("suggested_right", (notes.kind == "less_specific") & (said == "less_specific") & notes.suggested)
    return counts[list(chosen)]


Listing = tuple[str, list[tuple[str, float]], list[tuple[str, float]]]


def _listing(notes: Notes, index: int, policy: Policy) -> Listing:
    """(what was taken away, what is missing without it, what is missing though nothing was taken)."""
    case, taken = notes.cases[index], notes.planted[index].missing
    everything = replace(policy, missing=0.0)
    rest = [code for code in case.gold if code != taken]
    return (
        taken,
        missing_codes(rest, case.facts, everything, notes.tables),
        missing_codes(case.gold, case.facts, everything, notes.tables),
    )


def _listed(taken: str, bereft: list[tuple[str, float]], unplanted: list[tuple[str, float]], point: float) -> Counts:
    """Counts of missing codes from an operating point on, [COLUMNS]."""
    counts = np.zeros(len(COLUMNS))
    listed = [code for code, omission in bereft if omission >= point]
    counts[PLACE["planted_missing"]] = bool(taken)
    counts[PLACE["found_missing"]] = taken in listed
    counts[PLACE["listed_missing"]] = len(listed)
    counts[PLACE["listed_unplanted"]] = sum(omission >= point for _code, omission in unplanted)
    return counts


def cross_validated(notes: Notes) -> dict[str, object]:
    """Every figure over the notes, each judged by operating points of the other folds."""
    counts = np.zeros((len(notes.cases), len(COLUMNS)))
    folds = np.array([case.fold for case in notes.cases])
    for held in range(FOLDS):
        policy, own = learned(notes, np.flatnonzero(folds != held).tolist()), np.flatnonzero(folds == held).tolist()
        listed = [_listed(*_listing(notes, index, policy), policy.missing) for index in own]
        counts[own] = verdict_counts(notes, own, policy) + np.array(listed)
    return figures_of(counts)


if __name__ == "__main__":
    main()
