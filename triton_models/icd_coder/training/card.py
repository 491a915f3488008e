"""The tables of MODEL_CARD.md, from metrics.json and ablation.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docs.tables import fill, table

SYSTEMS = {
    "cross_validation": "cross-validation",
    "cross_validation_before_guidelines": "cross-validation, before the guidelines",
    "cross_validation_dictionary_alone": "cross-validation, dictionary alone",
    "dev": "dev",
    "dev_before_guidelines": "dev, before the guidelines",
    "dev_dictionary_alone": "dev, dictionary alone",
    "as_shipped_cross_validation": "as shipped (both sets), cross-validation",
}


def write_tables(folder: Path) -> None:
    """Put the tables between their markers in the card. Raises ValueError for a marker that is not there."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    ablation = json.loads((folder / "ablation.json").read_text(encoding="utf-8"))
    tables = {
        "figures": _figures(metrics),
        "frequency": _frequency(metrics["dev"]),
        "reliability": _reliability(metrics["dev"]),
        "parts": _parts(ablation["parts"]),
        "errors": _errors(ablation["errors"]),
    }
    fill(folder / "MODEL_CARD.md", tables)


def _figures(metrics: Mapping[str, Any]) -> list[str]:
    header = ("", "MAP", "micro-F1", "MAP, 95 %", "F1, 95 %", "precision", "recall", "ECE", "threshold")
    rows = []
    for name, title in SYSTEMS.items():
        found = metrics[name]
        value, f1 = found["map"], found["micro_f1"]
        rows.append(
            (
                title,
                f"{value['value']:.3f}",
                f"{f1['value']:.3f}",
                f"{value['low']:.3f} to {value['high']:.3f}",
                f"{f1['low']:.3f} to {f1['high']:.3f}",
                f"{found['micro_precision']:.3f}",
                f"{found['micro_recall']:.3f}",
                f"{found['ece']:.3f}",
                f"{found['threshold']:.2f}",
            )
        )
    return table(header, rows)


def _frequency(dev: Mapping[str, Any]) -> list[str]:
    rows = dev["by_training_frequency"].items()
    header = ("training notes with the code", "gold", "precision", "recall", "F1")
    return table(header, ((band, row["gold"], row["precision"], row["recall"], row["f1"]) for band, row in rows))


def _reliability(dev: Mapping[str, Any]) -> list[str]:
    rows = ((row["pairs"], f"{row['said']:.3f}", f"{row['true']:.3f}") for row in dev["reliability"])
    return table(("pairs", "said", "true"), rows)


def _parts(parts: Mapping[str, Mapping[str, float]]) -> list[str]:
    whole = parts["all of it"]
    rows = (
        (name, f"{row['map']:.3f}", f"{row['map'] - whole['map']:+.3f}", f"{row['micro_f1']:.3f}",
         f"{row['micro_f1'] - whole['micro_f1']:+.3f}")
        for name, row in parts.items()
    )  # fmt: skip
    return table(("", "MAP", "change", "micro-F1", "change"), rows)


def _errors(errors: Mapping[str, Any]) -> list[str]:
    rows = [("missed", why, count) for why, count in errors["missed"].items()]
    rows += [("false", why, count) for why, count in errors["false"].items()]
    return table(("", "why", f"codes, of {errors['gold']} gold"), rows)
