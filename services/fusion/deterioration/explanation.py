"""What each feature added to a model's prediction: the trees' part exactly, the networks' by integrated gradients."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.fusion.deterioration import attribution, network
from services.fusion.deterioration.attribution import Floats, Leaves
from services.fusion.deterioration.network import Network


@dataclass(frozen=True, slots=True)
class Explanation:
    """A model as it is explained. trees_part: weight of the trees' log-odds; the networks, if any, have the rest."""

    leaves: Leaves
    network: Network | None
    trees_part: float

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "Explanation":
        """From what `numpy.load` gives of `assets/model.npz`."""
        networks = Network.of(arrays) if "w0" in arrays else None
        return cls(Leaves.of(arrays), networks, float(arrays["trees_part"]))


def contributions(explanation: Explanation, row: NDArray[np.float32]) -> Floats:
    """[features] log-odds, before calibration, that each feature added to `start`."""
    part = explanation.trees_part
    trees = part * attribution.contributions(explanation.leaves, row)
    if explanation.network is None:
        return trees
    return trees + (1 - part) * network.contributions(explanation.network, row)


def start(explanation: Explanation) -> float:
    """Log-odds before anything is known of the patient."""
    part, networks = explanation.trees_part, explanation.network
    return part * explanation.leaves.bias + (1 - part) * (0.0 if networks is None else network.reference(networks))


def log_odds(explanation: Explanation, row: NDArray[np.float32]) -> float:
    """The model's log-odds before calibration; Triton's answer is made of the same sum."""
    part, networks = explanation.trees_part, explanation.network
    trees = attribution.log_odds(explanation.leaves, row)
    return part * trees + (1 - part) * (0.0 if networks is None else network.log_odds(networks, row))
