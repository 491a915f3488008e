"""Train and ask `Lesions`. The lower, frozen layers run once a picture and augmentation; their maps are kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from network import Lesions, Read
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SEED = 7
MIRRORED, BLURRED = 0.5, 0.3  # shares of the augmented pictures
BATCH = 16
CHUNK = 64
OUTLINE_WEIGHT = 1.0
SMOOTHING = 0.05
AVERAGING = 0.98  # decay of the running mean of weights that is kept


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast. augmented: versions of each picture beside the plain and the mirrored one."""

    epochs: int = 3
    augmented: int = 2
    rate: float = 1e-3
    trunk_rate: float = 4e-4
    decay: float = 0.02


@dataclass(frozen=True, slots=True)
class Kept:
    """Low maps of every version of every picture, half precision, and the masks at half size.

    x4, x8: (versions, n, C, h, w). masks: (versions, n, side / 2, side / 2), 0 to 255. has_mask: (n,).
    """

    x4: Tensor
    x8: Tensor
    masks: Tensor
    has_mask: Tensor
    labels: Tensor


def keep(  # noqa: PLR0917 - arrays of one set
    network: Lesions,
    inputs: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    labels: NDArray[np.int64],
    has_mask: NDArray[np.bool_],
    recipe: Recipe,
    seed: int,
) -> Kept:
    """Version 0 is plain, 1 mirrored, the rest augmented."""
    generator = torch.Generator().manual_seed(seed)
    x4, x8, kept_masks = [], [], []
    for version in range(2 + recipe.augmented):
        for part in _chunks(len(inputs)):
            image = torch.from_numpy(inputs[part]).float().div(255).unsqueeze(1)
            mask = torch.from_numpy(masks[part]).float().div(255).unsqueeze(1)
            image, mask = _version(image, mask, version, generator)
            with torch.no_grad():
                low4, low8 = network.trunk.low(image.contiguous(memory_format=torch.channels_last))
            x4.append(low4.half())
            x8.append(low8.half())
            kept_masks.append(functional.avg_pool2d(mask, 2).mul(255).round().to(torch.uint8).squeeze(1))
    shape = (2 + recipe.augmented, len(inputs))
    return Kept(
        _stacked(x4, shape),
        _stacked(x8, shape),
        _stacked(kept_masks, shape),
        torch.from_numpy(has_mask),
        torch.from_numpy(labels),
    )


def _stacked(parts: list[Tensor], shape: tuple[int, int]) -> Tensor:
    whole = torch.empty((shape[0] * shape[1], *parts[0].shape[1:]), dtype=parts[0].dtype)
    at = 0
    for index in range(len(parts)):
        part, parts[index] = parts[index], torch.empty(0)
        whole[at : at + len(part)] = part
        at += len(part)
    return whole.reshape(*shape, *whole.shape[1:])


