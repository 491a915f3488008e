"""Networks that read a stay hour by hour, with masks: GRU-D, a temporal convolution, a transformer. For comparison."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import rows
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.fusion.deterioration.stay import EMPTY, Stay

HOURS = 48
BATCH = 128
NAMES = (
    "heart_rate", "resp_rate", "sbp", "dbp", "map", "temperature", "gcs", "fio2", "urine_output", "mech_vent", "ph",
    "paco2", "pao2", "bicarbonate", "lactate", "sodium", "potassium", "magnesium", "creatinine", "bun", "glucose",
    "bilirubin", "albumin", "wbc", "haematocrit", "platelets",
)  # fmt: skip
STATIC = ("age", "sex", "weight", "icu_type")
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Grid:
    """Stays hour by hour.

    value, mask, since: [stays, HOURS, names], the newest value of each hour, whether there is one, and hours since the
    newest before it (at most 48). static: [stays, STATIC]. patient, label: [stays].
    """

    value: Array
    mask: Array
    since: Array
    static: Array
    patient: NDArray[np.int64]
    label: Array


def grid() -> Grid:
    """Of all stays of 2012, standardised; missing values are 0."""
    stays = list(rows.stays_2012())
    value = np.stack([_hours(stay) for _, stay in stays])
    static = np.array([[_first(stay, name) for name in STATIC] for _, stay in stays], np.float32)
    mask = ~np.isnan(value)
    seen = np.maximum.accumulate(np.where(mask, np.arange(HOURS)[None, :, None], -HOURS), axis=1)
    before = np.concatenate([np.full_like(seen[:, :1], -HOURS), seen[:, :-1]], axis=1)
    since = np.clip(np.arange(HOURS)[None, :, None] - before, 0, HOURS) / HOURS
    patient = np.array([record for record, _ in stays])
    label = rows.outcomes()["In-hospital_death"].loc[patient].to_numpy(np.float32)
    return Grid(_scaled(value), mask.astype(np.float32), since.astype(np.float32), _scaled(static), patient, label)


def _hours(stay: Stay) -> Array:
    table = np.full((HOURS, len(NAMES)), np.nan, np.float32)
    for at, name in enumerate(NAMES):
        series = stay.series.get(name, EMPTY)
        for minute, value in zip(series.minutes, series.values, strict=True):
            table[min(max(int(np.ceil(minute / 60)) - 1, 0), HOURS - 1), at] = value
    return table


def _first(stay: Stay, name: str) -> float:
    held = stay.series.get(name, EMPTY)
    return held.values[0] if held.ids else float("nan")


def _scaled(values: Array) -> Array:
    """By mean and standard deviation of all but the last axis, clipped to +-4."""
    axes = tuple(range(values.ndim - 1))
    scaled = (values - np.nanmean(values, axis=axes)) / np.maximum(np.nanstd(values, axis=axes), 1e-3)
    return np.nan_to_num(np.clip(scaled, -4, 4)).astype(np.float32)


class GruD(nn.Module):
    """Che et al., Scientific Reports 2018;8:6085: values decay to the mean, the state decays with time unmeasured."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        names = len(NAMES)
        self.decay_value, self.decay_state = nn.Parameter(torch.full((names,), 1.0)), nn.Linear(names, width)
        self.cell, self.static = nn.GRUCell(2 * names + len(STATIC), width), nn.Linear(len(STATIC), width)
        self.out = nn.Sequential(nn.Dropout(0.4), nn.Linear(width, 1))

    def forward(self, value: Tensor, mask: Tensor, since: Tensor, static: Tensor) -> Tensor:
        state, last, said = torch.tanh(self.static(static)), torch.zeros_like(value[:, 0]), []
        for hour in range(HOURS):
            seen, gap = mask[:, hour], since[:, hour] * HOURS / 4
            faded = last * torch.exp(-torch.relu(self.decay_value) * gap)
            last = seen * value[:, hour] + (1 - seen) * last
            taken = seen * value[:, hour] + (1 - seen) * faded
            state = state * torch.exp(-torch.relu(self.decay_state(gap)))
            state = self.cell(torch.cat([taken, seen, static], dim=1), state)
            said.append(self.out(state)[:, 0])
        return torch.stack(said, dim=1)


class Convolution(nn.Module):
    """Temporal convolution (Bai et al. 2018): causal, dilated, with residuals."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.first = nn.Linear(3 * len(NAMES) + len(STATIC), width)
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 3, dilation=2**at) for at in range(5))
        self.drop, self.out = nn.Dropout(0.3), nn.Linear(width, 1)

    def forward(self, value: Tensor, mask: Tensor, since: Tensor, static: Tensor) -> Tensor:
        still = static[:, None].expand(-1, HOURS, -1)
        hidden = self.first(torch.cat([value, mask, since, still], dim=2)).transpose(1, 2)
        for at, layer in enumerate(self.layers):
            padded = nn.functional.pad(hidden, (2 * 2**at, 0))
            hidden = hidden + self.drop(torch.relu(layer(padded)))
        return self.out(hidden.transpose(1, 2))[:, :, 0]


class Attention(nn.Module):
    """A transformer's encoder in which an hour sees the hours before it."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.first = nn.Linear(3 * len(NAMES) + len(STATIC), width)
        self.place = nn.Parameter(torch.randn(HOURS, width) * 0.05)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.3, batch_first=True, norm_first=True)
        self.encoder, self.out = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(width, 1)

    def forward(self, value: Tensor, mask: Tensor, since: Tensor, static: Tensor) -> Tensor:
        still = static[:, None].expand(-1, HOURS, -1)
        hidden = self.first(torch.cat([value, mask, since, still], dim=2)) + self.place
        ahead = nn.Transformer.generate_square_subsequent_mask(HOURS)
        return self.out(self.encoder(hidden, mask=ahead, is_causal=True))[:, :, 0]


KINDS: dict[str, Callable[[], nn.Module]] = {
    "GRU-D": GruD,
    "temporal convolution": Convolution,
    "transformer": Attention,
}


def out_of_fold(kind: str, held: Grid, fold: NDArray[np.int64], epochs: int) -> NDArray[np.float64]:
    """[stays, HOURS] log-odds of each hour, by networks that saw none of the stay. fold: of each stay."""
    torch.set_num_threads(1)
    said = np.zeros((len(fold), HOURS))
    parts = [torch.from_numpy(one) for one in (held.value, held.mask, held.since, held.static)]
    for number in np.unique(fold):
        torch.manual_seed(rows.SEED + int(number))
        network = KINDS[kind]()
        _train(network, parts, torch.from_numpy(held.label), torch.from_numpy(np.flatnonzero(fold != number)), epochs)
        network.eval()
        with torch.no_grad():
            for chunk in np.array_split(np.flatnonzero(fold == number), 4):
                said[chunk] = network(*(one[chunk] for one in parts)).numpy()
    return said


def _train(network: nn.Module, parts: list[Tensor], label: Tensor, stays: Tensor, epochs: int) -> None:
    batches = len(stays) // BATCH
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=epochs * batches + 1)
    for _ in range(epochs):
        for chosen in stays[torch.randperm(len(stays))][: batches * BATCH].split(BATCH):
            said = network(*(one[chosen] for one in parts))
            wanted = label[chosen][:, None].expand_as(said)
            loss = nn.functional.binary_cross_entropy_with_logits(said, wanted)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
