"""Fit the network to documents, and say what it finds in others."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
import torch
from corpus import GROUPS, Example, word_spans
from network import Network
from numpy.typing import NDArray
from scoring import SpanOf
from torch import Tensor, nn

from services.nlp_coder import entity_kernels
from services.nlp_coder.entity_features import EntityInput, EntityVocabulary, encoded, padded
from services.nlp_coder.entity_model import KINDS
from services.nlp_coder.entity_spans import BEGIN, END, INSIDE, SINGLE, edges
from services.nlp_coder.short_forms import with_short_forms

SEED = 20261128
WIDTH, DILATIONS = 80, (1, 2, 1)
TABLE = "table.weight"
EPOCHS, BATCH_WORDS = 10, 4000
RATE, FADE = 3e-3, 0.998
WORD_DROP = 0.1
# How often a document is seen in an epoch: the corpus with most labels has fewest words.
TURNS = {"maccrobat": 3, "chia": 2}
# Whose scores for diseases a head adds to its own, and how much of them; what "outside" has less. On the first fold.
LENT = {"ncbi_disease": ("bc5cdr", 0.5), "bc5cdr": ("ncbi_disease", 0.25)}
LESS_OUTSIDE = {"chia": 0.5, "maccrobat": 0.5}
# Notes only tell their kind, which needs less.
NOTE_SHARE = 0.15
KIND_OF = {"mtsamples": "note", "mts_dialog": "note"}
# Steps of one point, where scores are put in whole numbers.
FINE = 256
# Of a document, the share of words from which its kind is told in training at least, so that fragments are told too.
LEAST_SHARE = 0.1


class _HasHeads(Protocol):
    heads: nn.Linear


Tagger = TypeVar("Tagger", bound=_HasHeads)


@dataclass(frozen=True, slots=True)
class Group:
    """Labels that do not overlap; their states are scores `first` up to but not including `last`."""

    corpus: str
    labels: Sequence[str]
    first: int
    last: int


def groups() -> list[Group]:
    """Of all heads, in order."""
    found, first = [], 0
    for corpus, parts in GROUPS.items():
        for labels in parts:
            last = first + 1 + 4 * len(labels)
            found.append(Group(corpus, list(labels), first, last))
            first = last
    return found


@dataclass(slots=True)
class Prepared:
    """A document as the network takes it. targets: int64 [groups, T], -1 where nothing is known."""

    example: Example
    given: EntityInput
    targets: NDArray[np.int64]
    kind: int


def prepared(examples: Sequence[Example], vocabulary: EntityVocabulary) -> list[Prepared]:
    """Inputs and targets."""
    return [
        Prepared(
            one,
            encoded(one.document, one.mentions, [(drug.first, drug.last) for drug in one.drugs], vocabulary),
            targets_of(one),
            KINDS.index(KIND_OF.get(one.corpus, one.corpus)),
        )
        for one in examples
    ]


def with_words(vocabulary: EntityVocabulary, ids: Mapping[str, int]) -> EntityVocabulary:
    """The same rows, of which some words are not known."""
    fewer = EntityVocabulary(ids, vocabulary.names, vocabulary.model_sha256)
    fewer.lay_out(len(vocabulary.ids))
    return fewer


def targets_of(example: Example) -> NDArray[np.int64]:
    count = len(example.document.words)
    found = np.full((len(groups()), count), -1, dtype=np.int64)
    for number, group in enumerate(groups()):
        if group.corpus == example.corpus:
            found[number] = 0
            for first, last, label in word_spans(example, group.labels):
                base = 1 + 4 * group.labels.index(label)
                found[number, first:last] = base + INSIDE
                found[number, first], found[number, last - 1] = base + BEGIN, base + END
                if last - first == 1:
                    found[number, first] = base + SINGLE
    return found


def _batches(notes: Sequence[Prepared], random: np.random.Generator | None) -> Iterator[list[Prepared]]:
    """Documents of about one length, at most `BATCH_WORDS` with their padding. random: None keeps an order."""
    order = sorted(range(len(notes)), key=lambda index: len(notes[index].given.ids))
    if random is not None:
        order = random.permutation(len(notes)).tolist()
        order = [
            index
            for start in range(0, len(order), 256)
            for index in sorted(order[start : start + 256], key=lambda index: len(notes[index].given.ids))
        ]
    batches: list[list[Prepared]] = [[]]
    longest = 0
    for index in order:
        length = len(notes[index].given.ids)
        longest = max(longest, length)
        if batches[-1] and longest * (len(batches[-1]) + 1) > BATCH_WORDS:
            batches.append([])
            longest = length
        batches[-1].append(notes[index])
    if random is not None:
        batches = [batches[index] for index in random.permutation(len(batches))]
    yield from batches


@dataclass(frozen=True, slots=True)
class Plan:
    """What is trained and how. rate: the greatest rate of learning."""

    kind: type[Network] = Network
    width: int = WIDTH
    epochs: int = EPOCHS
    rate: float = RATE


def network_of(known: NDArray[np.float32], vocabulary: EntityVocabulary, plan: Plan) -> Network:
    """Not yet trained."""
    words = [0, *vocabulary.ids]
    affixes = torch.tensor([[0, 0], *(vocabulary.affixes(word) for word in words[1:])])
    vectors = torch.tensor(np.concatenate([np.zeros((1, known.shape[1]), dtype=np.float32), known]))
    return plan.kind(vectors, affixes, vocabulary.offsets, plan.width, DILATIONS, groups()[-1].last, len(KINDS))


def fit(
    notes: Sequence[Prepared],
    known: NDArray[np.float32],
    vocabulary: EntityVocabulary,
    seed: int = SEED,
    plan: Plan = Plan(),
) -> Network:
    """Train from scratch. Deterministic on one thread."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = network_of(known, vocabulary, plan)
    affixes = network.affixes
    # Few rows of the large table are met in a batch; only these move.
    dense = [value for name, value in network.named_parameters() if name != TABLE]
    optimizers = [
        torch.optim.Adam(dense, lr=plan.rate, betas=(0.9, 0.99)),
        torch.optim.SparseAdam([network.table.weight], lr=plan.rate, betas=(0.9, 0.99)),
    ]
    turns = [note for note in notes for _turn in range(TURNS.get(note.example.corpus, 1)) if note.targets.max() >= 0]
    others = [note for note in notes if note.targets.max() < 0]
    steps = plan.epochs * sum(1 for _ in _batches([*turns, *others[: int(len(others) * NOTE_SHARE)]], None))
    rates = [torch.optim.lr_scheduler.LambdaLR(one, partial(_rate, steps=steps)) for one in optimizers]
    faded = [value.detach().clone() for value in dense]
    for epoch in range(plan.epochs):
        network.train()
        losses = []
        few = [others[index] for index in random.permutation(len(others))[: int(len(others) * NOTE_SHARE)]]
        for batch in _batches([*turns, *few], random):
            loss = _loss(network, batch, vocabulary, affixes, random)
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(dense, 1.0)
            for optimizer, rate in zip(optimizers, rates, strict=True):
                optimizer.step()
                rate.step()
            losses.append(loss.item())
            with torch.no_grad():
                torch._foreach_lerp_(faded, dense, 1 - FADE)
        print(f"epoch {epoch + 1}: {np.mean(losses):.4f}", file=sys.stderr, flush=True)
    with torch.no_grad():
        for value, mean in zip(dense, faded, strict=True):
            value.copy_(mean)
    return settled(network.eval())


