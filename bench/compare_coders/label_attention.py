"""Attention in which every code looks for its own words in the note."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

DROPOUT = 0.1
SHARPNESS = 20.0  # of the attention at the start: tokens and queries have length 1
SCALE = 10.0  # from similarity to logit, at the start
USUAL_SIMILARITY = 0.45  # of a code's name to what it attends to, in a note that has nothing of it


class LabelAttention(nn.Module):  # type: ignore[misc]  # torch is not in the environment that checks types
    """Logits of all codes from the tokens of each note.

    names: [codes, dimensions], what the encoder makes of each code's name, of length 1. priors: [codes], share of
    training notes with the code. Each code has a query (what to attend to) and an answer (what that must look like);
    both are its name through a shared map, plus what the code learns for itself.
    """

    def __init__(self, names: Any, priors: Any) -> None:
        super().__init__()
        codes, dimensions = names.shape
        self.register_buffer("names", names)
        self.to_query = nn.Parameter(torch.eye(dimensions))
        self.to_answer = nn.Parameter(torch.eye(dimensions))
        self.own_query = nn.Parameter(torch.zeros(codes, dimensions))
        self.own_answer = nn.Parameter(torch.zeros(codes, dimensions))
        self.own_note = nn.Parameter(torch.zeros(codes, dimensions))
        self.bias = nn.Parameter(torch.log(priors / (1 - priors)))
        self.sharpness = nn.Parameter(torch.tensor(SHARPNESS))
        self.scale = nn.Parameter(torch.tensor(SCALE))

    def forward(self, notes: Sequence[Any]) -> Any:
        """notes: each [tokens, dimensions], rows of length 1. Returns logits [notes, codes]."""
        queries = self.sharpness * (self.names @ self.to_query + self.own_query)
        answers = self.names @ self.to_answer + self.own_answer
        return torch.stack([self._of_note(tokens, queries, answers) for tokens in notes])

    def _of_note(self, tokens: Any, queries: Any, answers: Any) -> Any:
        tokens = functional.dropout(tokens, DROPOUT, self.training)
        attended = torch.softmax(queries @ tokens.T, dim=1) @ tokens
        similar = (attended * answers).sum(dim=1) - USUAL_SIMILARITY
        return self.scale * (similar + self.own_note @ tokens.mean(dim=0)) + self.bias
