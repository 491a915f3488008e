"""How well parts of prescriptions and results of tests are found beside gold entities and attached to the right one."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpus import FILES, fold_of

from services.nlp_coder.document import Document, load_grammar, read, word_range
from services.nlp_coder.entities import FoundEntity, attach_values
from services.nlp_coder.entity_model import LabelledWords
from services.nlp_coder.prescriptions import parts_by_medication

PARTS = {"Dosage": "dose", "Frequency": "frequency", "Duration": "duration", "Administration": "route"}
VALUES = {"maccrobat": ("Diagnostic_procedure", "Lab_value", "MODIFY"), "chia": ("Measurement", "Value", "Has_value")}


def figures(data: Path) -> dict[str, Any]:
    """Precision, recall and F1 by attribute on gold medications and tests, in training parts and held-back ones."""
    found: dict[str, Any] = {}
    for name, is_held in (("training", False), ("held_back", True)):
        counts: Counter[tuple[str, str]] = Counter()
        for corpus in VALUES:
            for entry in _entries(data / FILES[corpus]):
                if (fold_of(entry["id"]) < 0) == is_held:
                    document = read(entry["text"], load_grammar())
                    if corpus == "maccrobat":
                        _medications(entry, document, counts)
                    _values(entry, document, corpus, counts)
        found[name] = {key: _figures(counts, key) for key in (*PARTS.values(), "value of maccrobat", "value of chia")}
    return found


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _medications(entry: dict[str, Any], document: Document, counts: Counter[tuple[str, str]]) -> None:
    """A dose may hold its frequency in MACCROBAT ("5 mg twice daily"), so what overlaps a gold part is that part."""
    entities = entry["entities"]
    drugs = sorted(
        (one["start"], one["end"], index) for index, one in enumerate(entities) if one["label"] == "Medication"
    )
    drugs = [drug for number, drug in enumerate(drugs) if not number or drug[0] >= drugs[number - 1][1]]
    gold = {
        (relation["to"], relation["from"])
        for relation in entry["relations"]
        if entities[relation["from"]]["label"] in PARTS and entities[relation["to"]]["label"] == "Medication"
    }
    attached = parts_by_medication(document, [(start, end) for start, end, _index in drugs])
    for (_start, _end, index), own in zip(drugs, attached, strict=True):
        mine = [entities[part] for drug, part in gold if drug == index]
        for part in mine:
            name = PARTS[part["label"]]
            counts[name, "gold"] += 1
            counts[name, "met"] += any(one.start < part["end"] and part["start"] < one.end for one in own)
        for one in own:
            if one.name in PARTS.values():
                counts[one.name, "found"] += 1
                counts[one.name, "right"] += any(one.start < part["end"] and part["start"] < one.end for part in mine)


def _values(entry: dict[str, Any], document: Document, corpus: str, counts: Counter[tuple[str, str]]) -> None:
    test_label, value_label, relation_type = VALUES[corpus]
    key, entities = f"value of {corpus}", entry["entities"]
    tests, spans, values = [], [], []
    for index, one in enumerate(entities):
        words = word_range(document, one["start"], one["end"])
        if words is None or "fragments" in one:
            continue
        if one["label"] == test_label:
            tests.append((FoundEntity("test", *words, one["start"], one["end"], ""), index))
        elif one["label"] == value_label:
            spans.append(LabelledWords(corpus, *words, value_label))
            values.append(index)
    tests.sort(key=lambda test: test[0].start)
    owners = attach_values([test for test, _index in tests], spans, document)
    by_id = {id(test): index for test, index in tests}
    known = {index for _test, index in tests}
    gold = {
        tuple(sorted((relation["from"], relation["to"])))
        for relation in entry["relations"]
        if relation["type"] == relation_type
        and {entities[relation["from"]]["label"], entities[relation["to"]]["label"]} == {test_label, value_label}
        and {relation["from"], relation["to"]} <= known | set(values)
    }
    found = {
        tuple(sorted((by_id[id(owner)], value)))
        for owner, value in zip(owners, values, strict=True)
        if owner is not None
    }
    counts[key, "gold"] += len(gold)
    counts[key, "met"] += len(gold & found)
    counts[key, "found"] += len(found)
    counts[key, "right"] += len(gold & found)


def _figures(counts: Counter[tuple[str, str]], key: str) -> dict[str, float]:
    recall = counts[key, "met"] / max(1, counts[key, "gold"])
    precision = counts[key, "right"] / max(1, counts[key, "found"])
    f1 = 2 * recall * precision / max(1e-9, recall + precision)
    return {
        "gold": counts[key, "gold"],
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(f1, 4),
    }
