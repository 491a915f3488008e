"""The four ways to train on few labels. One small residual network, or the upper end of an ImageNet-trained one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from bench.few_labels.pools import KEPT, Pool, training_module

BATCH, GENERATED_BATCH = 32, 16
PATCH, WIDTH = 4, 32  # the network begins with patches of 4 by 4 pixels
RATES = {"small": 2e-3, "trunk": 1e-3}
DECAY = 0.02
WARM_UP = 20
AVERAGING = 0.97
SURE = 0.95  # FixMatch: a guess from this probability on is a label
TRUNK_SIDE = 128
FROZEN_BLOCKS = 4  # of the five of the trunk's last part
VERSIONS = 4  # of each picture before the trunk: plain, mirrored, two augmented

Rows = NDArray[np.int64]
Views = Callable[[Tensor, bool], Tensor]  # rows, strong -> inputs


class Residual(nn.Module):  # type: ignore[misc]  # torch is not in the environment that checks types
    """Two convolutions past which the input goes (He 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.past = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: [B, inputs, h, w]."""
        return functional.relu(self.past(x) + self.body(x))


def small_network(classes: int) -> nn.Sequential:
    """A residual network of 0.3 million weights for [B, 1, 64, 64] in [0, 1]."""
    return nn.Sequential(
        nn.PixelUnshuffle(PATCH),
        nn.Conv2d(PATCH**2, WIDTH, 3, 1, 1, bias=False),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(),
        Residual(WIDTH, WIDTH, 1),
        Residual(WIDTH, 2 * WIDTH, 2),
        Residual(2 * WIDTH, 4 * WIDTH, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * WIDTH, classes),
    )


def upper_trunk(classes: int) -> nn.Sequential:
    """The last block of EfficientNet-Lite0 with its ImageNet weights, and a linear classifier."""
    last = training_module("trunk").Trunk().parts[3][FROZEN_BLOCKS:]
    return nn.Sequential(last.requires_grad_(True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(320, classes))


def pictures_of(pool: Pool) -> Tensor:
    """[n, 1, SIDE, SIDE] in [0, 1]."""
    return torch.from_numpy(pool.pictures).float().div(255).unsqueeze(1)


def picture_views(pictures: Tensor, generator: torch.Generator) -> Views:
    """Weak: mirrored or not. Strong: turned, scaled, moved, brighter, blurred, noisy, as for the served models."""
    augmented = training_module("fitting").augmented

    def view(rows: Tensor, strong: bool) -> Tensor:
        chosen = pictures[rows]
        if strong:
            turned: Tensor = augmented(chosen, chosen, generator)[0]
            return turned
        mirrored = torch.rand(len(rows), 1, 1, 1, generator=generator) < 0.5  # noqa: PLR2004 - one half
        return torch.where(mirrored, chosen.flip(3), chosen)

    return view


def trunk_maps(pool: Pool) -> Tensor:
    """Frozen maps of all pictures, [VERSIONS, n, channels, 4, 4] half precision; kept in `var/few_labels`."""
    kept = KEPT / f"{pool.name}-maps.pt"
    if kept.exists():
        found: Tensor = torch.load(kept, weights_only=True)
        return found
    trunk = training_module("trunk").Trunk().eval()
    frozen = trunk.parts[3][:FROZEN_BLOCKS]
    view = picture_views(pictures_of(pool), torch.Generator().manual_seed(0))
    plain = pictures_of(pool)
    versions = []
    for version in range(VERSIONS):
        parts = []
        for rows in torch.arange(len(plain)).split(64):
            image = view(rows, True) if version > 1 else plain[rows].flip(3) if version else plain[rows]
            image = functional.interpolate(image, size=(TRUNK_SIDE, TRUNK_SIDE), mode="bilinear", align_corners=False)
            with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
                low = trunk.low(image.contiguous(memory_format=torch.channels_last))[1]
                parts.append(frozen(trunk.parts[2](low)))
        versions.append(torch.cat(parts).half())
    maps = torch.stack(versions)
    torch.save(maps, kept)
    return maps


def map_views(maps: Tensor, generator: torch.Generator) -> Views:
    """Weak: plain or mirrored. Strong: any version, a tenth of the channels hidden."""

    def view(rows: Tensor, strong: bool) -> Tensor:
        version = torch.randint(0, VERSIONS if strong else 2, (len(rows),), generator=generator)
        chosen = maps[version, rows].float()
        if strong:
            seen = torch.rand(*chosen.shape[:2], 1, 1, generator=generator) >= 0.1  # noqa: PLR2004 - a tenth
            chosen = chosen * seen / 0.9
        return chosen

    return view


@dataclass(frozen=True, slots=True)
class Course:
    """What one training sees. unlabelled: rows for FixMatch. generated: [n, 1, SIDE, SIDE] and their labels."""

    kind: str
    classes: int
    labels: Rows
    known: Rows
    seed: int
    unlabelled: Rows | None = None
    generated: tuple[Tensor, Tensor] | None = None


def fitted(course: Course, source: Tensor, steps: int, at: Callable[[int, Any], None] | None = None) -> Any:
    """The network with the mean of the later weights, after `steps` steps.

    source: pictures, or maps for the kind "trunk". at: called with each step and the averaged network.
    """
    torch.manual_seed(course.seed)
    generator = torch.Generator().manual_seed(course.seed)
    made = small_network(course.classes) if course.kind == "small" else upper_trunk(course.classes)
    network = made.to(memory_format=torch.channels_last).train()
    mean = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(AVERAGING), use_buffers=True).eval()
    optimizer = torch.optim.AdamW(network.parameters(), RATES[course.kind], weight_decay=DECAY)
    view = (picture_views if course.kind == "small" else map_views)(source, generator)
    labels = torch.from_numpy(course.labels)
    for step in range(1, steps + 1):
        optimizer.param_groups[0]["lr"] = RATES[course.kind] * min(1.0, step / WARM_UP)
        loss = _loss(course, network, mean, view, labels, generator)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
        mean.update_parameters(network)
        if at is not None:
            at(step, mean)
    return mean


def _drawn(rows: Rows, count: int, generator: torch.Generator) -> Tensor:
    """Of these rows at random, with repetition."""
    return torch.from_numpy(rows)[torch.randint(0, len(rows), (count,), generator=generator)]


def _loss(  # noqa: PLR0917 - what a step stands on
    course: Course, network: Any, mean: Any, view: Views, labels: Tensor, generator: torch.Generator
) -> Tensor:
    rows = _drawn(course.known, BATCH, generator)
    inputs, wanted, weight = [view(rows, True)], [labels[rows]], [torch.ones(BATCH)]
    if course.unlabelled is not None:
        others = _drawn(course.unlabelled, BATCH, generator)
        sure, guess = functional.softmax(_answers(mean, view(others, False)), 1).max(1)
        inputs, wanted, weight = [*inputs, view(others, True)], [*wanted, guess], [*weight, (sure >= SURE).float()]
    if course.generated is not None:
        chosen = _drawn(np.arange(len(course.generated[1])), GENERATED_BATCH, generator)
        made = picture_views(course.generated[0], generator)(chosen, True)
        inputs, wanted = [*inputs, made], [*wanted, course.generated[1][chosen]]
        weight = [*weight, torch.ones(GENERATED_BATCH)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answers = network(torch.cat(inputs).contiguous(memory_format=torch.channels_last))
    each = functional.cross_entropy(answers.float(), torch.cat(wanted), reduction="none")
    return (each * torch.cat(weight)).sum() / BATCH


@torch.no_grad()  # type: ignore[untyped-decorator]  # as above
def _answers(network: Any, inputs: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found: Tensor = network(inputs.contiguous(memory_format=torch.channels_last)).float()
    return found


def asked(network: Any, kind: str, source: Tensor, rows: Rows) -> NDArray[np.float64]:
    """Logits [len(rows), classes] of plain pictures, or of their maps."""
    plain = source if kind == "small" else source[0].float()
    parts = [_answers(network, plain[part]) for part in torch.from_numpy(rows).split(128)]
    return np.asarray(torch.cat(parts).double().numpy())
