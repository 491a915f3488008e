"""Two transformers beside the tagger, on the held-back documents: a fine-tuned MiniLM, and one trained from scratch.

VIGIL_TRAINING_DATA=../shared/data python triton_models/note_entities/training/attention.py

Writes `minilm`, `transformer_from_scratch` and `costs` of `comparison.json`; `--only` and one of these names makes that
one alone. Both learn the training part of all four corpora at once, with the heads, states and sums of scores of the
tagger, and are asked once for what is held back. Of MiniLM the upper layers are tuned and the others stay, so that what
these make of the text is made once.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
HERE = Path(__file__).resolve().parent
MODEL = HERE.parent
sys.path[:0] = [str(HERE), str(HERE.parents[2]), str(HERE.parents[2] / "generated")]

import corpus  # noqa: E402 - after the path
import fitting  # noqa: E402
import gazetteers  # noqa: E402
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
import torch  # noqa: E402
import vectors  # noqa: E402
from compare import save  # noqa: E402
from corpus import GROUPS, Example  # noqa: E402
from network import Dropout, Network  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from onnxruntime.quantization import quantize_dynamic  # noqa: E402
from scoring import Scores  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from services.nlp_coder.drugs import load_drugs  # noqa: E402
from services.nlp_coder.entity_features import EntityVocabulary, padded  # noqa: E402
from services.nlp_coder.reading import load_reader  # noqa: E402

DATA = Path(os.environ.get("VIGIL_TRAINING_DATA", "../shared/data"))
KEPT = HERE.parents[2] / "var" / "training"
# Pieces of a window, and of a batch with its padding.
LONGEST, BATCH = 256, 4096
# Pieces around an even cut among which the end of a sentence is looked for.
SLACK = 24
TUNED, EPOCHS = 2, 3
RATE, HEADS_RATE, WARM = 3e-4, 2e-3, 50
TURNS = {"maccrobat": 2}
# From scratch: width, heads and layers, and how many words it takes at least for a turn of what turns slowest.
WIDTH, HEADS, BLOCKS, SLOWEST = 128, 4, 3, 1000.0
SCRATCH_EPOCHS, SCRATCH_RATE = 6, 1e-3
# What a note costs is measured on.
NOTE_WORDS, ROUNDS = 455, 60


class Block(nn.Module):
    """Attention and two products over [B, T, width], as BERT has them. mask: [B, 1, 1, T], what is not padding."""

    def __init__(self, width: int, heads: int, inner: int, drop: float, random: np.random.Generator) -> None:
        super().__init__()
        self.heads = heads
        self.given, self.made = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
        self.middle, self.last = nn.LayerNorm(width, 1e-12), nn.LayerNorm(width, 1e-12)
        self.drop = Dropout(drop, random)

    def forward(self, h: Tensor, mask: Tensor, turns: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """turns: cosines and sines of each place, by which asked and offered are turned (Su et al. 2021)."""
        batch, length, width = h.shape
        asked, offered, told = self.given(h).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if turns is not None:
            asked, offered = _turned(asked, *turns), _turned(offered, *turns)
        # Written out: torch's own takes three times as long on windows this short.
        scores = (asked * asked.shape[-1] ** -0.5) @ offered.transpose(-1, -2)
        seen = scores.masked_fill(~mask, -1e4).softmax(-1).to(told.dtype) @ told
        h = self.middle(h + self.drop(self.made(seen.transpose(1, 2).reshape(batch, length, width))))
        return self.last(h + self.drop(self.down(nn.functional.gelu(self.up(h)))))


def _turned(values: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Pairs of values [..., T, 2 n] turned by angles [T, n]."""
    one, other = values.chunk(2, -1)
    return torch.cat([one * cosines - other * sines, other * cosines + one * sines], -1).to(values.dtype)


class Attending(Network):
    """The tagger with attention over all words in place of its convolutions; its rows of words are the same."""

    def __init__(self, known: Tensor, affixes: Tensor, offsets: Sequence[int], width: int, *rest: object) -> None:
        _dilations, outputs, kinds = rest
        super().__init__(known, affixes, offsets, width, (), outputs, kinds)
        self.first = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(width, HEADS, 4 * width, 0.2, self.drop.random) for _ in range(BLOCKS))

    def contextual(self, h: Tensor, same: Tensor, mask: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor]:
        del same  # attention sees all places of a word
        size = h.shape[-1] // HEADS // 2
        angles = torch.arange(h.shape[1])[:, None] * SLOWEST ** (-torch.arange(size) / size)
        h = self.first(h)
        for block in self.blocks:
            h = block(h, mask.bool()[:, None, None], (angles.cos(), angles.sin()))
        share = (pooled / pooled.sum(1, keepdim=True).clamp(min=1.0)).unsqueeze(1)
        return self.heads(h), self.kinds((share @ h)[:, 0])


