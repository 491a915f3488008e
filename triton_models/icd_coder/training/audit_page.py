"""The figures of the audit as the last part of docs/audit.md.

python triton_models/icd_coder/training/audit_page.py writes it from `audit_metrics.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MODEL = Path(__file__).resolve().parents[1]
PAGE = MODEL.parents[1] / "docs" / "audit.md"
HEADING = "## How good it is\n"
ROWS = (
    ("unsupported", "sensitivity", "unsupported.sensitivity", ""),
    ("", "specificity", "unsupported.specificity", ""),
    ("", "sensitivity + specificity - 1", "unsupported.sensitivity_plus_specificity_minus_1", "≥ .6"),
    ("contradicted", "recall", "contradicted.recall", ""),
    ("", "precision", "contradicted.precision", ""),
    ("less specific", "recall", "less_specific.recall", ""),
    ("", "precision", "less_specific.precision", ""),
    ("", "the gold code suggested", "less_specific.suggested_the_gold_code", ""),
    ("missing", "recall", "missing.recall", "≥ .4"),
    ("", "precision", "missing.precision", "≥ .2"),
)
ALARMS = ("unsupported", "contradicted", "less_specific", "missing")
TEXT = """
{notes} CodiEsp training notes with {assigned_codes:,} gold codes. One error of each kind was planted in a note,
each apart from the others, where the note lends itself to it: {unsupported} codes of other notes, about as
frequent as one of this note's and of a category it does not have; {contradicted} codes that the note denies;
{less_specific} gold codes replaced by the vaguer code beside or above; {missing} gold codes taken away. Notes
were ranked by models that had not seen them, and judged by operating points of the other four folds. Brackets:
95 %, bootstrap over notes. Precision counts every gold code of the note with that verdict as a false alarm.

| planted | figure | with the model | dictionary alone | goal |
|---|---|---|---|---|
{rows}

What a coder would read on a note in which nothing was planted ({codes_a_note:.1f} codes a note):

| alarms a note | with the model | dictionary alone |
|---|---|---|
{alarms}

Not every one of these alarms is false: the corpus' coders also coded what a note denies ("without hematuria",
R31.9) and what it tells of relatives, and chose unspecified codes where the text says more. Planted denials are
found by the same reading of assertion that planted them, so their recall says how often other evidence
overrides a denial, not how well denials are read; that is measured apart. Case reports are coded more fully
than ward notes.

The audit points a person to places in a note. It is no proof that a code may or may not be billed.
"""


def page(before: str, metrics: Mapping[str, Any]) -> str:
    """The page `before` with its last part anew."""
    model, alone = metrics["with_model"], metrics["dictionary_alone"]
    rows = (
        f"| {kind} | {name} | {_cell(model[key])} | {_cell(alone[key])} | {goal} |" for kind, name, key, goal in ROWS
    )
    shown = "alarms_a_note_without_planted_errors"
    alarms = (f"| {kind.replace('_', ' ')} | {model[shown][kind]:.2f} | {alone[shown][kind]:.2f} |" for kind in ALARMS)
    text = TEXT.format(
        **model["planted"],
        notes=model["notes"],
        assigned_codes=model["assigned_codes"],
        codes_a_note=model["assigned_codes"] / model["notes"],
        rows="\n".join(rows),
        alarms="\n".join(alarms),
    )
    return before.partition(HEADING)[0] + HEADING + text.removeprefix("\n")


def _cell(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def write() -> None:
    """Write docs/audit.md."""
    metrics = json.loads((MODEL / "audit_metrics.json").read_text(encoding="utf-8"))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), metrics), encoding="utf-8")


if __name__ == "__main__":
    write()
