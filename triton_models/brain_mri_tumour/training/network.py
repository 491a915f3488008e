"""One network that classifies a picture by what it outlines in it, with an exact heat map."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from trunk import CHANNELS, Trunk

DECODER = {16: 64, 8: 48, 4: 32}  # channels of the outlining path by stride
MAP_STRIDE = 4  # of the heat map and of the outline
GRID = 4  # the map of stride 8 is pooled in 4 by 4 fields for the scope check: what is up and down matters
POOLED = CHANNELS[16] + CHANNELS[32]


class Read(NamedTuple):
    """What the network says.

    logits: [B, classes]. evidence: [B, classes, H / 4, W / 4]; its mean is the logit, exactly.
    outline: [B, 1, H / 4, W / 4], logit of lesion. features: [B, 40 * 16 + 432], for the scope check: where edges lie
    in the picture, then the network's own last features.
    """

    logits: Tensor
    evidence: Tensor
    outline: Tensor
    features: Tensor


class Lesions(nn.Module):
    """Outline by a U-Net path (Ronneberger 2015); classes from the whole picture and from what lies in the outline."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.deep = nn.Conv2d(CHANNELS[32], DECODER[16], 1)
        below = DECODER[16]
        self.up = nn.ModuleDict()
        for stride, channels in DECODER.items():
            self.up[str(stride)] = nn.Conv2d(below + CHANNELS[stride], channels, 3, padding=1)
            below = channels
        self.outline = nn.Conv2d(below, 1, 1)
        self.inside = nn.Conv2d(CHANNELS[16] + DECODER[16], classes, 1)
        self.whole = nn.Conv2d(CHANNELS[32], classes, 1)
        nn.init.constant_(self.outline.bias, -3.0)  # most of a picture is no lesion

    def forward(self, image: Tensor) -> Read:
        """image: [B, 1, H, W] in [0, 1], H and W multiples of 32."""
        x = self.trunk(image)
        p = functional.relu(self.deep(x[32]))
        path = {}
        for stride in DECODER:
            p = functional.relu(self.up[str(stride)](torch.cat([_doubled(p), x[stride]], 1)))
            path[stride] = p
        outline = self.outline(p)
        lesion = torch.sigmoid(outline)
        cells = x[16].shape[2] * x[16].shape[3]
        size = lesion.sum((2, 3), keepdim=True) * cells / (lesion.shape[2] * lesion.shape[3])  # in places of stride 16
        inside = functional.interpolate(self.inside(torch.cat([x[16], path[16]], 1)), scale_factor=4.0, mode="nearest")
        whole = functional.interpolate(self.whole(x[32]), scale_factor=8.0, mode="nearest")
        evidence = lesion / (size + 1) * cells * inside + whole
        edges = functional.avg_pool2d(x[8], x[8].shape[2] // GRID).flatten(1)
        features = torch.cat([edges, x[16].mean((2, 3)), x[32].mean((2, 3))], 1)
        return Read(evidence.mean((2, 3)), evidence, outline, features)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
