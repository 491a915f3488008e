"""The tables of docs/coders.md, between its markers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.compare_coders import predictions
from bench.compare_coders.intervals import Estimate
from bench.compare_coders.results import BANDS, BY_SCORE, OURS, Results, Row
from docs.tables import between
from services.common.settings import REPOSITORY

PAGE = REPOSITORY / "docs" / "coders.md"
FIGURE = REPOSITORY / "docs" / "coders.png"
BEGIN, END = "<!-- tables: made by `make compare-coders` -->", "<!-- end of tables -->"
LABELS = {
    "rules": "rules",
    "logistic": "logistic regression, bag of words",
    "tfidf": "tf-idf, linear",
    "xgboost": "tf-idf, XGBoost",
    "transformer": "transformer, label-wise attention",
    BY_SCORE: "Vigil, by score alone",
    OURS: "**Vigil**",
}
RANKED = {"map": "MAP", "p_at_5": "P@5", "p_at_15": "P@15"}
MICRO = {"micro_precision": "precision", "micro_recall": "recall", "micro_f1": "F1"}
MACRO = {
    "macro_precision": "precision",
    "macro_recall": "recall",
    "macro_f1": "F1",
    "macro_accuracy": "accuracy a code",
}


def tables(results: Results, times: Mapping[str, Mapping[str, Any]]) -> str:
    """All tables of the page. Intervals in brackets are 95 %, bootstrap over notes."""
    parts = [
        f"{results.notes} notes, {results.codes} different codes, five folds. In brackets: 95 % interval.",
        "**The ranked list, and what it costs.** One core; training on the four other folds.",
        _table(
            results.rows,
            [*RANKED.values(), "training, s", "notes/s"],
            lambda row: [
                *(_cell(row.figures[name]) for name in RANKED),
                *_cost(times.get(OURS if row.family == BY_SCORE else row.family, {})),
            ],
        ),
        "**What is chosen, all pairs of note and code together (micro).**",
        _table(results.rows, list(MICRO.values()), lambda row: [_cell(row.figures[name]) for name in MICRO]),
        f"**What is chosen, a code at a time (macro).** Proposing nothing has an accuracy of {results.silence:.4f}.",
        _table(results.rows, list(MACRO.values()), lambda row: [_macro_cell(row, name) for name in MACRO]),
        "**F1 by the number of training notes that have the code**, with the number of gold codes.",
        _table(results.rows, _band_heads(results), lambda row: [_cell(row.bands[name]["f1"]) for name in BANDS]),
        "**Recall by the same.**",
        _table(results.rows, _band_heads(results), lambda row: [_cell(row.bands[name]["recall"]) for name in BANDS]),
        "**Vigil less the best other family**, on the same resampled notes.",
        _differences(results),
    ]
    return "\n\n".join(parts)


def _table(rows: Sequence[Row], heads: Sequence[str], cells: Callable[[Row], Sequence[str]]) -> str:
    lines = [f"| family | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    lines += [f"| {LABELS[row.family]} | {' | '.join(cells(row))} |" for row in rows]
    return "\n".join(lines)


def _cell(figure: Estimate, digits: int = 3) -> str:
    return f"{figure.value:.{digits}f} ({figure.low:.{digits}f} to {figure.high:.{digits}f})"


def _macro_cell(row: Row, name: str) -> str:
    # Accuracies of rare codes differ in the fourth digit.
    return _cell(row.figures[name], 4 if name == "macro_accuracy" else 3)


def _cost(took: Mapping[str, Any]) -> list[str]:
    return [_seconds(took.get("training_s")), f"{took['notes_per_s']:.0f}" if "notes_per_s" in took else "not measured"]


def _seconds(training: float | None) -> str:
    if training is None:
        return "not measured"
    return f"{training:.0f}" if training >= 1 else f"{training:.1f}"


def _band_heads(results: Results) -> list[str]:
    return [f"{name} ({results.gold_by_band[name]})" for name in BANDS]


def _differences(results: Results) -> str:
    names = {f"{label}": name for name, label in RANKED.items()}
    names |= {f"micro {label}": name for name, label in MICRO.items()}
    names |= {f"macro {label}": name for name, label in MACRO.items()}
    lines = ["| figure | best other | difference |", "|---|---|---|"]
    for label, name in names.items():
        found = results.differences[name]
        digits = 4 if name == "macro_accuracy" else 3
        figure = found.estimate
        text = f"{figure.value:+.{digits}f} ({figure.low:+.{digits}f} to {figure.high:+.{digits}f})"
        lines.append(f"| {label} | {LABELS[found.other]} | {text} |")
    return "\n".join(lines)


def with_tables(page: str, made: str) -> str:
    """The page with `made` between its markers. Raises ValueError when they are not there."""
    return between(page, BEGIN, END, made)


def write_page(results: Results) -> None:
    """Put the tables into docs/coders.md."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_tables(page, tables(results, predictions.times())), encoding="utf-8")
