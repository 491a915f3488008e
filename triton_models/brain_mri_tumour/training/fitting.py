"""Train and ask `Lesions`. Pictures lie in memory; each step sees them newly augmented, in bfloat16."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from asking import ask, session
from network import Lesions
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

SEED = 7
MIRRORED, BLURRED = 0.5, 0.2  # shares of the augmented pictures
BENDS = 5  # places a side that an elastic bend moves, each by up to
BENT = 0.05  # of half the picture
BATCH = 16
OUTLINE_WEIGHT = 1.0
SMOOTHING = 0.05
AVERAGING = 0.99  # decay of the running mean of weights that is kept


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast. small: side of the pictures in the first half of the epochs (Tan 2021, EfficientNetV2)."""

    epochs: int = 8
    small: int = 128
    rate: float = 1e-3
    trunk_rate: float = 4e-4
    decay: float = 0.02


@dataclass(frozen=True, slots=True)
class Pictures:
    """What is learned from.

    inputs: (n, side, side) in [0, 1]. masks: the same, shares times 255. has_mask, labels: (n,).
    """

    inputs: Tensor
    masks: Tensor
    has_mask: Tensor
    labels: Tensor


def batch_of(pictures: Pictures, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs and masks, [B, 1, side, side] in [0, 1]."""
    return pictures.inputs[rows].unsqueeze(1), pictures.masks[rows].float().div(255).unsqueeze(1)


def augmented(image: Tensor, mask: Tensor, generator: torch.Generator, side: int = 0) -> tuple[Tensor, Tensor]:
    """Turned, scaled, moved, mirrored, bent; brighter or darker, blurred, noisy.

    image, mask: [B, 1, H, W] in [0, 1]. Returns the same; where side is given, [B, 1, side, side].
    """
    count, rows, columns = len(image), side or image.shape[2], side or image.shape[3]

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    def each(value: Tensor) -> Tensor:
        return value.reshape(-1, 1, 1, 1)

    angle, sign = uniform(-0.3, 0.3), torch.where(uniform(0, 1) < MIRRORED, -1.0, 1.0)
    across, down = uniform(0.8, 1.15), uniform(0.8, 1.15)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = sign * across * angle.cos(), -across * angle.sin()
    matrix[:, 1, 0], matrix[:, 1, 1] = sign * down * angle.sin(), down * angle.cos()
    matrix[:, 0, 2], matrix[:, 1, 2] = uniform(-0.1, 0.1), uniform(-0.1, 0.1)
    grid = functional.affine_grid(matrix, [count, 1, rows, columns], align_corners=False)
    bend = (torch.rand(count, 2, BENDS, BENDS, generator=generator) * 2 - 1) * each(uniform(0, BENT))
    grid = grid + functional.interpolate(bend, size=(rows, columns), mode="bilinear", align_corners=True).permute(
        0, 2, 3, 1
    )
    image, mask = functional.grid_sample(torch.cat([image, mask], 1), grid, align_corners=False).split(1, 1)
    image = torch.where(each(uniform(0, 1) < BLURRED), functional.avg_pool2d(image, 3, 1, 1), image)
    image = image.clamp(0, 1).pow(each(uniform(-0.5, 0.5).exp())) * each(uniform(0.8, 1.15))
    noise = torch.randn(image.shape, generator=generator) * each(uniform(0, 0.05))
    return (image + noise).clamp(0, 1), mask


def fit(pictures: Pictures, rows: NDArray[np.int64], network: Lesions, recipe: Recipe, seed: int) -> Lesions:
    """Train on these rows; rare classes count more. Returns the network with the mean of the later weights."""
    network.trunk.parts[1:].requires_grad_(requires_grad=True)  # up to stride 4 as ImageNet left it
    trunk = [p for p in network.trunk.parameters() if p.requires_grad]
    rest = [p for name, p in network.named_parameters() if not name.startswith("trunk")]
    groups = [{"params": trunk, "lr": recipe.trunk_rate}, {"params": rest, "lr": recipe.rate}]
    optimizer = torch.optim.AdamW(groups, weight_decay=recipe.decay, fused=True)
    steps = recipe.epochs * math.ceil(len(rows) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _warm_cosine(step / steps))
    counts = torch.bincount(pictures.labels[rows], minlength=network.whole.out_channels).float()
    weights = (counts.sum() / counts.clamp(min=1) / len(counts)).sqrt() * (counts > 0)  # a set may lack a class
    mean = {name: p.detach().clone() for name, p in network.named_parameters() if p.requires_grad}
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    for epoch in range(recipe.epochs):
        side = recipe.small if epoch < recipe.epochs // 2 else pictures.inputs.shape[2]
        order, totals = random.permutation(rows), np.zeros(2)
        for at in range(0, len(order), BATCH):
            chosen = torch.from_numpy(order[at : at + BATCH])
            losses = _losses(network, pictures, chosen, side, weights, generator)
            optimizer.zero_grad()
            losses.sum().backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimizer.step()
            schedule.step()
            totals += losses.detach().numpy() * len(chosen)
            with torch.no_grad():
                torch._foreach_lerp_(
                    list(mean.values()), [p for p in network.parameters() if p.requires_grad], 1 - AVERAGING
                )
        named, outlined = totals / len(order)
        spent = time.process_time()
        print(f"  epoch {epoch + 1}: classes {named:.4f}, outline {outlined:.4f}; {spent:.0f} s", flush=True)
    network.load_state_dict(mean, strict=False)
    return network.eval()


def _warm_cosine(done: float) -> float:
    return min(1.0, done / 0.05) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _losses(  # noqa: PLR0917 - what a step needs
    network: Lesions, pictures: Pictures, rows: Tensor, side: int, weights: Tensor, generator: torch.Generator
) -> Tensor:
    """(2,): of the classes and of the outline."""
    image, mask = augmented(*batch_of(pictures, rows), generator, side)
    with torch.autocast("cpu", torch.bfloat16):
        read = network(image.contiguous(memory_format=torch.channels_last))
    named = functional.cross_entropy(read.logits.float(), pictures.labels[rows], weights, label_smoothing=SMOOTHING)
    drawn = pictures.has_mask[rows]
    outlined = outline_loss(read.outline.float()[drawn], mask[drawn]) if drawn.any() else torch.zeros(())
    return torch.stack([named, OUTLINE_WEIGHT * outlined])


def outline_loss(outline: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy and soft Dice (Milletari 2016), the latter where there is something to outline.

    outline: [B, 1, h, w], logits. mask: of a whole multiple of that size.
    """
    wanted = functional.avg_pool2d(mask, mask.shape[2] // outline.shape[2])
    p = torch.sigmoid(outline)
    both, sums = (p * wanted).sum((1, 2, 3)), (p + wanted).sum((1, 2, 3))
    dice = 1 - (2 * both + 1) / (sums + 1)
    present = wanted.sum((1, 2, 3)) > 1
    cross = functional.binary_cross_entropy_with_logits(outline, wanted)
    return cross * 2 + (dice * present).sum() / present.sum().clamp(min=1)


@dataclass(frozen=True, slots=True)
class Trained:
    """One training run.

    plain, mirrored: what the network says of the `test` rows as they are, and of the same mirrored (logits, outline).
    """

    network: Lesions
    session: InferenceSession
    test: NDArray[np.int64]
    plain: dict[str, NDArray[np.float32]]
    mirrored: dict[str, NDArray[np.float32]]


def trained(  # noqa: PLR0917 - what a run is
    pictures: Pictures,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    classes: int,
    recipe: Recipe,
    checkpoint: Path,
) -> Trained:
    """Fit and ask, or read what an earlier run left at `checkpoint` (a path without suffix).

    Answers that were given to other inputs than these are asked for anew.
    """
    weights, answers = checkpoint.with_suffix(".pt"), checkpoint.with_suffix(".npz")
    torch.manual_seed(SEED)
    network = Lesions(classes).to(memory_format=torch.channels_last)
    if not weights.exists():
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        print(f"{checkpoint.name}: {len(train)} pictures", flush=True)
        network = fit(pictures, train, network, recipe, SEED)
        torch.save(network.state_dict(), weights)
    network.load_state_dict(torch.load(weights, weights_only=True))
    network.eval().requires_grad_(requires_grad=False)
    asked = session(network, pictures.inputs.shape[2])
    inputs = pictures.inputs.numpy()[test]
    to = hashlib.sha256(inputs).hexdigest()
    if not (answers.exists() and _given_to(answers) == to):
        arrays = {f"plain_{k}": v for k, v in ask(asked, inputs).items()}
        other = ask(asked, inputs[..., ::-1], ("logits", "outline"))
        arrays |= {"mirrored_logits": other["logits"], "mirrored_outline": other["outline"][..., ::-1]}
        np.savez(answers, given_to=to, **arrays)
    with np.load(answers) as found:
        sides = [
            {name.split("_", 1)[1]: found[name] for name in found.files if name.startswith(side)}
            for side in ("plain", "mirrored")
        ]
    return Trained(network, asked, test, *sides)


def _given_to(answers: Path) -> str:
    """The hash of the inputs, empty in a file that does not say."""
    with np.load(answers) as found:
        return str(found["given_to"]) if "given_to" in found.files else ""
