"""One network that classifies a picture by what it outlines in it, with an exact heat map."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from trunk import CHANNELS, Trunk

WIDTH = 64  # channels of the outlining path
MAP_STRIDE = 4  # of the heat map


class Read(NamedTuple):
    """What the network says.

    logits: [B, classes]. evidence: [B, classes, H / 4, W / 4]; its mean is the logit, exactly.
    outline: [B, 1, H / 4, W / 4], logit of lesion. pooled: [B, 432], for the scope check.
    """

    logits: Tensor
    evidence: Tensor
    outline: Tensor
    pooled: Tensor


class Lesions(nn.Module):
    """Outline from a feature pyramid (Lin 2017); classes from the whole picture and from what lies in the outline."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.lateral = nn.ModuleDict({str(s): nn.Conv2d(c, WIDTH, 1) for s, c in CHANNELS.items()})
        self.smooth = nn.ModuleDict({str(s): _separable(WIDTH) for s in (4, 8, 16)})
        self.outline = nn.Conv2d(WIDTH, 1, 1)
        self.inside = nn.Conv2d(CHANNELS[16] + WIDTH, classes, 1)
        self.whole = nn.Conv2d(CHANNELS[32], classes, 1)
        nn.init.constant_(self.outline.bias, -3.0)  # most of a picture is no lesion
        self.trunk.parts[:2].requires_grad_(requires_grad=False)

    def forward(self, image: Tensor) -> Read:
        """image: [B, 1, H, W] in [0, 1]."""
        return self.from_low(*self.trunk.low(image))

    def from_low(self, x4: Tensor, x8: Tensor) -> Read:
        """From the maps of stride 4 and 8, which training leaves as they are and keeps."""
        x16, x32 = self.trunk.high(x8)
        p = self.lateral["32"](x32)
        pyramid = {}
        for stride, x in ((16, x16), (8, x8), (4, x4)):
            p = self.smooth[str(stride)](_doubled(p) + self.lateral[str(stride)](x))
            pyramid[stride] = p
        outline = self.outline(p)
        lesion = torch.sigmoid(outline)
        cells = x16.shape[2] * x16.shape[3]
        size = lesion.sum((2, 3), keepdim=True) * cells / (lesion.shape[2] * lesion.shape[3])  # in places of stride 16
        inside = functional.interpolate(self.inside(torch.cat([x16, pyramid[16]], 1)), scale_factor=4.0, mode="nearest")
        whole = functional.interpolate(self.whole(x32), scale_factor=8.0, mode="nearest")
        evidence = lesion / (size + 1) * cells * inside + whole
        pooled = torch.cat([x16.mean((2, 3)), x32.mean((2, 3))], 1)
        return Read(evidence.mean((2, 3)), evidence, outline, pooled)


def _separable(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
        nn.Conv2d(channels, channels, 1),
        nn.ReLU(),
    )


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