SCRATCH = fitting.Plan(Attending, WIDTH, SCRATCH_EPOCHS, SCRATCH_RATE)


class Pretrained(nn.Module):
    """all-MiniLM-L6-v2 with the tagger's heads."""

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        _tokenizer, bert = vectors.minilm()
        self.embeddings = bert.embeddings
        config = bert.config
        self.layers = nn.ModuleList()
        for layer in bert.encoder.layer:
            own = Block(config.hidden_size, config.num_attention_heads, config.intermediate_size, 0.1, random)
            attention = layer.attention.self
            for name in ("weight", "bias"):
                three = [getattr(part, name) for part in (attention.query, attention.key, attention.value)]
                getattr(own.given, name).data = torch.cat([part.data for part in three])
            own.made, own.middle = layer.attention.output.dense, layer.attention.output.LayerNorm
            own.up, own.down, own.last = layer.intermediate.dense, layer.output.dense, layer.output.LayerNorm
            self.layers.append(own)
        self.drop = Dropout(0.1, random)
        self.heads = nn.Linear(config.hidden_size, fitting.groups()[-1].last)

    def lower(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """What the layers that stay make of pieces [B, T]."""
        h = self.embeddings(pieces)
        for layer in self.layers[: len(self.layers) - TUNED]:
            h = layer(h, mask)
        return h

    def upper(self, h: Tensor, mask: Tensor) -> Tensor:
        """Scores [B, T, S] from what the lower layers made."""
        for layer in self.layers[len(self.layers) - TUNED :]:
            h = layer(h, mask)
        return self.heads(self.drop(h))

    def forward(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """As served, for its cost."""
        return self.upper(self.lower(pieces, mask), mask)


@dataclass(slots=True)
class Window:
    """A part of a document: its pieces, its words from `first` on by the places of their first pieces.

    lower: what the lower layers made, bfloat16 [pieces, width].
    """

    example: Example
    pieces: NDArray[np.int64]
    first: int
    places: NDArray[np.int64]
    lower: Tensor | None = None


def windows(examples: Sequence[Example]) -> Iterator[Window]:
    """Documents in pieces, cut evenly into windows, at the end of a sentence where one is near."""
    tokenizer, _bert = vectors.minilm()
    stop, opening, closing = tokenizer.convert_tokens_to_ids([".", "[CLS]", "[SEP]"])
    for one in examples:
        found = tokenizer(one.document.text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        ids = np.array(found["input_ids"], dtype=np.int64)
        starts = np.array([start for start, _end in found["offset_mapping"]])
        # The piece in which a word starts.
        places = np.searchsorted(starts, np.array(one.document.words.starts), side="right") - 1
        parts = -(-len(ids) // (LONGEST - 2 - SLACK))
        cuts = [0]
        for part in range(1, parts):
            even = len(ids) * part // parts
            near = [cut for cut in range(even - SLACK // 2, even + SLACK // 2) if ids[cut - 1] == stop]
            cuts.append(min(near, key=lambda cut: abs(cut - even), default=even))
        for start, end in zip(cuts, [*cuts[1:], len(ids)], strict=True):
            first, last = np.searchsorted(places, [start, end])
            if last > first:
                pieces = np.concatenate([[opening], ids[start:end], [closing]])
                yield Window(one, pieces, int(first), places[first:last] - start + 1)


def batches(all_windows: Sequence[Window], random: np.random.Generator | None) -> Iterator[list[Window]]:
    """Windows of about one length; in no order with `random`."""
    jitter = random.random(len(all_windows)) * 8 if random is not None else np.zeros(len(all_windows))
    order = np.argsort([len(one.pieces) for one in all_windows] + jitter, kind="stable").tolist()
    found: list[list[Window]] = [[]]
    for index in order:
        if found[-1] and len(all_windows[index].pieces) * (len(found[-1]) + 1) > BATCH:
            found.append([])
        found[-1].append(all_windows[index])
    if random is not None:
        found = [found[index] for index in random.permutation(len(found))]
    yield from found


def _mask(batch: Sequence[Window]) -> Tensor:
    lengths = torch.tensor([len(one.pieces) for one in batch])
    return (torch.arange(int(lengths.max())) < lengths[:, None])[:, None, None]


def _lower(network: Pretrained, all_windows: Sequence[Window]) -> None:
    """Have what the lower layers make with each window."""
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        for batch in batches(all_windows, None):
            pieces = nn.utils.rnn.pad_sequence([torch.tensor(one.pieces) for one in batch], batch_first=True)
            found = network.lower(pieces, _mask(batch)).bfloat16()
            for row, one in enumerate(batch):
                one.lower = found[row, : len(one.pieces)].clone()


def _upper(network: Pretrained, batch: Sequence[Window]) -> Tensor:
    """Scores of the words of all windows, one after the other."""
    given = nn.utils.rnn.pad_sequence([one.lower for one in batch if one.lower is not None], batch_first=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = network.upper(given.float(), _mask(batch))
    return torch.cat([scores[row, torch.from_numpy(one.places)] for row, one in enumerate(batch)]).float()


def fine_tuned(
    seen: Sequence[Window], targets: dict[str, NDArray[np.int64]], random: np.random.Generator
) -> Pretrained:
    """Tune the upper layers, and the heads."""
    network = Pretrained(random).eval()
    started = time.process_time()
    _lower(network, seen)
    print(f"lower layers: {time.process_time() - started:.0f} s of processor", flush=True)
    own = [value for layer in network.layers[-TUNED:] for value in layer.parameters()]
    heads = list(network.heads.parameters())
    optimizer = torch.optim.AdamW(
        [{"params": own, "lr": RATE}, {"params": heads, "lr": HEADS_RATE}], betas=(0.9, 0.98), weight_decay=0.01
    )
    turns = [one for one in seen for _turn in range(TURNS.get(one.example.corpus, 1))]
    steps = EPOCHS * sum(1 for _ in batches(turns, None))
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(_rate, steps=steps))
    network.train()
    done = 0
    for epoch in range(EPOCHS):
        losses = []
        for batch in batches(turns, random):
            loss = fitting.heads_loss(
                _upper(network, batch),
                np.concatenate([_own_targets(one, targets) for one in batch], axis=1),
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([*own, *heads], 1.0)
            optimizer.step()
            rate.step()
            losses.append(loss.item())
            done += 1
            if done % 20 == 0:
                spent = time.process_time() - started
                print(f"step {done} of {steps}: {np.mean(losses[-20:]):.4f}, {spent:.0f} s of processor", flush=True)
        torch.save(network.state_dict(), KEPT / f"note_entities_minilm_{epoch + 1}.pt")
        print(f"epoch {epoch + 1}: {np.mean(losses):.4f}", flush=True)
    return fitting.settled(network.eval())


def _own_targets(one: Window, targets: dict[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    return targets[one.example.name][:, one.first : one.first + len(one.places)]


def _rate(step: int, steps: int) -> float:
    """Share of the greatest rate: a short rise, then down in a line."""
    return min(1.0, (step + 1) / WARM) * (1 - step / steps)


def found_by(network: Pretrained, held: Sequence[Window]) -> Scores:
    """What it finds, against gold."""
    _lower(network, held)
    rows: dict[str, list[tuple[int, NDArray[np.float32]]]] = {}
    with torch.inference_mode():
        for batch in batches(held, None):
            scores = iter(_upper(network, batch).numpy())
            for one in batch:
                own = np.stack([next(scores) for _word in one.places])
                rows.setdefault(one.example.name, []).append((one.first, own))
    result = Scores()
    for name, one in {one.example.name: one.example for one in held}.items():
        whole = np.concatenate([own for _first, own in sorted(rows[name], key=lambda row: row[0])])
        result.add(one, fitting.found_in(one, whole))
    return result


def minilm(examples: Sequence[Example]) -> dict[str, object]:
    """Fine-tune MiniLM, and what it finds."""
    started = time.process_time()
    random = np.random.default_rng(fitting.SEED)
    torch.manual_seed(fitting.SEED)
    examples = [one for one in examples if one.corpus in GROUPS]
    every = list(windows(examples))
    targets = {one.name: fitting.targets_of(one) for one in examples}
    network = fine_tuned([one for one in every if one.example.fold >= 0], targets, random)
    scores = found_by(network, [one for one in every if one.example.fold < 0])
    print("minilm", scores.table(), sep="\n", flush=True)
    return scores.figures() | {"training_s": round(time.process_time() - started)}


def from_scratch(examples: Sequence[Example]) -> dict[str, object]:
    """Train on the tagger's rows of words, and what it finds."""
    started = time.process_time()
    words, known, _without = vectors.kept(DATA)
    vocabulary = _vocabulary(words)
    notes = fitting.prepared([one for one in examples if one.corpus in GROUPS], vocabulary)
    network = fitting.fit([note for note in notes if note.example.fold >= 0], known, vocabulary, plan=SCRATCH)
    torch.save(network.state_dict(), KEPT / "note_entities_from_scratch.pt")
    scores = Scores()
    for note, found, _kinds in fitting.scores_of(network, [note for note in notes if note.example.fold < 0]):
        scores.add(note.example, fitting.found_in(note.example, found))
    print("transformer from scratch", scores.table(), sep="\n", flush=True)
    return scores.figures() | {"training_s": round(time.process_time() - started)}


class _AsServed(nn.Module):
    """The one from scratch with its rows of words in one table."""

    def __init__(self, network: Attending) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("rows", network.table_served())

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.contextual(self.rows[ids].sum(-2), ids, mask, mask)


def costs(examples: Sequence[Example]) -> dict[str, object]:
    """Milliseconds of processor that each takes for one note, turn about, the least of `ROUNDS`; and its words.

    By onnxruntime on one thread, in 32 bits and with products in eight (dynamic quantisation), beside the graph that
    ships. Cutting into pieces is not counted. The note is the one of MTSamples nearest to `NOTE_WORDS` words.
    """
    notes = [one for one in examples if one.corpus == "mtsamples"]
    note = min(notes, key=lambda one: abs(len(one.document.words) - NOTE_WORDS))
    cut = list(windows([note]))
    pieces = nn.utils.rnn.pad_sequence([torch.tensor(one.pieces) for one in cut], batch_first=True)
    words, known, _without = vectors.kept(DATA)
    vocabulary = _vocabulary(words)
    [prepared] = fitting.prepared([note], vocabulary)
    own = padded([prepared.given])
    pretrained = Pretrained(np.random.default_rng(0))
    pretrained.load_state_dict(torch.load(KEPT / f"note_entities_minilm_{EPOCHS}.pt"))
    attending = fitting.network_of(known, vocabulary, SCRATCH)
    attending.load_state_dict(torch.load(KEPT / "note_entities_from_scratch.pt"))
    modules = {
        "minilm": (pretrained, {"pieces": pieces, "mask": _mask(cut)}),
        "transformer_from_scratch": (
            _AsServed(attending),
            {"ids": torch.tensor(own["ids"]).long(), "mask": torch.tensor(own["mask"])},
        ),
    }
    sessions = {"convolutions": (_session(MODEL / "1" / "model.onnx"), own)}
    with tempfile.TemporaryDirectory() as folder:
        for name, (module, inputs) in modules.items():
            path, small = Path(folder) / f"{name}.onnx", Path(folder) / f"{name}_int8.onnx"
            _export(module, inputs, path)
            quantize_dynamic(path, small, per_channel=True)
            arrays = {key: value.numpy() for key, value in inputs.items()}
            sessions[f"{name}, float32"] = _session(path), arrays
            sessions[f"{name}, int8"] = _session(small), arrays
        spent: dict[str, list[float]] = {name: [] for name in sessions}
        for _round in range(ROUNDS):
            for name, (session, inputs) in sessions.items():
                started = time.thread_time()
                session.run(None, inputs)
                spent[name].append(time.thread_time() - started)
    found = {name: round(1000 * min(times), 2) for name, times in spent.items()}
    return {"words": len(note.document.words), "pieces": sum(len(one.pieces) for one in cut), "ms": found}


def _vocabulary(words: Sequence[str]) -> EntityVocabulary:
    return EntityVocabulary({word: row for row, word in enumerate(words, start=1)}, gazetteers.table(DATA), "")


def _export(module: nn.Module, inputs: dict[str, Tensor], path: Path) -> None:
    axes = {name: {0: "notes", value.dim() - 1 if name != "ids" else 1: "words"} for name, value in inputs.items()}
    torch.onnx.export(
        module.eval(), tuple(inputs.values()), str(path), input_names=list(inputs), dynamic_axes=axes, dynamo=False
    )


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def main() -> None:
    """Compare."""
    torch.set_num_threads(1)
    KEPT.mkdir(parents=True, exist_ok=True)
    examples = corpus.load(DATA, load_reader(), load_drugs())
    makers = {"minilm": minilm, "transformer_from_scratch": from_scratch, "costs": costs}
    only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else None
    for name in (only,) if only else makers:
        save(name, makers[name](examples))


if __name__ == "__main__":
    main()
