from pathlib import Path

import numpy as np
import pytest

from services.fusion.deterioration import attribution, network
from services.fusion.deterioration.attribution import Floats, Leaves, by_group
from services.fusion.deterioration.network import Network

ATTRIBUTED = np.load(Path(__file__).with_name("attributed.npz"))
LEAVES = Leaves.of(ATTRIBUTED)
ROWS = range(len(ATTRIBUTED["rows"]))


@pytest.mark.parametrize("at", ROWS)
def test_trees_are_attributed_as_lightgbm_does(at: int) -> None:
    found = attribution.contributions(LEAVES, ATTRIBUTED["rows"][at])
    np.testing.assert_allclose([*found, LEAVES.bias], ATTRIBUTED["contributions"][at], rtol=0, atol=1e-6)


@pytest.mark.parametrize("at", ROWS)
def test_trees_predict_as_lightgbm_does(at: int) -> None:
    assert attribution.log_odds(LEAVES, ATTRIBUTED["rows"][at]) == pytest.approx(ATTRIBUTED["log_odds"][at], abs=1e-9)


def made_up_network(seed: int, features: int = 7) -> Network:
    rng = np.random.default_rng(seed)

    def layer(inside: int, out: int) -> tuple[Floats, Floats]:
        return rng.normal(size=(3, inside, out)), rng.normal(size=(3, out))

    return Network(
        column=np.array([0, 1, 3, 4]),
        logged=np.array([False, True, False, False]),
        centre=np.array([0.0, 1.0, 0.5, -1.0]),
        scale=np.array([1.0, 0.5, 2.0, 1.0]),
        flags=np.array([3, 6]),
        first=layer(6, 5),
        second=layer(5, 4),
        last=layer(4, 1),
    )


@pytest.mark.parametrize("seed", range(10))
def test_what_the_networks_added_is_their_prediction_less_that_of_the_reference(seed: int) -> None:
    made = made_up_network(seed)
    rng = np.random.default_rng(seed)
    row = rng.normal(size=7).astype(np.float32)
    row[rng.random(7) < 0.3] = np.nan
    added = network.contributions(made, row).sum()
    assert added == pytest.approx(network.log_odds(made, row) - network.reference(made), abs=2e-3)


def test_a_feature_that_no_network_reads_added_nothing() -> None:
    found = network.contributions(made_up_network(1), np.ones(7, np.float32))
    assert found[[2, 5]].tolist() == [0, 0]


def test_a_missing_value_is_a_reason_of_its_feature() -> None:
    row = np.array([0, 1, 0, np.nan, -1, 0, 0], np.float32)
    found = network.contributions(made_up_network(2), row)
    assert found[3] != 0


def test_contributions_are_summed_by_quantity() -> None:
    assert by_group(np.array([1.0, -0.25, 2.0]), ["lactate", "lactate", "age"]) == {"lactate": 0.75, "age": 2.0}
