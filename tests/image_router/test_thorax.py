"""The thorax is found wherever it lies on a film, and what lies around it does not reach the model."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.image_router.preprocessing import (
    GRAIN,
    MIDDLE,
    Box,
    equalised,
    equalised_locally,
    model_input,
    read_part,
    resized,
    stretched,
)
from services.image_router.thorax import INTERVALS, SIDE, TEMPLATE, likeness, located
from tests.image_router.samples import ward_film

Grey = NDArray[Any]
FILM = ward_film("chest_clear_a.jpg").astype(np.float32) / 255


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    high = min(one.bottom, other.bottom) - max(one.top, other.top)
    wide = min(one.right, other.right) - max(one.left, other.left)
    shared = max(0, high) * max(0, wide)
    areas = [(box.bottom - box.top) * (box.right - box.left) for box in (one, other)]
    return shared / (sum(areas) - shared)


def test_likeness_is_the_correlation_with_the_mean_thorax() -> None:
    count = len(TEMPLATE)
    square = np.random.default_rng(0).random((SIDE, SIDE)).astype(np.float32)
    row = [tuple(interval) for interval in INTERVALS].index((4.0, 4.0 + 2 * count))
    window = square[4 : 4 + 2 * count, 4 : 4 + 2 * count].astype(np.float64)
    small = window.reshape(count, 2, count, 2).mean((1, 3))
    wanted = (TEMPLATE * small).mean() / window.std()
    assert likeness(square)[row, row] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("fill", [0.0, 0.5, 1.0])
def test_margins_do_not_move_the_thorax(fill: float) -> None:
    alone = read_part(FILM, "chest_film")
    down, across = FILM.shape[0] // 8, FILM.shape[1] // 10
    wide = np.pad(FILM, ((down, down // 2), (across // 2, across)), constant_values=fill)
    found = read_part(wide, "chest_film")
    back = Box(found.top - down, found.bottom - down, found.left - across // 2, found.right - across // 2)
    assert overlap(alone, back) > 0.85


def test_a_frame_painted_around_the_thorax_hardly_changes_what_the_model_sees() -> None:
    box = read_part(FILM, "chest_film")
    painted = np.random.default_rng(1).random(FILM.shape).astype(np.float32)
    painted[box.top : box.bottom, box.left : box.right] = FILM[box.top : box.bottom, box.left : box.right]
    assert overlap(box, read_part(painted, "chest_film")) > 0.8


def test_what_lies_outside_the_thorax_does_not_reach_the_model() -> None:
    """The input is made of the part alone, and of the order of its grey levels."""
    levels = stretched(FILM)
    box = read_part(levels, "chest_film")
    part = levels[box.top : box.bottom, box.left : box.right]
    square = resized(resized(part, GRAIN, GRAIN), 320, 320)
    wanted = equalised(equalised_locally(equalised(square)), MIDDLE)
    np.testing.assert_allclose(model_input(FILM, 320)[0], wanted, atol=1e-6)


def test_nothing_of_the_brightness_is_left_in_the_middle() -> None:
    middle = model_input(FILM, 320)[0, 32:-32, 32:-32]
    np.testing.assert_allclose(np.quantile(middle, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.02)


def test_a_finer_film_gives_nearly_the_same_input() -> None:
    finer = np.kron(FILM, np.ones((3, 3), np.float32))
    assert np.abs(model_input(finer, 320) - model_input(FILM, 320)).mean() < 0.02


def test_a_flat_film_has_some_box_or_other() -> None:
    top, bottom, left, right = located(np.full((SIDE, SIDE), 0.5, np.float32))
    assert 0 <= top < bottom <= 1
    assert 0 <= left < right <= 1
