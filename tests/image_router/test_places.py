import numpy as np
import pytest

from services.image_router.places import zones


def heat(row: int, column: int, size: int = 20) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    heatmap = np.full((size, size), -1, np.float32)
    heatmap[row, column] = 2
    return heatmap


@pytest.mark.parametrize(
    ("row", "column", "leftwards", "zone"),
    [
        (0, 0, 0.0, "right_upper_lung"),
        (0, 0, -1.0, "left_upper_lung"),
        (19, 19, 1.0, "left_lower_lung"),
        (9, 9, 0.0, "right_mid_lung"),
        (9, 10, 0.0, "left_mid_lung"),
    ],
)
def test_heat_lies_in_the_zone_of_its_place(row: int, column: int, leftwards: float, zone: str) -> None:
    assert zones(heat(row, column), leftwards)[zone] == 1.0


def test_zones_add_up_and_nothing_that_speaks_for_it_lies_nowhere() -> None:
    shares = zones(np.random.default_rng(0).random((20, 20), np.float32), 0.0)
    assert sum(shares.values()) == pytest.approx(1)
    assert len(shares) == 6
    assert zones(np.full((20, 20), -1, np.float32), 0.0) == {}
