"""The network: embeddings that add up, convolutions, what the note says elsewhere of a word, and the heads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MEMORY = 32


class Network(nn.Module):
    """Scores of all heads [B, T, S], and of the kind of text [B, kinds], from ids [B, T, K], same [B, T], mask [B, T].

    same: for each word the first place of the same word. known: [V, F] fixed vectors of the words, row 0 for none.
    affixes: [V, 2] rows of each word's beginning and ending. rows: of the embedding table, the words' own first; of
    the words only their difference from what is known of them and from their affixes is learnt.
    """

    def __init__(  # noqa: PLR0917 - its shape
        self, known: Tensor, affixes: Tensor, rows: int, width: int, dilations: Sequence[int], outputs: int, kinds: int
    ) -> None:
        super().__init__()
        self.register_buffer("known", known)
        self.register_buffer("affixes", affixes)
        self.project = nn.Linear(known.shape[1], width, bias=False)
        self.table = nn.Embedding(rows, width, padding_idx=0)
        nn.init.normal_(self.table.weight, std=0.1)
        with torch.no_grad():
            self.table.weight[: known.shape[0]] = 0.0
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in dilations)
        self.layers = nn.ModuleList(nn.Linear(3 * width, width) for _ in dilations)
        self.dilations = list(dilations)
        self.remember, self.recall = nn.Linear(width, MEMORY), nn.Linear(MEMORY, width)
        self.last = nn.LayerNorm(width)
        self.heads = nn.Linear(width, outputs)
        self.kinds = nn.Linear(width, kinds)
        self.drop_in, self.drop = nn.Dropout(0.3), nn.Dropout(0.2)

    def forward(self, ids: Tensor, same: Tensor, mask: Tensor, pooled: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """pooled: [B, T], words by which the kind of text is told; all when None."""
        words = ids[:, :, 0]
        words = torch.where(words < len(self.known), words, 0)
        embedded = self.table(ids).sum(2) + self.of_words(words)
        return self.contextual(self.drop_in(embedded), same, mask, mask if pooled is None else pooled)

    def of_words(self, words: Tensor) -> Tensor:
        """What is known of words, and their affixes; nothing of row 0."""
        return self.project(self.known[words]) + self.table(self.affixes[words]).sum(-2)

    def contextual(self, h: Tensor, same: Tensor, mask: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor]:
        keep = mask.unsqueeze(-1)
        for number, (norm, layer, dilation) in enumerate(zip(self.norms, self.layers, self.dilations, strict=True)):
            z = norm(h) * keep
            padded = nn.functional.pad(z, (0, 0, dilation, dilation))
            length = z.shape[1]
            around = torch.cat([padded[:, :length], z, padded[:, 2 * dilation :]], -1)
            h = h + self.drop(torch.relu(layer(around)))
            if number == len(self.layers) - 2:
                said = torch.relu(self.remember(h)) * keep
                where = same.unsqueeze(-1).expand(-1, -1, MEMORY)
                most = torch.zeros_like(said).scatter_reduce(1, where, said, "amax")
                h = h + self.recall(most.gather(1, where))
        last = self.last(h)
        share = (pooled / pooled.sum(1, keepdim=True).clamp(min=1.0)).unsqueeze(1)
        return self.heads(last), self.kinds((share @ last)[:, 0])


class Served(nn.Module):
    """What is exported: the table with everything folded in, in half precision, and the best state of each group."""

    def __init__(self, network: Network, groups: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        with torch.no_grad():
            table = network.table.weight.clone()
            count = len(network.known)
            table[:count] += network.of_words(torch.arange(count))
        self.network, self.groups = network.eval(), list(groups)
        self.register_buffer("rows", table.half())

    def forward(self, ids: Tensor, same: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Best states [B, T, groups] as uint8, all scores [B, T, S], and probabilities of the kinds [B, kinds]."""
        embedded = self.rows[ids.long()].float().sum(2)
        scores, kinds = self.network.contextual(embedded, same.long(), mask, mask)
        states = [scores[:, :, first:last].argmax(-1, keepdim=True) for first, last in self.groups]
        return torch.cat(states, -1).to(torch.uint8), scores, kinds.softmax(-1)