def settled(network: Tagger) -> Tagger:
    """Heads lend one another what they know of diseases, and what lies outside of all has a little less score.

    Both are sums of scores, so that they cost nothing once the weights are added.
    """
    by_corpus = {group.corpus: group for group in reversed(groups())}
    rows = {name: _rows_of(by_corpus[name], "Disease") for name in LENT}
    with torch.no_grad():
        for part in (network.heads.weight, network.heads.bias):
            own = part.clone()
            for name, (other, share) in LENT.items():
                part[rows[name]] += share * own[rows[other]]
        for group in groups():
            network.heads.bias[group.first] -= LESS_OUTSIDE.get(group.corpus, 0.0)
    return network


def _rows_of(group: Group, label: str) -> list[int]:
    """Scores of outside and of a label's states."""
    begin = group.first + 1 + 4 * group.labels.index(label)
    return [group.first, *range(begin, begin + 4)]


def _rate(step: int, steps: int) -> float:
    """Share of the greatest rate: a short rise, then half a wave down."""
    return min(1.0, (step + 1) / 100) * 0.5 * (1 + float(np.cos(np.pi * min(1.0, step / steps))))


def _loss(
    network: Network,
    batch: Sequence[Prepared],
    vocabulary: EntityVocabulary,
    affixes: Tensor,
    random: np.random.Generator,
) -> Tensor:
    given = {name: torch.tensor(value) for name, value in padded([note.given for note in batch]).items()}
    ids, mask = given["ids"].long(), given["mask"]
    length = ids.shape[1]
    # A word that the vocabulary lacks has its affixes alone.
    dropped = torch.tensor(random.random(ids.shape[:2]) < WORD_DROP) & (ids[:, :, 0] < vocabulary.offsets[1])
    ids[:, :, :2] = torch.where(dropped.unsqueeze(-1), affixes[ids[:, :, 0].clamp(max=len(affixes) - 1)], ids[:, :, :2])
    pooled = torch.zeros_like(mask)
    targets = np.full((len(batch), len(groups()), length), -1, dtype=np.int64)
    for row, note in enumerate(batch):
        count = len(note.given.ids)
        part = max(1, int(count * random.uniform(LEAST_SHARE, 1.0)))
        start = int(random.integers(0, count - part + 1))
        pooled[row, start : start + part] = 1.0
        targets[row, :, :count] = note.targets
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores, kinds = network(ids, given["same"].long(), mask, pooled)
    scores, kinds = scores.float(), kinds.float()
    wanted = torch.tensor(targets)
    loss = nn.functional.cross_entropy(kinds, torch.tensor([note.kind for note in batch])) * mask.sum() * 0.02
    for number, group in enumerate(groups()):
        rows = [row for row, note in enumerate(batch) if note.example.corpus == group.corpus]
        if rows:
            own = scores[rows][:, :, group.first : group.last].reshape(-1, group.last - group.first)
            loss = loss + nn.functional.cross_entropy(
                own, wanted[rows, number].reshape(-1), ignore_index=-1, reduction="sum"
            )
    return loss / mask.sum()


