"""Rankings as files: one line a note, `{"id", "ranking": [[code, score], ...]}`, best first, gzip.

The file of our own coder begins with a line of its own, `{"threshold"}`, the operating point that it is served with,
and its lines have what the service selects beside their ranking, `"selected": [code, ...]`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.compare_coders.metrics import LONGEST_RANKING, Ranking
from services.common.settings import REPOSITORY

FOLDER = Path(__file__).resolve().parent / "predictions"
OURS = REPOSITORY / "triton_models" / "icd_coder" / "predictions" / "cross_validation.jsonl.gz"
TIMES = FOLDER / "times.json"
DIGITS = 4


def path_of(family: str) -> Path:
    """Where a family's rankings are kept; those of our own coder lie beside its model."""
    return OURS if family in ("ours", "by_score") else FOLDER / f"{family}.jsonl.gz"


def write(path: Path, rankings: Mapping[str, Ranking]) -> None:
    """Write the first 100 codes of each note, by note name. The same rankings give the same bytes."""
    lines = [
        json.dumps({"id": name, "ranking": [[code, round(score, DIGITS)] for code, score in ranking[:LONGEST_RANKING]]},
                   separators=(",", ":"))
        for name, ranking in sorted(rankings.items())
    ]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
        packed.write(("\n".join(lines) + "\n").encode())


def read(path: Path) -> dict[str, list[tuple[str, float]]]:
    """Rankings by note name."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        entries = [json.loads(line) for line in lines]
    return {
        entry["id"]: [(code, float(score)) for code, score in entry["ranking"]] for entry in entries if "id" in entry
    }


def selected(names: Sequence[str]) -> list[frozenset[str]]:
    """What the service selects for each note, guidelines applied. Raises KeyError when a note is missing."""
    with gzip.open(OURS, "rt", encoding="utf-8") as lines:
        found = {entry["id"]: frozenset(entry["selected"]) for entry in map(json.loads, lines) if "id" in entry}
    return [found[name] for name in names]


def in_order(rankings: Mapping[str, Ranking], names: Sequence[str]) -> list[Ranking]:
    """Rankings of these notes. Raises KeyError when one is missing."""
    return [rankings[name] for name in names]


def times() -> dict[str, dict[str, Any]]:
    """What each family took: `training_s` a fold, `notes_per_s` in prediction, `settings` chosen in the five folds."""
    found: dict[str, dict[str, Any]] = json.loads(TIMES.read_text(encoding="utf-8")) if TIMES.exists() else {}
    return found


def write_times(family: str, took: Mapping[str, Any]) -> None:
    """Put one family's entry in place of the one before."""
    entries = times() | {family: dict(took)}
    TIMES.parent.mkdir(parents=True, exist_ok=True)
    TIMES.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n", encoding="utf-8")
