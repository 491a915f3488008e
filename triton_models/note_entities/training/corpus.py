"""The four corpora as the service reads them: words, gold spans, and the documents' own split."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.nlp_coder.document import Document, word_range
from services.nlp_coder.drugs import Drug, DrugMention, drugs_in
from services.nlp_coder.evidence import ReadMention
from services.nlp_coder.phrases import PhraseTable
from services.nlp_coder.reading import Reader, read_note

FILES = {
    "maccrobat": "maccrobat/train.jsonl.gz",
    "bc5cdr": "bc5cdr/train_dev.jsonl.gz",
    "ncbi_disease": "ncbi_disease/train.jsonl.gz",
    "chia": "chia/train.jsonl.gz",
}
# Labels of each head, in groups: within a group spans do not overlap, across groups they may. NCBI Disease is scored,
# as everywhere, on one label. Chia's meta labels are no entities, MACCROBAT's that stand fewer than 30 times are not
# learnt.
GROUPS: Mapping[str, Sequence[Sequence[str]]] = {
    "maccrobat": [
        [
            "Diagnostic_procedure", "Sign_symptom", "Detailed_description", "Biological_structure", "Lab_value",
            "Disease_disorder", "Therapeutic_procedure", "Medication", "Date", "Clinical_event", "Severity",
            "Dosage", "Nonbiological_location", "Coreference", "Duration", "Age", "Administration", "Sex", "Distance",
            "Activity", "Frequency", "Time",
        ],
        ["History", "Family_history"],
    ],
    "bc5cdr": [["Chemical", "Disease"]],
    "ncbi_disease": [["Disease"]],
    "chia": [
        [
            "Condition", "Qualifier", "Drug", "Value", "Procedure", "Measurement", "Person", "Observation", "Negation",
            "Multiplier", "Mood", "Device", "Visit",
        ],
        ["Temporal"],
        ["Reference_point"],
    ],
}  # fmt: skip
# Text of hospitals and clinics, without gold; every fourth of the long ones.
NOTES = {"mtsamples": "mtsamples/notes.jsonl.gz", "mts_dialog": "mts_dialog/train.jsonl.gz"}
_STEPS = {"mtsamples": 4}
HELD_BACK, FOLDS = 15, 5
_TRIAL = re.compile(r"_(?:inc|exc)$")


@dataclass(frozen=True, slots=True)
class Gold:
    """A gold span: characters, label, and whether it has gaps (start and end then enclose it)."""

    start: int
    end: int
    label: str
    is_broken: bool


@dataclass(slots=True)
class Example:
    """A document as the service reads it, with its gold spans. fold: 0 to 4, or -1 when it is held back."""

    corpus: str
    name: str
    document: Document
    mentions: list[ReadMention]
    drugs: list[DrugMention]
    gold: list[Gold]
    relations: list[dict[str, object]]
    fold: int


def load(data: Path, reader: Reader, drugs: PhraseTable[Drug]) -> list[Example]:
    """All documents of the corpora, and notes without gold, by which notes are told from them."""
    examples = []
    for corpus, name in (FILES | NOTES).items():
        labels = {label for group in GROUPS.get(corpus, ()) for label in group}
        for entry in _entries(data / name)[:: _STEPS.get(corpus, 1)]:
            note = read_note(entry["text"], reader)
            found = drugs_in(note.document, drugs)
            gold = [
                Gold(one["start"], one["end"], _label(corpus, one["label"]), "fragments" in one)
                for one in entry.get("entities", ())
                if _label(corpus, one["label"]) in labels
            ]
            relations, fold = entry.get("relations", []), fold_of(entry["id"])
            examples.append(Example(corpus, entry["id"], note.document, note.mentions, found, gold, relations, fold))
    return [example for example in examples if len(example.document.words)]


def _entries(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _label(corpus: str, label: str) -> str:
    return "Disease" if corpus == "ncbi_disease" else label


def fold_of(name: str) -> int:
    """By a document's name, for a trial's two files the same: 15 % are held back, the others fall into five folds."""
    number = int.from_bytes(hashlib.sha256(_TRIAL.sub("", name).encode()).digest()[:4], "big")
    return -1 if number % 100 < HELD_BACK else (number // 100) % FOLDS


def word_spans(example: Example, labels: Sequence[str]) -> list[tuple[int, int, str]]:
    """Gold spans of some labels as words (first, after the last), none over another: of two the longer one stays."""
    spans = []
    for gold in example.gold:
        if gold.label in labels and not gold.is_broken:
            words = word_range(example.document, gold.start, gold.end)
            if words is not None:
                spans.append((*words, gold.label))
    kept: list[tuple[int, int, str]] = []
    for span in sorted(set(spans), key=lambda one: (one[0] - one[1], one)):
        if all(span[1] <= other[0] or other[1] <= span[0] for other in kept):
            kept.append(span)
    return sorted(kept)
