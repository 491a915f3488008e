"""How the audit weighs what a note says, and from where on it speaks: data beside the model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.nlp_coder.audit_facts import MISSED, SUPPORT
from services.nlp_coder.data_files import rows
from services.nlp_coder.reading import Reader


@dataclass(frozen=True, slots=True)
class Weighing:
    """Logistic regression over `SUPPORT` or `MISSED`."""

    coefficients: tuple[float, ...]
    intercept: float

    def probability(self, features: Sequence[float]) -> float:
        """0 to 1."""
        pairs = zip(self.coefficients, features, strict=True)
        return 1.0 / (1.0 + math.exp(-self.intercept - sum(weight * value for weight, value in pairs)))


@dataclass(frozen=True, slots=True)
class Policy:
    """How facts are weighed, and operating points, 0 to 1, chosen on planted errors; `assets/audit.json`.

    support: how well a note documents a code; a code given rightly and one given at random are even at .5.
    omission: how likely a coder who gave the assigned codes gives this one too.
    supported: support from which a code is supported. contradicted: support from which a code stands although its
    mentions are denied. closer: score from which a more specific code is suggested. missing: omission from which a
    code is missed.
    """

    support: Weighing
    omission: Weighing
    supported: float
    contradicted: float
    closer: float
    missing: float


@dataclass(frozen=True, slots=True)
class Tables:
    """What auditing looks up. word_weights: how rare each word is among the names of codes.

    formerly_complete: codes that an earlier release accepted as they stand and that are subdivided today.
    """

    reader: Reader
    word_weights: Mapping[str, float]
    formerly_complete: frozenset[str]


@dataclass(frozen=True, slots=True)
class Auditor:
    """Tables, and operating points for when the model answered and for when the dictionary alone did."""

    tables: Tables
    with_model: Policy
    dictionary_alone: Policy


def load_auditor(folder: Path, reader: Reader) -> Auditor:
    """Read `audit.json` beside the model. Raises FileNotFoundError."""
    entry = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    tables = Tables(reader, entry["word_weights"], formerly_complete())
    return Auditor(tables, policy_of(entry["with_model"]), policy_of(entry["dictionary_alone"]))


def policy_of(entry: Mapping[str, Any]) -> Policy:
    """A policy as `audit.json` holds it: every coefficient and operating point by its name."""
    support, omission = entry["support"], entry["omission"]
    return Policy(
        Weighing(tuple(support[name] for name in SUPPORT), support["intercept"]),
        Weighing(tuple(omission[name] for name in MISSED), omission["intercept"]),
        entry["supported"],
        entry["contradicted"],
        entry["closer"],
        entry["missing"],
    )


def formerly_complete() -> frozenset[str]:
    """Codes that an earlier release accepted as they stand."""
    return frozenset(code for code, _source in rows("formerly_complete.tsv", 2))
