"""A small network over the same rows, an ensemble of seeds in one. It sees other things than trees do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Float32 = NDArray[np.float32]
LEAST_MEASURED = 0.01  # share of rows; rarer features are left to the trees
LEAST_PATTERN = 0.03  # standard deviation of a pattern of missing values
BATCH = 512


@dataclass(frozen=True, slots=True)
class Inputs:
    """From a row to what the network reads.

    column: features read. logged: whether log(max(x, 0) + 0.1) is taken. centre, scale: of what comes of it, then
    clipped to +-3; missing ones are 0. flags: features whose being missing is an input.
    """

    column: NDArray[np.int64]
    logged: NDArray[np.bool_]
    centre: Float32
    scale: Float32
    flags: NDArray[np.int64]

    @classmethod
    def of(cls, x: Float32) -> Inputs:
        known = ~np.isnan(x)
        column = np.flatnonzero((known.mean(0) > LEAST_MEASURED) & (np.nan_to_num(x).std(0) > 0))
        some = x[::3, column]
        low, middle, high = np.nanquantile(some, [0.02, 0.5, 0.98], axis=0)
        logged = (np.nanmin(x[:, column], axis=0) >= 0) & (high - middle > 3 * (middle - low) + 1e-9)
        values = np.where(logged, np.log(np.maximum(x[:, column], 0) + 0.1), x[:, column])
        centre, scale = np.nanmean(values, axis=0), np.maximum(np.nanstd(values, axis=0), 1e-3)
        return cls(
            column, logged, centre.astype(np.float32), scale.astype(np.float32), _patterns(~known[:, column], column)
        )

    def of_rows(self, x: Float32) -> Float32:
        """[rows, len(column) + len(flags)]."""
        taken = x[:, self.column]
        values = np.where(self.logged, np.log(np.maximum(taken, 0) + np.float32(0.1)), taken)
        scaled = np.clip((values - self.centre) / self.scale, -3, 3)
        flags = np.isnan(x[:, self.flags]).astype(np.float32)
        return np.concatenate([np.nan_to_num(scaled), flags], axis=1).astype(np.float32)


def _patterns(missing: NDArray[np.bool_], column: NDArray[np.int64]) -> NDArray[np.int64]:
    """One feature for each different pattern of missing values that is neither always nor hardly ever there."""
    _, first = np.unique(missing[::7], axis=1, return_index=True)
    spread = missing[:, first].std(axis=0)
    return column[np.sort(first[spread > LEAST_PATTERN])]


@dataclass(frozen=True, slots=True)
class Settings:
    """hidden: width of both layers. targets: weight of the loss of each target; the first is the one asked for."""

    hidden: int = 96
    epochs: int = 8
    drop: float = 0.5
    drop_inputs: float = 0.3
    rate: float = 2e-3
    decay: float = 1e-3
    targets: tuple[float, ...] = (1.0,)


Layers = list[tuple[Float32, Float32]]


def fit(x: Float32, targets: Float32, weight: Float32, seed: int, settings: Settings) -> Layers:
    """Weights [in, out] and biases of three layers. x: of `Inputs`. targets: [rows, targets] in [0, 1], NaN unknown."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # so small that a second thread mostly waits; it gives the same bits
    network = _network(x.shape[1], settings)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.decay)
    batches = len(x) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.rate, total_steps=settings.epochs * batches + 1)
    rows, wanted, each = torch.from_numpy(x), torch.from_numpy(np.nan_to_num(targets)), torch.from_numpy(weight)
    known = torch.from_numpy((~np.isnan(targets)).astype(np.float32)) * torch.tensor(settings.targets)
    for _ in range(settings.epochs):
        order = torch.randperm(len(x))
        for batch in order[: batches * BATCH].split(BATCH):
            losses = nn.functional.binary_cross_entropy_with_logits(
                network(rows[batch]), wanted[batch], reduction="none"
            )
            loss = ((losses * known[batch]).sum(1) * each[batch]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return _layers(network)


def _network(width: int, settings: Settings) -> nn.Sequential:
    hidden, outputs = settings.hidden, len(settings.targets)
    return nn.Sequential(
        nn.Dropout(settings.drop_inputs), nn.Linear(width, hidden), nn.SiLU(), nn.Dropout(settings.drop),
        nn.Linear(hidden, hidden), nn.SiLU(), nn.Dropout(settings.drop), nn.Linear(hidden, outputs),
    )  # fmt: skip


def _layers(network: nn.Sequential) -> Layers:
    """Of the first target alone."""
    linear = [one for one in network if isinstance(one, nn.Linear)]
    arrays = [(one.weight.detach().numpy().T.copy(), one.bias.detach().numpy().copy()) for one in linear]
    weight, bias = arrays[-1]
    return [*arrays[:-1], (weight[:, :1].copy(), bias[:1].copy())]


def log_odds(layers: Layers, x: Float32) -> Float32:
    """[rows] of what `Inputs.of_rows` gave."""
    hidden = x
    for weight, bias in layers[:-1]:
        summed = hidden @ weight + bias
        hidden = summed / (1 + np.exp(-summed))
    weight, bias = layers[-1]
    return (hidden @ weight + bias)[:, 0]


def arrays(members: list[Layers], inputs: Inputs) -> Mapping[str, NDArray[np.generic]]:
    """Everything of the ensemble by name, members first."""
    named = {
        f"{kind}{at}": np.stack([one[at][which] for one in members])
        for at in range(3)
        for which, kind in enumerate("wb")
    }
    parts = ("column", "logged", "centre", "scale", "flags")
    return named | {name: getattr(inputs, name) for name in parts}
