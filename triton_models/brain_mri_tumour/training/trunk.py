"""EfficientNet-Lite0 with its batch norms folded into the convolutions: faster to train and to run, same output."""

# ruff: noqa: SLF001 - attribute names are those of the published weights

from __future__ import annotations

import sys
from pathlib import Path

from depthwise import Depthwise
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

sys.path.append(str(Path(__file__).resolve().parents[2] / "cxr_findings" / "training"))
from lite0 import Block, pretrained_lite0

CHANNELS = {4: 24, 8: 40, 16: 112, 32: 320}  # of the maps by their stride
LUMA_MEAN, LUMA_SCALE = 127.0, 128.0


class FoldedBlock(nn.Module):
    """An inverted residual of the published network."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        steps = [_folded(block._expand_conv, block._bn0, acts=True)] if block.expands else []
        steps += [_folded(block._depthwise_conv, block._bn1, acts=True)]
        steps += [_folded(block._project_conv, block._bn2, acts=False)]
        self.steps, self.residual = nn.Sequential(*steps), block.residual

    def forward(self, x: Tensor) -> Tensor:
        """x: [B, C, H, W]."""
        y: Tensor = self.steps(x)
        return x + y if self.residual else y


class Trunk(nn.Module):
    """Four parts, each from one map to the next: stride 4, 8, 16, 32. With ImageNet weights."""

    def __init__(self) -> None:
        super().__init__()
        network = pretrained_lite0()
        blocks = [FoldedBlock(block) for block in network._blocks]
        stem = _folded(network._conv_stem, network._bn0, acts=True)
        parts = [[stem, *blocks[:3]], blocks[3:5], blocks[5:11], blocks[11:]]
        self.parts = nn.ModuleList(nn.Sequential(*part) for part in parts)

    def forward(self, image: Tensor) -> dict[int, Tensor]:
        """image: [B, 1, H, W] in [0, 1], H and W multiples of 32. Returns the maps by their stride."""
        x4, x8 = self.low(image)
        x16, x32 = self.high(x8)
        return {4: x4, 8: x8, 16: x16, 32: x32}

    def low(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """image: as above. Returns the maps of stride 4 and 8."""
        x = ((image * 255 - LUMA_MEAN) / LUMA_SCALE).expand(-1, 3, -1, -1)
        x4 = self.parts[0](x)
        return x4, self.parts[1](x4)

    def high(self, x8: Tensor) -> tuple[Tensor, Tensor]:
        """x8: the map of stride 8. Returns those of stride 16 and 32."""
        x16 = self.parts[2](x8)
        return x16, self.parts[3](x16)


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d, *, acts: bool) -> nn.Sequential:
    """For even sizes: a step of two pads right and below only, as TensorFlow does."""
    fused = fuse_conv_bn_eval(convolution.eval(), norm.eval())
    kernel, stride = fused.kernel_size[0], fused.stride[0]
    kind = Depthwise if fused.groups > 1 else nn.Conv2d
    padding = 0 if stride > 1 else kernel // 2
    plain = kind(fused.in_channels, fused.out_channels, kernel, stride, padding, groups=fused.groups)
    plain.load_state_dict({"weight": fused.weight.detach(), "bias": fused.bias.detach()})
    before, after = (kernel - 2) // 2, kernel // 2
    pads = [nn.ZeroPad2d((before, after, before, after))] if stride > 1 else []
    return nn.Sequential(*pads, plain, *([nn.ReLU6()] if acts else []))
