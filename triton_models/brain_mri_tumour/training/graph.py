"""The served ONNX graphs: findings with heat map, outline, and distance from what was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from network import Lesions, Read
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from pathlib import Path

    from scope import ScopeCheck


class Served(nn.Module):
    """The network with calibration and scope check.

    `outputs` of: probability [B, classes] by temperature scaling (Guo 2017); heatmap [B, side / 4, side / 4], what each
    place adds to the log probability of the likeliest lesion class, less the mean over all classes; outline
    [B, side, side], probability; scope_distance [B, 1], above 1 is out of scope. normal: index of the class without
    lesion.
    """

    def __init__(
        self, network: Lesions, temperature: float, normal: int, scope: ScopeCheck, outputs: list[str]
    ) -> None:
        super().__init__()
        self.network, self.temperature, self.outputs = network, temperature, outputs
        self.lesions = [c for c in range(network.whole.out_channels) if c != normal]
        for name, value in scope.arrays().items():
            self.register_buffer(f"scope_{name}", torch.tensor(value, dtype=torch.float32))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """image: [B, 1, side, side] in [0, 1]."""
        read = self.network(image)
        found = {
            "probability": torch.softmax(read.logits / self.temperature, 1),
            "heatmap": self._heatmap(read),
            "outline": torch.sigmoid(
                functional.interpolate(read.outline, scale_factor=4.0, mode="bilinear", align_corners=False)
            ).squeeze(1),
            "scope_distance": self._distance(read.features),
        }
        return tuple(found[name] for name in self.outputs)

    def _heatmap(self, read: Read) -> Tensor:
        likeliest = read.logits[:, self.lesions].argmax(1)
        chosen = functional.one_hot(likeliest, len(self.lesions)).to(read.evidence.dtype)
        centred = read.evidence - read.evidence.mean(1, keepdim=True)
        return (centred[:, self.lesions] * chosen[:, :, None, None]).sum(1) / self.temperature

    def _distance(self, features: Tensor) -> Tensor:
        z = (features - self.scope_mean) / self.scope_scale
        p = z @ self.scope_components.T
        residual = ((z - p @ self.scope_components) ** 2).mean(1) / self.scope_residual
        apart = p.unsqueeze(1) - self.scope_centres.unsqueeze(0)
        squared = ((apart @ self.scope_precision) * apart).sum(2)
        distance = (squared.amin(1) / p.shape[1] + residual) / self.scope_limit
        wrong = z @ self.scope_wrong + self.scope_wrong_bias
        return torch.maximum(distance, 1 + wrong).unsqueeze(1)


def export(module: nn.Module, outputs: list[str], side: int, path: Path) -> None:
    """Write an ONNX file with a free batch dimension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ["image", *outputs]
    torch.onnx.export(
        module.eval(),
        (torch.rand(2, 1, side, side),),
        str(path),
        input_names=names[:1],
        output_names=outputs,
        dynamic_axes={name: {0: "batch"} for name in names},
        opset_version=17,
        dynamo=False,
    )
