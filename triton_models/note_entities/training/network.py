"""The network: embeddings that add up, convolutions, what the note says elsewhere of a word, and the heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from services.nlp_coder.entity_features import DRUGS, GAPS, MENTIONS, NAMES, PLACES, SHAPES

MEMORY = 32


class Parts(NamedTuple):
    """What the four rows of words stand for, each [...]; forms and marks taken apart."""

    words: Tensor
    endings: Tensor
    shapes: Tensor
    gaps: Tensor
    mentions: Tensor
    drugs: Tensor
    names: Tensor


class Dropout(nn.Module):
    """As torch's, with bytes for chances: drawing one number a value takes a seventh of all training."""

    def __init__(self, share: float, random: np.random.Generator) -> None:
        super().__init__()
        self.least = round(256 * share)
        self.random = random

    def forward(self, h: Tensor) -> Tensor:
        if not self.training:
            return h
        drawn = torch.frombuffer(bytearray(self.random.bytes(h.numel())), dtype=torch.uint8).view(h.shape)
        return h * ((drawn >= self.least) * (256 / (256 - self.least)))


class Network(nn.Module):
    """Scores of all heads [B, T, S], and of the kind of text [B, kinds], from ids [B, T, 4], same [B, T, 3], mask.

    known: [V, F] fixed vectors of the words, row 0 for none. affixes: [V, 2] rows of each word's beginning and ending.
    offsets: first rows of words, beginnings, endings, shapes with gaps, and marks; of the words only their difference
    from what is known of them and from their affixes is learnt.
    """

    def __init__(  # noqa: PLR0917 - its shape
        self,
        known: Tensor,
        affixes: Tensor,
        offsets: Sequence[int],
        width: int,
        dilations: Sequence[int],
        outputs: int,
        kinds: int,
    ) -> None:
        super().__init__()
        self.register_buffer("known", known)
        self.register_buffer("affixes", affixes)
        self.offsets = list(offsets)
        self.project = nn.Linear(known.shape[1], width, bias=False)
        # Rows of words and affixes are many and each is met seldom.
        self.table = nn.Embedding(offsets[3], width, padding_idx=0, sparse=True)
        sizes = SHAPES, GAPS, MENTIONS, DRUGS, NAMES
        self.small = nn.ModuleList(nn.Embedding(size, width) for size in sizes)
        for table in (self.table, *self.small):
            nn.init.normal_(table.weight, std=0.1)
        with torch.no_grad():
            self.table.weight[: known.shape[0]] = 0.0
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in dilations)
        last = len(dilations) - 1
        self.layers = nn.ModuleList(
            nn.Linear(3 * width + (PLACES * MEMORY if number == last else 0), width) for number in range(last + 1)
        )
        self.dilations = list(dilations)
        self.remember = nn.Linear(width, MEMORY)
        self.last = nn.LayerNorm(width)
        self.heads = nn.Linear(width, outputs)
        self.kinds = nn.Linear(width, kinds)
        random = np.random.default_rng(torch.initial_seed())
        self.drop_in, self.drop = Dropout(0.3, random), Dropout(0.2, random)

    def forward(self, ids: Tensor, same: Tensor, mask: Tensor, pooled: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """pooled: [B, T], words by which the kind of text is told; all when None."""
        h = self.drop_in(self.embedded(ids))
        return self.contextual(h, same, mask, mask if pooled is None else pooled)

    def embedded(self, ids: Tensor) -> Tensor:
        """Rows of words added up, [B, T, width]."""
        parts = self.parts(ids)
        known = torch.where(parts.words < len(self.known), parts.words, 0)
        # Each word of a batch once: what is known of it is long.
        distinct, places = torch.unique(known, return_inverse=True)
        found = self.table(torch.stack((parts.words, parts.endings), -1)).sum(-2) + self.of_words(distinct)[places]
        for table, rows in zip(self.small, parts[2:], strict=True):
            found = found + table(rows)
        return found

    def parts(self, ids: Tensor) -> Parts:
        """What rows stand for."""
        words, endings, forms, marks = ids.unbind(-1)
        forms = (forms - self.offsets[3]).clamp(min=0)
        marks = (marks - self.offsets[4]).clamp(min=0)
        return Parts(
            words, endings, forms // GAPS, forms % GAPS,
            marks // (DRUGS * NAMES), marks // NAMES % DRUGS, marks % NAMES,
        )  # fmt: skip

    def of_words(self, words: Tensor) -> Tensor:
        """What is known of words, and their affixes; nothing of row 0."""
        return self.project(self.known[words]) + self.table(self.affixes[words]).sum(-2)

    def contextual(self, h: Tensor, same: Tensor, mask: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor]:
        keep = mask.unsqueeze(-1)
        for number, (norm, layer, dilation) in enumerate(zip(self.norms, self.layers, self.dilations, strict=True)):
            z = norm(h) * keep
            padded = nn.functional.pad(z, (0, 0, dilation, dilation))
            length = z.shape[1]
            around = [padded[:, :length], z, padded[:, 2 * dilation :]]
            if number == len(self.layers) - 1:
                said = self.remember(z)
                where = same.flatten(1).unsqueeze(-1).expand(-1, -1, MEMORY)
                around.append(said.gather(1, where).view(len(h), length, PLACES * MEMORY))
            h = h + self.drop(torch.relu(layer(torch.cat(around, -1))))
        last = self.last(h)
        share = (pooled / pooled.sum(1, keepdim=True).clamp(min=1.0)).unsqueeze(1)
        return self.heads(last), self.kinds((share @ last)[:, 0])

    def table_served(self) -> Tensor:
        """All rows as served, everything folded in: words, affixes, each shape with each gap, each mark."""
        with torch.no_grad():
            rows = self.table.weight.clone()
            count = len(self.known)
            rows[:count] += self.of_words(torch.arange(count))
            shapes, gaps, mentions, drugs, names = (table.weight for table in self.small)
            forms = (shapes[:, None] + gaps).flatten(0, 1)
            marks = (mentions[:, None, None] + drugs[:, None] + names).flatten(0, 2)
            return torch.cat((rows, forms, marks))
