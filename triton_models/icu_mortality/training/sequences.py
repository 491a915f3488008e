"""Networks that read a stay hour by hour, with masks: GRU-D, a temporal convolution, a transformer. For comparison.

Also what pre-training of the transformer gives, over the stays of both challenges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import rows
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.fusion.deterioration.stay import EMPTY, Stay
from services.fusion.deterioration.variables import read

BATCH = 128
NAMES_2012 = (
    "heart_rate", "resp_rate", "sbp", "dbp", "map", "temperature", "gcs", "fio2", "urine_output", "mech_vent", "ph",
    "paco2", "pao2", "bicarbonate", "lactate", "sodium", "potassium", "magnesium", "creatinine", "bun", "glucose",
    "bilirubin", "albumin", "wbc", "haematocrit", "platelets",
)  # fmt: skip
NAMES_2019 = (
    "heart_rate", "spo2", "temperature", "sbp", "map", "dbp", "resp_rate", "etco2", "base_excess", "bicarbonate",
    "fio2", "ph", "paco2", "sao2_gas", "ast", "bun", "alp", "calcium", "chloride", "creatinine", "glucose", "lactate",
    "magnesium", "phosphate", "potassium", "bilirubin", "troponin_i", "haematocrit", "haemoglobin", "ptt", "wbc",
    "fibrinogen", "platelets",
)  # fmt: skip
NAMES_BOTH = tuple(dict.fromkeys((*NAMES_2012, *NAMES_2019)))
STATIC_2012 = ("age", "sex", "weight", "icu_type")
STATIC_2019 = ("age", "sex", "icu_type", "hours_in_hospital")
STATIC_BOTH = ("age", "sex", "icu_type")
CLOCK = "clock"
HOURS_2012 = 48
# Stays of 2019 are read in windows, and those after the first are judged in their second half alone.
HOURS_2019, STEP_2019 = 72, 36
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Grid:
    """Stays hour by hour.

    value, mask, since: [stays, hours, names], the newest value of each hour, whether there is one, and hours since the
    newest before it, as a share of `hours`. static: [stays, statics]. patient: [stays]. label: [stays, hours], NaN
    where nothing is judged.
    """

    value: Array
    mask: Array
    since: Array
    static: Array
    patient: NDArray[np.int64]
    label: Array

    @property
    def parts(self) -> list[Tensor]:
        """What a network reads."""
        return [torch.from_numpy(one) for one in (self.value, self.mask, self.since, self.static)]


def grid_2012(names: Sequence[str] = NAMES_2012, statics: Sequence[str] = STATIC_2012) -> Grid:
    """All stays of 2012, standardised; missing values are 0. Every hour is judged by death in hospital."""
    stays = list(rows.stays_2012())
    value = np.stack([_hours(stay, names) for _, stay in stays])
    static = np.array([[_first(stay, name) for name in statics] for _, stay in stays], np.float32)
    patient = np.array([record for record, _ in stays])
    died = rows.outcomes()["In-hospital_death"].loc[patient].to_numpy(np.float32)
    return _grid(value, static, patient, np.repeat(died[:, None], HOURS_2012, axis=1))


def grid_2019(names: Sequence[str] = (*NAMES_2019, CLOCK), statics: Sequence[str] = STATIC_2019) -> Grid:
    """All hours of 2019 in windows of HOURS_2019, judged once each. Rows of a patient follow each other."""
    table = pd.read_parquet(rows.DATA / "sepsis2019" / "train.parquet").sort_values(["patient", "ICULOS"])
    known = _values_2019(table, names)
    still = _values_2019(table, statics)
    label = table.SepsisLabel.to_numpy(np.float32)
    number = table.patient.str.lstrip("p").astype(int).to_numpy()
    starts = np.flatnonzero(np.r_[True, number[1:] != number[:-1]])
    made: list[tuple[Array, Array, Array, int]] = []
    for begin, end in zip(starts, [*starts[1:], len(number)], strict=True):
        for at in range(0, max(end - begin - HOURS_2019, -1) + STEP_2019, STEP_2019):
            window = slice(begin + at, min(begin + at + HOURS_2019, end))
            judged = label[window].copy()
            judged[: HOURS_2019 - STEP_2019 if at else 0] = np.nan
            made.append((_padded(known[window]), _padded(judged[:, None])[:, 0], still[begin], int(number[begin])))
    value, judged, static, patient = (np.array(one) for one in zip(*made, strict=True))
    return _grid(value, static, patient, judged)


def hourly(held: Grid, said: NDArray[np.float64]) -> NDArray[np.float64]:
    """What was said of judged hours, in the order of patients and hours."""
    return said[~np.isnan(held.label)]


def _padded(some: Array) -> Array:
    return np.pad(some, ((0, HOURS_2019 - len(some)), (0, 0)), constant_values=np.nan)


def _values_2019(table: pd.DataFrame, names: Sequence[str]) -> Array:
    """[rows, names]; columns that say the same quantity are one."""
    found = {name: np.full(len(table), np.nan, np.float32) for name in names}
    for column in rows.COLUMNS_2019:
        given = table[column].to_numpy(np.float64)
        for at in np.flatnonzero(~np.isnan(given)):
            taken = read(column, given[at])
            if taken is not None and taken.name in found and not np.isnan(taken.value):
                found[taken.name][at] = taken.value
    if CLOCK in found:
        found[CLOCK] = np.log1p(table.ICULOS.to_numpy(np.float32))
    return np.stack([found[name] for name in names], axis=1)


def _grid(value: Array, static: Array, patient: NDArray[np.int64], label: Array) -> Grid:
    hours = value.shape[1]
    mask, clock = ~np.isnan(value), np.arange(hours)[None, :, None]
    seen = np.maximum.accumulate(np.where(mask, clock, -hours), axis=1)
    before = np.concatenate([np.full_like(seen[:, :1], -hours), seen[:, :-1]], axis=1)
    since = np.clip(clock - before, 0, hours) / hours
    return Grid(_scaled(value), mask.astype(np.float32), since.astype(np.float32), _scaled(static), patient, label)


def _hours(stay: Stay, names: Sequence[str]) -> Array:
    table = np.full((HOURS_2012, len(names)), np.nan, np.float32)
    for at, name in enumerate(names):
        series = stay.series.get(name, EMPTY)
        for minute, value in zip(series.minutes, series.values, strict=True):
            table[min(max(int(np.ceil(minute / 60)) - 1, 0), HOURS_2012 - 1), at] = value
    return table


def _first(stay: Stay, name: str) -> float:
    held = stay.series.get(name, EMPTY)
    return held.values[0] if held.ids else float("nan")  # noqa: PD011 - a Series of ours


def _scaled(values: Array) -> Array:
    """By mean and standard deviation of all but the last axis, clipped to +-4; 0 where all are missing."""
    flat = values.reshape(-1, values.shape[-1])
    count = np.maximum((~np.isnan(flat)).sum(axis=0), 1)
    mean = np.nansum(flat, axis=0, dtype=np.float64) / count
    spread = np.sqrt(np.nansum((flat - mean) ** 2, axis=0) / count)
    scaled = (values - mean) / np.maximum(spread, 1e-3)
    return np.nan_to_num(np.clip(scaled, -4, 4)).astype(np.float32)


class GruD(nn.Module):
    """Che et al., Scientific Reports 2018;8:6085: values decay to the mean, the state decays with time unmeasured."""

    def __init__(self, names: int, statics: int, hours: int, width: int = 48) -> None:
        super().__init__()
        self.hours = hours
        self.decay_value, self.decay_state = nn.Parameter(torch.full((names,), 1.0)), nn.Linear(names, width)
        self.cell, self.static = nn.GRUCell(2 * names + statics, width), nn.Linear(statics, width)
        self.out = nn.Sequential(nn.Dropout(0.4), nn.Linear(width, 1))

    def forward(self, value: Tensor, mask: Tensor, since: Tensor, static: Tensor) -> Tensor:
        state, last, said = torch.tanh(self.static(static)), torch.zeros_like(value[:, 0]), []
        for hour in range(value.shape[1]):
            seen, gap = mask[:, hour], since[:, hour] * self.hours / 4
            faded = last * torch.exp(-torch.relu(self.decay_value) * gap)
            last = seen * value[:, hour] + (1 - seen) * last
            taken = seen * value[:, hour] + (1 - seen) * faded
            state = state * torch.exp(-torch.relu(self.decay_state(gap)))
            state = self.cell(torch.cat([taken, seen, static], dim=1), state)
            said.append(self.out(state)[:, 0])
        return torch.stack(said, dim=1)


class Convolution(nn.Module):
    """Temporal convolution (Bai et al. 2018): causal, dilated, with residuals."""

    def __init__(self, names: int, statics: int, hours: int, width: int = 48) -> None:  # noqa: ARG002 - as the others
        super().__init__()
        self.first = nn.Linear(3 * names + statics, width)
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 3, dilation=2**at) for at in range(5))
        self.drop, self.out = nn.Dropout(0.3), nn.Linear(width, 1)

    def forward(self, value: Tensor, mask: Tensor, since: Tensor, static: Tensor) -> Tensor:
        still = static[:, None].expand(-1, value.shape[1], -1)
        hidden = self.first(torch.cat([value, mask, since, still], dim=2)).transpose(1, 2)
        for at, layer in enumerate(self.layers):
            padded = nn.functional.pad(hidden, (2 * 2**at, 0))
            hidden = hidden + self.drop(torch.relu(layer(padded)))
        return self.out(hidden.transpose(1, 2))[:, :, 0]


class Attention(nn.Module):
    """A transformer's encoder in which an hour sees the hours before it. `ahead` guesses the next hour's values."""

    def __init__(self, names: int, statics: int, hours: int, width: int = 48) -> None:
        super().__init__()
        self.first = nn.Linear(3 * names + statics, width)
        self.place = nn.Parameter(torch.randn(hours, width) * 0.05)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.3, batch_first=True, norm_first=True)
        self.encoder, self.out = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(width, 1)
        self.ahead = nn.Linear(width, names)

    def hidden(self, value: Tensor, mask: Tensor, since: Tensor, static: Tensor) -> Tensor:
        """[stays, hours, width]."""
        hours = value.shape[1]
        still = static[:, None].expand(-1, hours, -1)
        hidden = self.first(torch.cat([value, mask, since, still], dim=2)) + self.place[:hours]
        later = nn.Transformer.generate_square_subsequent_mask(hours)
        return self.encoder(hidden, mask=later, is_causal=True)

    def forward(self, value: Tensor, mask: Tensor, since: Tensor, static: Tensor) -> Tensor:
        return self.out(self.hidden(value, mask, since, static))[:, :, 0]


KINDS: Mapping[str, Callable[[int, int, int], nn.Module]] = {
    "GRU-D": GruD,
    "temporal convolution": Convolution,
    "transformer": Attention,
}
State = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Training:
    """How a network learns. rate: the highest of one cycle. share: of the training stays whose labels are used.

    places: hours that the transformer has a place for, if not those of the stays.
    """

    epochs: int = 8
    rate: float = 3e-3
    share: float = 1.0
    places: int = 0
    seed: int = 0


def out_of_fold(
    kind: str, held: Grid, fold: NDArray[np.int64], training: Training, judged: Sequence[int]
) -> NDArray[np.float64]:
    """[stays, hours] log-odds of each hour, by networks that saw none of the patient; NaN in folds that are not judged.

    fold: of each stay.
    """
    said = np.full(held.label.shape, np.nan)
    for number in judged:
        network = fitted(kind, held, np.flatnonzero(fold != number), replace(training, seed=training.seed + number))
        said[fold == number] = said_by(network, held, np.flatnonzero(fold == number))
    return said


def fitted(
    kind: str, held: Grid, stays: NDArray[np.int64], training: Training, begun: State | None = None
) -> nn.Module:
    """A network that learned from the stays. begun: the weights to begin with; all but the last layer's are kept."""
    torch.set_num_threads(1)
    torch.manual_seed(rows.SEED + training.seed)
    network = made(kind, held, training.places)
    if begun is not None:
        network.load_state_dict({**network.state_dict(), **begun})
    drawn = np.random.default_rng(rows.SEED + training.seed).random(len(stays)) < training.share
    _train(network, held, stays[drawn], training, _loss)
    return network


