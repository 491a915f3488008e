"""The network that is trained and exported: frozen EfficientNet-Lite0, pooled by bands, with an exact heat map.

The outermost tenth of the input is context: it reaches the maps by way of their receptive fields, but is not pooled.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import torch
from lite0 import pretrained_lite0
from torch import Tensor, nn
from torch.nn import functional

from services.image_router.preprocessing import MIDDLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 320
MAP_SIDE = 20
# Block after which a map is taken, its channels, its side, and the horizontal bands its inner part is pooled in: a
# chest film has an up and a down, and what is normal below the diaphragm is not above it.
TAPS = ((4, 40, 40, 4), (7, 80, 20, 4), (10, 112, 20, 4), (14, 192, 10, 2), (15, 320, 10, 2))
INNER = MIDDLE  # of either side: what is pooled
INNER_SIDE = round(MAP_SIDE * INNER)
FEATURES = sum(channels * bands for _, channels, _, bands in TAPS)
SCOPE_TAP = 2  # index in TAPS: middle layers tell upright films from turned ones, the last hardly does
LUMA_MEAN, LUMA_SCALE = 127.0, 128.0


def tap_slices() -> list[slice]:
    """Where each tap's features lie in the feature vector."""
    ends = np.cumsum([channels * bands for _, channels, _, bands in TAPS])
    return [slice(int(end) - tap[1] * tap[3], int(end)) for end, tap in zip(ends, TAPS, strict=True)]


class Taps(nn.Module):
    """[B, 1, 320, 320] in [0, 1] to the maps of `TAPS`."""

    def __init__(self) -> None:
        super().__init__()
        self.network = pretrained_lite0()

    def forward(self, image: Tensor) -> list[Tensor]:
        """image: as above."""
        network = self.network
        x = ((image * 255 - LUMA_MEAN) / LUMA_SCALE).expand(-1, 3, -1, -1)
        x = functional.relu6(network._bn0(network._conv_stem(x)))  # noqa: SLF001 - names of the published weights
        maps: list[Tensor] = []
        for index, block in enumerate(network._blocks[: TAPS[-1][0] + 1]):  # noqa: SLF001
            x = block(x)
            if any(index == tap for tap, *_ in TAPS):
                maps.append(x)
        return maps


def inner(m: Tensor, side: int) -> Tensor:
    """[..., side, side] without the outermost tenth on all sides."""
    edge = round(side * (1 - INNER) / 2)
    return m[..., edge:-edge, edge:-edge]


def pooled(m: Tensor, side: int, bands: int) -> Tensor:
    """Mean of each channel over each horizontal band of the inner part: [B, channels * bands]."""
    across = round(side * INNER)
    return functional.avg_pool2d(inner(m, side), (across // bands, across)).flatten(1)


def banded(maps: list[Tensor]) -> Tensor:
    """[B, FEATURES]."""
    return torch.cat([pooled(m, side, bands) for m, (_, _, side, bands) in zip(maps, TAPS, strict=True)], 1)


class Features(nn.Module):
    """Pictures to feature vectors, for training."""

    def __init__(self) -> None:
        super().__init__()
        self.taps = Taps()

    def forward(self, image: Tensor) -> Tensor:
        """image: [B, 1, 320, 320]."""
        return banded(self.taps(image))


class Findings(nn.Module):
    """The served model. The mean of the heat map plus a constant is the calibrated logit, exactly.

    weights: (FEATURES,) and bias: logit of pneumonia, calibration folded in. scope: the fields of `ScopeCheck`.
    baseline: (20, 20), the mean heat map of normal films; taken off every heat map, so that what is left is where
    this film differs from them, and put back as part of the constant.
    """

    def __init__(
        self,
        weights: NDArray[np.float64],
        bias: float,
        scope: dict[str, NDArray[np.float64]],
        baseline: NDArray[np.float64] | None = None,
    ) -> None:
        super().__init__()
        self.taps = Taps()
        off = np.zeros((MAP_SIDE, MAP_SIDE)) if baseline is None else baseline
        self.bias = bias + float(off.mean())
        self.register_buffer("baseline", torch.tensor(off, dtype=torch.float32))
        for index, (part, (_, channels, side, bands)) in enumerate(zip(tap_slices(), TAPS, strict=True)):
            by_row = weights[part].reshape(1, channels, bands, 1).repeat(round(side * INNER) // bands, 2)
            self.register_buffer(f"weight_{index}", torch.tensor(by_row, dtype=torch.float32))
        for name, value in scope.items():
            self.register_buffer(f"scope_{name}", torch.tensor(value, dtype=torch.float32))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """image: [B, 1, 320, 320]. Returns probability [B, 2], heatmap [B, 20, 20], scope_distance [B, 1]."""
        maps = self.taps(image)
        heatmap = self._heatmap(maps)
        p = torch.sigmoid(heatmap.mean((1, 2)) + self.bias).unsqueeze(1)
        _, _, side, bands = TAPS[SCOPE_TAP]
        distance = self._distance(pooled(maps[SCOPE_TAP], side, bands))
        return torch.cat([p, 1 - p], 1), heatmap, distance

    def _heatmap(self, maps: list[Tensor]) -> Tensor:
        total: Tensor | None = None
        for index, (m, (_, _, side, bands)) in enumerate(zip(maps, TAPS, strict=True)):
            part = bands * (inner(m, side) * getattr(self, f"weight_{index}")).sum(1, keepdim=True)
            if side > MAP_SIDE:
                part = functional.avg_pool2d(part, side // MAP_SIDE)
            elif side < MAP_SIDE:
                part = functional.interpolate(part, scale_factor=MAP_SIDE / side, mode="nearest")
            total = part if total is None else total + part
        if total is None:
            raise ValueError("no taps")
        # Nothing outside the inner part; what is in it makes up for that in the mean.
        edge = (MAP_SIDE - INNER_SIDE) // 2
        spread = functional.pad(total.squeeze(1), (edge, edge, edge, edge)) * (MAP_SIDE / INNER_SIDE) ** 2
        return spread - self.baseline

    def _distance(self, features: Tensor) -> Tensor:
        z = (features - self.scope_mean) / self.scope_scale
        p = z @ self.scope_components.T
        residual = ((z - p @ self.scope_components) ** 2).mean(1) / self.scope_residual
        apart = p.unsqueeze(1) - self.scope_centres.unsqueeze(0)
        squared = ((apart @ self.scope_precision) * apart).sum(2)
        distance = (squared.amin(1) / p.shape[1] + residual) / self.scope_limit
        spoilt = (z @ self.scope_spoilt.T + self.scope_spoilt_bias).amax(1)
        return torch.maximum(distance, 1 + spoilt).unsqueeze(1)


def export(module: nn.Module, path: Path, outputs: list[str]) -> None:
    """Write an ONNX file with a free batch dimension."""
    names = ["image", *outputs]
    torch.onnx.export(
        module.eval(),
        (torch.rand(2, 1, SIDE, SIDE),),
        str(path),
        input_names=names[:1],
        output_names=outputs,
        dynamic_axes={name: {0: "batch"} for name in names},
        opset_version=17,
        dynamo=False,
    )


def session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """On the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