def heads_loss(scores: Tensor, targets: NDArray[np.int64]) -> Tensor:
    """Mean over words of their own corpus' heads. scores: [N, S]. targets: [groups, N], -1 where nothing is known."""
    loss = scores.new_zeros(())
    for number, group in enumerate(groups()):
        rows = np.flatnonzero(targets[number] >= 0)
        if len(rows):
            own = scores[torch.from_numpy(rows), group.first : group.last]
            loss = loss + nn.functional.cross_entropy(own, torch.from_numpy(targets[number, rows]), reduction="sum")
    return loss / max(1, len(scores))


def scores_of(
    network: Network, notes: Sequence[Prepared]
) -> Iterator[tuple[Prepared, NDArray[np.float32], NDArray[np.float32]]]:
    """Each document with the scores of its words and of its kind."""
    network.eval()
    with torch.inference_mode():
        for batch in _batches(notes, None):
            given = {name: torch.tensor(value) for name, value in padded([note.given for note in batch]).items()}
            scores, kinds = network(given["ids"].long(), given["same"].long(), given["mask"])
            for row, note in enumerate(batch):
                yield note, scores[row, : len(note.given.ids)].numpy(), kinds[row].numpy()


def found_in(example: Example, scores: NDArray[np.generic]) -> list[SpanOf]:
    """Spans of a document's own head, from all scores [T, S], as the service makes them."""
    found = []
    for group in groups():
        if group.corpus == example.corpus:
            whole = np.round(scores * FINE).astype(np.int64) if scores.dtype != np.uint8 else scores
            best = entity_kernels.best_spans(whole, group.first, len(group.labels))
            for first, last, label in with_short_forms(example.document, best).tolist():
                found.append((*edges(example.document, first, last, group.labels[label]), group.labels[label]))
    return found