def said_by(network: nn.Module, held: Grid, stays: NDArray[np.int64]) -> NDArray[np.float64]:
    """[stays, hours] log-odds."""
    network.eval()
    with torch.no_grad():
        parts = held.parts
        some = (network(*(one[chunk] for one in parts)) for chunk in np.array_split(stays, 8))
        return torch.cat(list(some)).numpy().astype(np.float64)


def made(kind: str, held: Grid, hours: int = 0) -> nn.Module:
    """A new network for such stays. hours: instead of theirs."""
    return KINDS[kind](held.value.shape[2], held.static.shape[1], hours or held.value.shape[1])


def _batches(stays: NDArray[np.int64], length: NDArray[np.int64], size: int) -> Iterator[Tensor]:
    """In an order of chance, short stays with short ones, since an hour costs the same whether anything is in it."""
    drawn = torch.randperm(len(stays)).numpy()[: len(stays) // size * size]
    alike = np.concatenate([some[np.argsort(length[stays[some]])] for some in np.array_split(drawn, 4)])
    batches = stays[alike].reshape(-1, size)
    for at in torch.randperm(len(batches)).tolist():
        yield torch.from_numpy(batches[at])


Loss = Callable[[nn.Module, list[Tensor], Tensor], Tensor]


def _train(network: nn.Module, held: Grid, stays: NDArray[np.int64], training: Training, loss_of: Loss) -> None:
    network.train()
    size = min(BATCH, max(len(stays) // 8, 1))
    batches = len(stays) // size
    total = training.epochs * batches + 1
    optimiser = torch.optim.AdamW(network.parameters(), lr=training.rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, training.rate, total_steps=total)
    parts, label = held.parts, torch.from_numpy(held.label)
    length = label.shape[1] - torch.isnan(label).flip(1).int().argmin(dim=1)
    for _ in range(training.epochs):
        for chosen in _batches(stays, length.numpy(), size):
            hours = int(length[chosen].max())
            some = [one[chosen][:, :hours] if one.ndim > 2 else one[chosen] for one in parts]  # noqa: PLR2004 - no hours
            loss = loss_of(network, some, label[chosen][:, :hours])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()


def _loss(network: nn.Module, parts: list[Tensor], label: Tensor) -> Tensor:
    judged = ~torch.isnan(label)
    return nn.functional.binary_cross_entropy_with_logits(network(*parts)[judged], label[judged])


def _next_hour(network: nn.Module, parts: list[Tensor], label: Tensor) -> Tensor:  # noqa: ARG001 - learns no label
    """Squared error of the next hour's values where they were measured, a third of this hour's values hidden."""
    assert isinstance(network, Attention)
    value, mask, since, static = parts
    shown = mask * (torch.rand_like(mask) < 2 / 3)
    guessed = network.ahead(network.hidden(value * shown, shown, since, static))
    ahead = ((guessed[:, :-1] - value[:, 1:]) ** 2 * mask[:, 1:]).sum() / mask[:, 1:].sum()
    hidden = mask - shown
    now = ((guessed - value) ** 2 * hidden).sum() / torch.clamp(hidden.sum(), min=1)
    return ahead + now


def joined(grids: Sequence[Grid]) -> Grid:
    """Stays of grids with the same names; the shorter ones end with hours in which nothing was measured."""
    hours = max(one.value.shape[1] for one in grids)

    def filled(name: str, otherwise: float) -> Array:
        arrays = [getattr(one, name) for one in grids]
        gaps = [[(0, 0), (0, hours - one.shape[1]), *[(0, 0)] * (one.ndim - 2)] for one in arrays]
        return np.concatenate(
            [np.pad(one, gap, constant_values=otherwise) for one, gap in zip(arrays, gaps, strict=True)]
        )

    still = (np.concatenate([getattr(one, name) for one in grids]) for name in ("static", "patient"))
    return Grid(filled("value", 0), filled("mask", 0), filled("since", 1), *still, label=filled("label", np.nan))


def pretrained(held: Grid, stays: NDArray[np.int64], training: Training, seed: int) -> State:
    """Weights of a transformer that learned to guess values of these stays, without labels; not of its last layer."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    network = made("transformer", held)
    _train(network, held, stays, training, _next_hour)
    return {name: one for name, one in network.state_dict().items() if not name.startswith("out.")}
