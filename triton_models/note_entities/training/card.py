"""The tables of MODEL_CARD.md and docs/entities.md, from metrics.json and comparison.json.

PYTHONPATH=. python triton_models/note_entities/training/card.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docs.tables import fill, table

MODEL = Path(__file__).resolve().parents[1]
PAGE = MODEL.parents[1] / "docs" / "entities.md"
TITLES = {"bc5cdr": "BC5CDR", "ncbi_disease": "NCBI Disease", "chia": "Chia", "maccrobat": "MACCROBAT"}
WORDS = "all words known", "a word unknown"
ERRORS = "other edges", "other edges and label", "another label", "not found", "nothing there"
MOST_PAIRS = 10
# Systems of comparison.json, and what they are called.
OTHERS = {
    "minilm": "MiniLM, fine-tuned",
    "transformer_from_scratch": "transformer from scratch",
    "conditional_random_field": "conditional random field",
    "dictionary_and_rules": "dictionary and rules",
}
# The goals, strict and relaxed, where there are any.
GOALS = {
    ("bc5cdr", ""): (".85", ""),
    ("ncbi_disease", ""): (".82", ""),
    ("chia", ""): (".66", ".80"),
    ("maccrobat", "Medication"): ("", ".80"),
    ("maccrobat", "Sign_symptom"): ("", ".80"),
    ("maccrobat", "Disease_disorder"): ("", ".80"),
}


def write_tables() -> None:
    """Put the tables between their markers. Raises ValueError for a marker that is not there."""
    metrics = json.loads((MODEL / "metrics.json").read_text(encoding="utf-8"))
    comparison = json.loads((MODEL / "comparison.json").read_text(encoding="utf-8"))
    held_back = metrics["held_back"]
    fill(
        MODEL / "MODEL_CARD.md",
        {
            "compared": _compared(held_back, comparison),
            "figures": _figures(metrics, comparison),
            "errors": _errors(held_back),
            "confused": _confused(held_back),
        },
    )
    fill(PAGE, {"attachment": _attachment(metrics["attachment"])})


def _compared(held: Mapping[str, Any], comparison: Mapping[str, Any]) -> list[str]:
    """Each system's corpora, and what a note costs."""
    costs = comparison["costs"]["ms"]
    rows = [("**convolutions, as served**", *_corpora(held), "", costs["convolutions"])]
    for key, name in OTHERS.items():
        cost = (costs.get(f"{key}, {bits}", "") for bits in ("float32", "int8"))
        rows.append((name, *_corpora(comparison[key]), *cost))
    header = "strict / relaxed F1, held back", *TITLES.values(), "ms a note, 32 bits", "ms a note, eight bits"
    return table(header, rows)


def _corpora(figures: Mapping[str, Any]) -> list[str]:
    return [_f1(figures.get(corpus), "") for corpus in TITLES]


def _figures(metrics: Mapping[str, Any], comparison: Mapping[str, Any]) -> list[str]:
    systems = {
        "held back": metrics["held_back"],
        "cross-validation": metrics.get("cross_validation"),
        **{name: comparison[key] for key, name in OTHERS.items()},
    }
    systems = {name: figures for name, figures in systems.items() if figures}
    header = ("strict / relaxed F1", "gold, held back", "goal", *systems)
    rows = []
    for corpus, title in TITLES.items():
        held = metrics["held_back"][corpus]
        for label in ("", *sorted(held["labels"], key=lambda one: -held["labels"][one]["gold"])):
            gold = (held["labels"][label] if label else held)["gold"]
            goal = " / ".join(one for one in GOALS.get((corpus, label), ()) if one)
            name = f"{title}, {label}" if label else f"**{title}**"
            rows.append((name, gold, goal, *(_f1(system.get(corpus), label) for system in systems.values())))
    return table(header, rows)


def _f1(figures: Mapping[str, Any] | None, label: str) -> str:
    if figures is None:
        return ""
    own = figures["labels"].get(label) if label else figures
    return f"{own['strict_f1']:.3f} / {own['relaxed_f1']:.3f}" if own else ""


def _errors(held: Mapping[str, Any]) -> list[str]:
    recall = held["recall_by_words"]
    rows = []
    for corpus, title in TITLES.items():
        errors = held[corpus]["errors"]
        words = [
            f"{recall[corpus][part]:.3f} of {recall[corpus][f'{part}: gold']}" if part in recall[corpus] else ""
            for part in WORDS
        ]
        rows.append((title, *words, *(errors.get(kind, 0) for kind in ERRORS)))
    return table(("", *(f"recall, {part}" for part in WORDS), *ERRORS), rows)


def _confused(held: Mapping[str, Any]) -> list[str]:
    rows = []
    for corpus, title in TITLES.items():
        pairs = [
            (count, label, other)
            for label, others in held[corpus]["confused"].items()
            for other, count in others.items()
        ]
        most = sorted(pairs, key=lambda pair: (-pair[0], pair))[:MOST_PAIRS]
        rows.append((title, "; ".join(f"{label} as {other} {count}" for count, label, other in most) or "none"))
    return table(("", "gold spans over which only another label was found"), rows)


def _attachment(figures: Mapping[str, Any]) -> list[str]:
    header = ("", "gold", "precision", "recall", "F1", "held back: gold", "F1")
    return table(
        header,
        (
            (name, own["gold"], own["precision"], own["recall"], own["f1"], held["gold"], held["f1"])
            for (name, own), held in zip(figures["training"].items(), figures["held_back"].values(), strict=True)
        ),
    )


if __name__ == "__main__":
    write_tables()
