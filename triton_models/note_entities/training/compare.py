"""The tagger beside dictionary and rules, and beside a conditional random field, on the held-back documents.

VIGIL_TRAINING_DATA=../shared/data python triton_models/note_entities/training/compare.py

Writes `dictionary_and_rules` and `conditional_random_field` of `comparison.json`. The field (python-crfsuite, L-BFGS,
60 iterations, L1 .05, L2 .01) has words, affixes, shapes, what the dictionary and the names of drugs say, and the same
of two words on each side; a model for each corpus. Short forms are marked as with the tagger.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = Path(__file__).resolve().parent
MODEL = HERE.parent
sys.path[:0] = [str(HERE), str(HERE.parents[2]), str(HERE.parents[2] / "generated")]

import corpus  # noqa: E402 - after the path
import numpy as np  # noqa: E402
import pycrfsuite  # noqa: E402
from corpus import GROUPS, Example, word_spans  # noqa: E402
from scoring import Scores, SpanOf  # noqa: E402

from services.nlp_coder.drugs import load_drugs  # noqa: E402
from services.nlp_coder.entities import entities_of, load_entity_tables  # noqa: E402
from services.nlp_coder.entity_features import lexical, shape  # noqa: E402
from services.nlp_coder.entity_spans import edges  # noqa: E402
from services.nlp_coder.reading import ReadNote, load_reader  # noqa: E402
from services.nlp_coder.short_forms import with_short_forms  # noqa: E402

# What the tables' types are called in each corpus.
LABELS = {
    "maccrobat": {"medication": "Medication", "disease": "Disease_disorder", "sign_symptom": "Sign_symptom"},
    "bc5cdr": {"medication": "Chemical", "disease": "Disease", "sign_symptom": "Disease"},
    "ncbi_disease": {"disease": "Disease"},
    "chia": {"medication": "Drug", "disease": "Condition", "sign_symptom": "Condition"},
}
# CRFs take long: only the corpora and labels that have a goal.
FIELDS = {
    "ncbi_disease": GROUPS["ncbi_disease"][0],
    "bc5cdr": GROUPS["bc5cdr"][0],
    "maccrobat": ("Medication", "Sign_symptom", "Disease_disorder"),
}
AROUND = (-2, -1, 0, 1, 2)


def main() -> None:
    """Compare. `--without-fields`: dictionary and rules alone."""
    data = Path(os.environ.get("VIGIL_TRAINING_DATA", "../shared/data"))
    examples = [one for one in corpus.load(data, load_reader(), load_drugs()) if one.corpus in GROUPS]
    held = [one for one in examples if one.fold < 0]
    tables = load_entity_tables()
    scores = Scores()
    for one in held:
        scores.add(one, _by_tables(one, tables))
    print("dictionary and rules", scores.table(), sep="\n", flush=True)
    save("dictionary_and_rules", scores.figures())
    if "--without-fields" not in sys.argv:
        fields: dict[str, object] = {}
        for name, labels in FIELDS.items():
            fields[name] = _by_field(name, labels, examples, held)
            save("conditional_random_field", fields)


def save(name: str, figures: Mapping[str, object]) -> None:
    """Put one system's figures into `comparison.json`; those of the others stay."""
    path = MODEL / "comparison.json"
    found = json.loads(path.read_text(encoding="utf-8")) | {name: figures}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _by_tables(example: Example, tables: object) -> list[SpanOf]:
    note = ReadNote(example.document, example.mentions, [], {})
    entities = entities_of(note, example.drugs, [], "note", tables)  # type: ignore[arg-type]
    labels = LABELS[example.corpus]
    return [(one.start, one.end, labels[one.type]) for one in entities if one.type in labels]


def _by_field(
    name: str, labels: Sequence[str], examples: Sequence[Example], held: Sequence[Example]
) -> dict[str, object]:
    started = time.process_time()
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    trainer.set_params({"c1": 0.05, "c2": 0.01, "max_iterations": 60, "feature.minfreq": 2})
    for one in examples:
        if one.corpus == name and one.fold >= 0:
            trainer.append(_features(one), _tags(one, labels))
    scores = Scores()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/field"
        trainer.train(path)
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        for one in held:
            if one.corpus == name:
                gold = [gold for gold in one.gold if gold.label in labels]
                scores.add(replace(one, gold=gold), list(_spans(one, tagger.tag(_features(one)))))
    print(f"conditional random field, {name}", scores.table(), sep="\n", flush=True)
    seconds = round(time.process_time() - started)
    return scores.figures()[name] | {"training_s": seconds}  # type: ignore[operator]


def _features(example: Example) -> list[list[str]]:
    document = example.document
    own = []
    for start, end in zip(document.words.starts, document.words.ends, strict=True):
        word = document.text[start:end]
        plain = lexical(word)
        own.append([f"w={plain}", f"p={plain[:3]}", f"s={plain[-3:]}", f"t={plain[-4:]}", f"f={shape(word)}"])
    for read in example.mentions:
        for word in range(read.mention.first, read.mention.last):
            own[word].append(f"d={read.mention.kind}{word == read.mention.first}")
    for drug in example.drugs:
        for word in range(drug.first, drug.last):
            own[word].append(f"n={word == drug.first}")
    ends = [0, *document.words.ends]
    for word, start in enumerate(document.words.starts):
        own[word].append(f"g={document.text[ends[word] : start][:3]!r}")
    count = len(own)
    return [
        [f"{step}{name}" for step in AROUND if 0 <= word + step < count for name in own[word + step]]
        for word in range(count)
    ]


def _tags(example: Example, labels: Sequence[str]) -> list[str]:
    tags = ["O"] * len(example.document.words)
    for first, last, label in word_spans(example, labels):
        tags[first:last] = [f"I-{label}"] * (last - first)
        tags[first] = f"B-{label}"
    return tags


def _spans(example: Example, tags: Sequence[str]) -> list[SpanOf]:
    rows, first, labels = [], -1, sorted({tag[2:] for tag in tags})
    for word, tag in enumerate([*tags, "O"]):
        if first >= 0 and not tag.startswith("I-"):
            rows.append((first, word, labels.index(tags[first][2:])))
            first = -1
        if tag.startswith("B-"):
            first = word
    found = with_short_forms(example.document, np.array(rows, dtype=np.int64).reshape(-1, 3))
    return [
        (*edges(example.document, first, last, labels[label]), labels[label]) for first, last, label in found.tolist()
    ]


if __name__ == "__main__":
    main()
