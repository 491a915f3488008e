"""Train `note_entities` on MACCROBAT, BC5CDR, NCBI Disease and Chia.

Choices come from the first fold of the training part, by document (Chia: by trial); documents that were held back are
looked at once, with the model that ships, which has not seen them.

VIGIL_TRAINING_DATA=../shared/data python triton_models/note_entities/training/train.py
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = Path(__file__).resolve().parent
MODEL = HERE.parent
sys.path[:0] = [str(HERE), str(HERE.parents[2]), str(HERE.parents[2] / "generated")]

import attachment  # noqa: E402 - after the path
import corpus  # noqa: E402
import fitting  # noqa: E402
import gazetteers  # noqa: E402
import graph  # noqa: E402
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
import torch  # noqa: E402
import vectors  # noqa: E402
from fitting import Prepared  # noqa: E402
from network import Network  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from scoring import Scores  # noqa: E402

from services.nlp_coder.document import word_range  # noqa: E402
from services.nlp_coder.drugs import load_drugs  # noqa: E402
from services.nlp_coder.entity_features import EntityVocabulary, padded  # noqa: E402
from services.nlp_coder.entity_model import KINDS  # noqa: E402
from services.nlp_coder.reading import load_reader  # noqa: E402

# Of the five folds, so that training takes less than an hour on a busy machine.
FOLDS_PREDICTED = 1
CALIBRATION = 64


def main() -> None:
    """Write the model, what stands beside it, and its figures.

    `--afresh`: make the vectors of words again. `--folds N`: predict so many folds. `--measure`: train nothing, and
    look at held-back documents with the model that is there, as when rules around it have changed.
    """
    torch.set_num_threads(1)  # the same figures every time
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    data = Path(os.environ.get("VIGIL_TRAINING_DATA", "../shared/data"))
    started = time.process_time()
    examples = corpus.load(data, load_reader(), load_drugs())
    words, known, without = vectors.kept(data, afresh="--afresh" in sys.argv)
    names = gazetteers.table(data)
    vocabulary = EntityVocabulary({word: row for row, word in enumerate(words, start=1)}, names, "")
    notes = fitting.prepared(examples, vocabulary)
    print(f"{len(notes)} documents, {len(words)} words: {time.process_time() - started:.0f} s", flush=True)
    seen = [note for note in notes if note.example.fold >= 0]
    held = [note for note in notes if note.example.fold < 0]
    if "--measure" in sys.argv:
        kept = json.loads((MODEL / "metrics.json").read_text(encoding="utf-8"))
        _save(kept | {"held_back": _held_back(held, vocabulary), "attachment": attachment.figures(data)})
        return
    network = fitting.fit(seen, known, vocabulary)
    digest = _write(network, words, names, seen)
    metrics = {
        "model": "note_entities",
        "data": "MACCROBAT2020, BC5CDR train and dev, NCBI Disease train, Chia without scopes",
        "licence": "CC BY 4.0 (MACCROBAT, Chia), Public Domain Mark (BC5CDR), public domain (NCBI Disease)",
        "split": "by document, of Chia by trial: 15 % held back, the others in five folds",
        "words": len(words),
        "names": int(np.count_nonzero(names)),
        "model_sha256": digest,
        "held_back": _held_back(held, vocabulary),
        "attachment": attachment.figures(data),
        "training_s": round(time.process_time() - started),
    }
    _save(metrics)
    folds = int(sys.argv[sys.argv.index("--folds") + 1]) if "--folds" in sys.argv else FOLDS_PREDICTED
    unseen: list[tuple[Prepared, NDArray[np.float32], NDArray[np.float32]]] = []
    for fold in range(folds):
        # Of the words of a fold only those are known that stand elsewhere too, as with documents to come.
        kept = {word: row for row, word in enumerate(words, start=1) if without[row - 1, fold]}
        own = fitting.prepared(
            [note.example for note in seen if note.example.fold == fold], fitting.with_words(vocabulary, kept)
        )
        other = fitting.fit([note for note in seen if note.example.fold != fold], known, vocabulary)
        unseen += fitting.scores_of(other, own)
        scores = scored(unseen)
        print(f"cross-validation, {fold + 1} folds", scores.table(), sep="\n", flush=True)
        found = scores.figures() | {"kinds": _kinds(unseen), "folds": fold + 1}
        _save(metrics | {"cross_validation": found, "training_s": round(time.process_time() - started)})


def _held_back(held: Sequence[Prepared], vocabulary: EntityVocabulary) -> dict[str, object]:
    served, told, recall = _served(held, vocabulary.offsets[1])
    print("held back", served.table(), told, sep="\n", flush=True)
    return served.figures() | {"kinds": told, "recall_by_words": recall}


def _save(metrics: dict[str, object]) -> None:
    (MODEL / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")


Unseen = Sequence[tuple[Prepared, NDArray[np.float32], NDArray[np.float32]]]


def scored(unseen: Unseen) -> Scores:
    """What was found in documents that were not seen, against gold."""
    result = Scores()
    for note, scores, _kinds_of in unseen:
        if note.targets.max() < 0:
            continue
        result.add(note.example, fitting.found_in(note.example, scores))
    return result


def _kinds(unseen: Unseen) -> dict[str, float]:
    """Share of each kind of text that is told rightly."""
    right: dict[str, list[bool]] = {}
    for note, _scores, kinds in unseen:
        right.setdefault(KINDS[note.kind], []).append(int(kinds.argmax()) == note.kind)
    return {kind: round(float(np.mean(values)), 4) for kind, values in right.items()}


def _write(network: Network, words: Sequence[str], names: NDArray[np.uint32], notes: Sequence[Prepared]) -> str:
    """Model, assets and configuration; the model's SHA-256."""
    random = np.random.default_rng(fitting.SEED)
    chosen = [notes[index] for index in random.permutation(len(notes))[:CALIBRATION]]
    path = MODEL / "1" / "model.onnx"
    graph.build(network, [padded([note.given]) for note in chosen], path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assets = MODEL / "assets"
    assets.mkdir(exist_ok=True)
    (assets / "words.txt").write_text("\n".join(words), encoding="utf-8")
    np.save(assets / "names.npy", names)
    labels = {
        "model_sha256": digest,
        "kinds": KINDS,
        "groups": [{"corpus": group.corpus, "labels": group.labels} for group in fitting.groups()],
    }
    (assets / "labels.json").write_text(json.dumps(labels, indent=1) + "\n", encoding="utf-8")
    config = (HERE / "config.pbtxt.in").read_text(encoding="utf-8")
    for mark, value in {
        "@SHA256@": digest,
        "@KINDS@": len(KINDS),
        "@SCORES@": fitting.groups()[-1].last,
    }.items():
        config = config.replace(mark, str(value))
    (MODEL / "config.pbtxt").write_text(config, encoding="utf-8")
    print(f"model.onnx: {path.stat().st_size / 1e6:.1f} MB, sha256 {digest}", flush=True)
    return digest


def _served(notes: Sequence[Prepared], known: int) -> tuple[Scores, dict[str, float], dict[str, dict[str, float]]]:
    """What the exported graph finds, one document at a time; and the recall of spans with and without unknown words.

    known: the row after the last word's.
    """
    session = onnxruntime.InferenceSession(str(MODEL / "1" / "model.onnx"))
    result, unseen = Scores(), []
    hits: dict[tuple[str, str], list[bool]] = {}
    for note in notes:
        scores, kinds = session.run(["scores", "kinds"], padded([note.given]))
        unseen.append((note, np.zeros(0, dtype=np.float32), kinds[0]))
        if note.targets.max() >= 0:
            found = fitting.found_in(note.example, scores[0, : len(note.given.ids)])
            result.add(note.example, found)
            for gold in note.example.gold:
                words = word_range(note.example.document, gold.start, gold.end)
                is_known = words is None or bool((note.given.ids[slice(*words), 0] < known).all())
                key = note.example.corpus, "all words known" if is_known else "a word unknown"
                hits.setdefault(key, []).append((gold.start, gold.end, gold.label) in found)
    recall: dict[str, dict[str, float]] = {}
    for (name, part), hit in sorted(hits.items()):
        recall.setdefault(name, {}).update({part: round(float(np.mean(hit)), 4), f"{part}: gold": len(hit)})
    return result, _kinds(unseen), recall


if __name__ == "__main__":
    main()
