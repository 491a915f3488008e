from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from services.fusion.deterioration import attribution, explanation, network
from services.fusion.deterioration.attribution import Floats, Leaves, by_group
from services.fusion.deterioration.explanation import Explanation
from services.fusion.deterioration.network import Network

HERE = Path(__file__).parent
with np.load(HERE / "attributed.npz") as file:
    HELD = dict(file)
ROWS = HELD["rows"]
LIBRARY = pytest.mark.parametrize("library", ["lightgbm", "xgboost", "catboost"])


def leaves_of(library: str) -> Leaves:
    return Leaves.of({name.removeprefix(f"{library}_"): array for name, array in HELD.items()})


@LIBRARY
def test_trees_are_attributed_as_their_library_does(library: str) -> None:
    leaves = leaves_of(library)
    found = [[*attribution.contributions(leaves, row), leaves.bias] for row in ROWS]
    np.testing.assert_allclose(found, HELD[f"{library}_contributions"], rtol=0, atol=1e-6)


@LIBRARY
def test_trees_predict_as_their_library_does(library: str) -> None:
    leaves = leaves_of(library)
    said = [attribution.log_odds(leaves, row) for row in ROWS]
    single = library == "xgboost"  # sums in single precision
    np.testing.assert_allclose(said, HELD[f"{library}_log_odds"], rtol=0, atol=1e-6 if single else 1e-9)


def test_trees_of_all_libraries_in_one_graph_predict_as_the_libraries_do() -> None:
    session = onnxruntime.InferenceSession(HERE / "attributed.onnx")
    (said,) = session.run(None, {"rows": ROWS})
    np.testing.assert_allclose(said[:, 0], HELD["mixed_log_odds"], rtol=0, atol=1e-6)


def test_without_networks_what_trees_added_is_all() -> None:
    arrays = {name.removeprefix("catboost_"): array for name, array in HELD.items()}
    explained = Explanation.of({**arrays, "trees_part": np.array(1.0)})
    for row in ROWS:
        added = explanation.contributions(explained, row).sum()
        said = explanation.log_odds(explained, row)
        assert explanation.start(explained) + added == pytest.approx(said, abs=1e-9)


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
