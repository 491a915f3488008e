"""What each feature added to a prediction of the small networks beside the trees: integrated gradients, in closed form.

Sundararajan et al., ICML 2017: the gradient averaged along the straight way from a reference to the row, times the
difference; contributions add up to the prediction less that of the reference. The reference is a patient with average
values, all of them measured. Its inputs are all 0, so the way is t * inputs, and only the narrow layers are walked.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.fusion.deterioration.attribution import Floats, quadrature

POINTS = 12
CLIPPED = 3.0  # standard deviations
SHIFT = 0.1  # before the logarithm


@dataclass(frozen=True, slots=True)
class Network:
    """An ensemble of equal networks; its log-odds are the mean of theirs.

    column: features read. logged: whether as log(max(x, 0) + 0.1). centre, scale: of what comes of it, then clipped to
    +-3, and 0 when missing. flags: features whose being missing is an input. first, second, last: (weights [members,
    in, out], biases [members, out]), with SiLU after the first two.
    """

    column: NDArray[np.int64]
    logged: NDArray[np.bool_]
    centre: Floats
    scale: Floats
    flags: NDArray[np.int64]
    first: tuple[Floats, Floats]
    second: tuple[Floats, Floats]
    last: tuple[Floats, Floats]

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "Network":
        """From the arrays of `assets/model.npz`."""
        first, second, last = (
            (arrays[f"w{at}"].astype(np.float64), arrays[f"b{at}"].astype(np.float64)) for at in range(3)
        )
        return cls(
            column=arrays["column"].astype(np.int64),
            logged=arrays["logged"].astype(np.bool_),
            centre=arrays["centre"].astype(np.float64),
            scale=arrays["scale"].astype(np.float64),
            flags=arrays["flags"].astype(np.int64),
            first=first,
            second=second,
            last=last,
        )


def inputs(network: Network, row: NDArray[np.float32]) -> Floats:
    """[len(column) + len(flags)] of a row of features."""
    taken = row[network.column].astype(np.float64)
    known = ~np.isnan(taken)
    taken = np.where(known, taken, 0.0)
    values = np.where(network.logged, np.log(np.maximum(taken, 0.0) + SHIFT), taken)
    scaled = np.clip((values - network.centre) / network.scale, -CLIPPED, CLIPPED)
    return np.concatenate([np.where(known, scaled, 0.0), np.isnan(row[network.flags])])


def log_odds(network: Network, row: NDArray[np.float32]) -> float:
    """Mean of the members' predictions."""
    return float(_members(network, inputs(network, row) @ network.first[0], np.ones(1))[0].mean())


def contributions(network: Network, row: NDArray[np.float32]) -> Floats:
    """[features] log-odds that each feature of the row added to `reference`."""
    taken = inputs(network, row)
    nodes, weights = quadrature(POINTS)
    _, gradient = _members(network, taken @ network.first[0], np.array(nodes))
    averaged = np.einsum("t,mth->mh", np.array(weights), gradient) / len(gradient)
    each = taken * (network.first[0] @ averaged[:, :, None]).sum(axis=0)[:, 0]
    columns = np.concatenate([network.column, network.flags])
    return np.bincount(columns, each, minlength=len(row)).astype(np.float64)


def reference(network: Network) -> float:
    """Prediction for the reference."""
    nothing = np.zeros((len(network.first[0]), network.first[0].shape[2]))
    return float(_members(network, nothing, np.ones(1))[0].mean())


def _members(network: Network, whole: Floats, along: Floats) -> tuple[Floats, Floats]:
    """Predictions [members, points], and their gradients at the first layer [members, points, hidden].

    whole: [members, hidden], the row's inputs times the first weights. along: how far from the reference, [points].
    """
    (_, bias), (weights, bias_2), (weights_3, bias_3) = network.first, network.second, network.last
    before = along[None, :, None] * whole[:, None, :] + bias[:, None, :]
    hidden, slope = _silu(before)
    hidden_2, slope_2 = _silu(hidden @ weights + bias_2[:, None, :])
    said = (hidden_2 @ weights_3)[:, :, 0] + bias_3
    back = slope_2 * weights_3[:, None, :, 0]
    return said, slope * (back @ weights.transpose(0, 2, 1))


def _silu(values: Floats) -> tuple[Floats, Floats]:
    """SiLU and its derivative."""
    gate = 1 / (1 + np.exp(-values))
    return values * gate, gate * (1 + values * (1 - gate))