def _version(image: Tensor, mask: Tensor, version: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    if version == 0:
        return image, mask
    if version == 1:
        return image.flip(3), mask.flip(3)
    return augmented(image, mask, generator)


def augmented(image: Tensor, mask: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Turned, scaled, moved, mirrored; brighter or darker, blurred, noisy. image, mask: [B, 1, H, W] in [0, 1]."""
    count = len(image)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    angle, sign = uniform(-0.3, 0.3), torch.where(uniform(0, 1) < MIRRORED, -1.0, 1.0)
    across, down = uniform(0.8, 1.15), uniform(0.8, 1.15)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = sign * across * angle.cos(), -across * angle.sin()
    matrix[:, 1, 0], matrix[:, 1, 1] = sign * down * angle.sin(), down * angle.cos()
    matrix[:, 0, 2], matrix[:, 1, 2] = uniform(-0.1, 0.1), uniform(-0.1, 0.1)
    grid = functional.affine_grid(matrix, list(image.shape), align_corners=False)
    image = functional.grid_sample(image, grid, align_corners=False).clamp(0, 1)
    mask = functional.grid_sample(mask, grid, align_corners=False)
    blurred = functional.avg_pool2d(image, 3, 1, 1)
    image = torch.where((uniform(0, 1) < BLURRED).reshape(-1, 1, 1, 1), blurred, image)
    image = image.pow(uniform(-0.5, 0.5).exp().reshape(-1, 1, 1, 1))
    image = image * uniform(0.8, 1.15).reshape(-1, 1, 1, 1)
    noise = torch.randn(image.shape, generator=generator) * uniform(0, 0.05).reshape(-1, 1, 1, 1)
    return (image + noise).clamp(0, 1), mask


def _chunks(count: int) -> Iterator[slice]:
    return (slice(at, min(at + CHUNK, count)) for at in range(0, count, CHUNK))


def fit(kept: Kept, rows: NDArray[np.int64], network: Lesions, recipe: Recipe, seed: int) -> Lesions:
    """Train on these rows; rare classes count more. Returns the network with the mean of the later weights."""
    classes = network.whole.out_channels
    trunk = [p for p in network.trunk.parameters() if p.requires_grad]
    rest = [p for name, p in network.named_parameters() if not name.startswith("trunk")]
    groups = [{"params": trunk, "lr": recipe.trunk_rate}, {"params": rest, "lr": recipe.rate}]
    optimizer = torch.optim.AdamW(groups, weight_decay=recipe.decay)
    steps = recipe.epochs * math.ceil(len(rows) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _warm_cosine(step / steps))
    counts = torch.bincount(kept.labels[rows], minlength=classes).float()
    weights = (counts.sum() / counts.clamp(min=1) / classes).sqrt()
    mean = {name: p.detach().clone() for name, p in network.named_parameters() if p.requires_grad}
    random = np.random.default_rng(seed)
    for epoch in range(recipe.epochs):
        order, total = random.permutation(rows), 0.0
        for at in range(0, len(order), BATCH):
            chosen = torch.from_numpy(order[at : at + BATCH])
            loss = _loss(
                network, kept, torch.from_numpy(random.integers(0, len(kept.x4), len(chosen))), chosen, weights
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
            with torch.no_grad():
                for name, p in network.named_parameters():
                    if p.requires_grad:
                        mean[name].lerp_(p, 1 - AVERAGING)
        print(f"  epoch {epoch + 1}: loss {total / len(order):.4f}", flush=True)
    network.load_state_dict(mean, strict=False)
    return network.eval()


def _warm_cosine(done: float) -> float:
    return min(1.0, done / 0.1) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _loss(network: Lesions, kept: Kept, versions: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    read = network.from_low(*low_maps(kept, versions, rows))
    loss = functional.cross_entropy(read.logits, kept.labels[rows], weights, label_smoothing=SMOOTHING)
    drawn = kept.has_mask[rows]
    if drawn.any():
        wanted = kept.masks[versions, rows].float().div(255).unsqueeze(1)[drawn]
        loss = loss + OUTLINE_WEIGHT * outline_loss(read.outline[drawn], wanted)
    return loss


def outline_loss(outline: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy and soft Dice (Milletari 2016), the latter where there is something to outline."""
    logits = functional.interpolate(outline, scale_factor=2.0, mode="bilinear", align_corners=False)
    p = torch.sigmoid(logits)
    both, sums = (p * wanted).sum((1, 2, 3)), (p + wanted).sum((1, 2, 3))
    dice = 1 - (2 * both + 1) / (sums + 1)
    present = wanted.sum((1, 2, 3)) > 1
    cross = functional.binary_cross_entropy_with_logits(logits, wanted)
    return cross * 2 + (dice * present).sum() / present.sum().clamp(min=1)


def low_maps(kept: Kept, versions: Tensor | int, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Of these rows, single precision."""
    return (
        kept.x4[versions, rows].float().contiguous(memory_format=torch.channels_last),
        kept.x8[versions, rows].float().contiguous(memory_format=torch.channels_last),
    )


def predict(network: Lesions, kept: Kept, rows: NDArray[np.int64], version: int = 0) -> dict[str, NDArray[np.float32]]:
    """The fields of `Read` for these rows."""
    with torch.no_grad():
        parts: list[Read] = [
            network.from_low(*low_maps(kept, version, torch.from_numpy(rows[part]))) for part in _chunks(len(rows))
        ]
    return {name: torch.cat([getattr(part, name) for part in parts]).numpy() for name in Read._fields}


@dataclass(frozen=True, slots=True)
class Trained:
    """One training run.

    plain, mirrored: `predict` of the `test` rows as they are and mirrored. known: `pooled` of the training rows.
    """

    network: Lesions
    test: NDArray[np.int64]
    plain: dict[str, NDArray[np.float32]]
    mirrored: dict[str, NDArray[np.float32]]
    known: NDArray[np.float32]


def trained(  # noqa: PLR0917 - what a run is
    kept: Kept,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    classes: int,
    recipe: Recipe,
    checkpoint: Path,
) -> Trained:
    """Fit and ask, or read what an earlier run left at `checkpoint` (a path without suffix)."""
    weights, answers = checkpoint.with_suffix(".pt"), checkpoint.with_suffix(".npz")
    if not weights.exists():
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        print(f"{checkpoint.name}: {len(train)} pictures", flush=True)
        torch.manual_seed(SEED)
        network = Lesions(classes).to(memory_format=torch.channels_last)
        network = fit(kept, train, network, recipe, SEED)
        torch.save(network.state_dict(), weights)
    network = Lesions(classes).to(memory_format=torch.channels_last)
    network.load_state_dict(torch.load(weights, weights_only=True))
    if not answers.exists():
        arrays = {f"plain_{k}": v for k, v in predict(network, kept, test).items()}
        mirrored = predict(network, kept, test, 1)["logits"]
        known = predict(network, kept, train)["pooled"]
        np.savez_compressed(answers, known=known, mirrored_logits=mirrored, **arrays)
    with np.load(answers) as found:
        sides = [
            {name.split("_", 1)[1]: found[name] for name in found.files if name.startswith(side)}
            for side in ("plain", "mirrored")
        ]
        return Trained(network.eval(), test, *sides, found["known"])
