"""A small class-conditional diffusion (EDM, Karras 2022) of the principal components of the labelled images alone.

A latent diffusion with a linear latent: a convolutional one of the same cost drew no more than noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

COMPONENTS = 96
WIDTH, BLOCKS = 192, 3
BATCH, STEPS, RATE = 64, 700, 2e-3
AVERAGING = 0.99
NOISE_MEAN, NOISE_SPREAD = -0.2, 1.4  # of the logarithm of the noise's deviation; the components' is one
NOISE_LEAST, NOISE_MOST, NOISE_BEND = 0.02, 30.0, 7.0
SAMPLING_STEPS = 25


class Denoiser(nn.Module):  # type: ignore[misc]  # torch is not in the environment that checks types
    """A residual network of three blocks, told the noise level and the class."""

    def __init__(self, components: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("waves", torch.randn(32) * 2)
        self.level, self.kind = nn.Linear(64, WIDTH), nn.Embedding(classes, WIDTH)
        self.enter = nn.Linear(components, WIDTH)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.SiLU(), nn.Linear(2 * WIDTH, WIDTH))
            for _ in range(BLOCKS)
        )
        self.leave = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, components))

    def forward(self, noisy: Tensor, sigma: Tensor, labels: Tensor) -> Tensor:
        """noisy: [B, components], of deviation one plus noise of deviation sigma [B]. Returns them without noise."""
        total = (sigma**2 + 1).sqrt().unsqueeze(1)
        phase = sigma.log().unsqueeze(1) / 4 * self.waves
        condition = self.level(torch.cat([phase.sin(), phase.cos()], 1)) + self.kind(labels)
        x = self.enter(noisy / total)
        for block in self.blocks:
            x = x + block(x + condition)
        return noisy / total**2 + self.leave(x) * sigma.unsqueeze(1) / total


@dataclass(frozen=True, slots=True)
class Generator:
    """mean, axes: [pixels], [pixels, components]. spread: [components], deviation of the labelled images."""

    network: Any
    mean: Tensor
    axes: Tensor
    spread: Tensor


def fitted(pictures: NDArray[np.uint8], labels: NDArray[np.int64], classes: int, seed: int) -> Generator:
    """Learn these and their mirror images. pictures: [n, h, w]. labels: [n]."""
    torch.manual_seed(seed)
    both = np.concatenate([pictures, pictures[:, :, ::-1]]).reshape(2 * len(pictures), -1)
    levels, kinds = torch.from_numpy(both).float().div(127.5).sub(1), torch.from_numpy(np.tile(labels, 2))
    mean = levels.mean(0)
    axes = torch.pca_lowrank(levels - mean, min(COMPONENTS, len(pictures) - 1), center=False, niter=3)[2]
    latent = (levels - mean) @ axes
    spread = latent.std(0)
    network = _trained(latent / spread, kinds, spread / spread.mean(), classes)
    return Generator(network, mean, axes, spread)


def _trained(latent: Tensor, kinds: Tensor, importance: Tensor, classes: int) -> Any:
    """The mean of the later weights. importance: [components], of an error in each."""
    network = Denoiser(latent.shape[1], classes)
    mean = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(AVERAGING))
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.01, fused=True)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, (STEPS - step) / (0.5 * STEPS))
        rows = torch.randint(0, len(latent), (BATCH,))
        sigma = (torch.randn(BATCH) * NOISE_SPREAD + NOISE_MEAN).exp()
        noisy = latent[rows] + torch.randn(BATCH, latent.shape[1]) * sigma.unsqueeze(1)
        error = (network(noisy, sigma, kinds[rows]) - latent[rows]) ** 2
        loss = (((sigma**2 + 1) / sigma**2).unsqueeze(1) * importance * error).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mean.update_parameters(network)
    print(f"    generator: loss {loss.item():.3f}", flush=True)
    return mean.module.eval()


@torch.no_grad()  # type: ignore[untyped-decorator]  # as above
def sampled(made: Generator, labels: NDArray[np.int64], side: int, seed: int) -> NDArray[np.uint8]:
    """A picture of each label, [n, side, side], by Heun's method."""
    generator, kinds = torch.Generator().manual_seed(seed), torch.from_numpy(labels)
    ends = NOISE_MOST ** (1 / NOISE_BEND), NOISE_LEAST ** (1 / NOISE_BEND)
    levels = torch.linspace(*ends, SAMPLING_STEPS) ** NOISE_BEND
    x = torch.randn(len(labels), len(made.spread), generator=generator) * levels[0]
    for now, then in zip(levels, [*levels[1:], torch.tensor(0.0)], strict=True):
        slope = (x - made.network(x, now.expand(len(x)), kinds)) / now
        reached = x + (then - now) * slope
        if then > 0:
            slope = (slope + (reached - made.network(reached, then.expand(len(x)), kinds)) / then) / 2
        x = x + (then - now) * slope
    pictures = (x * made.spread) @ made.axes.T + made.mean
    found: NDArray[np.uint8] = pictures.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8).numpy()
    return found.reshape(-1, side, side)
