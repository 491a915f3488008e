import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from services.image_router.preprocessing import Box
from services.image_router.regions import (
    SMALLEST_PART,
    Geometry,
    Mask,
    extents,
    measured,
    outlined,
    position,
    without_specks,
)


def ellipse(rows: int, columns: int, centre: tuple[float, float], radii: tuple[float, float]) -> NDArray[np.bool_]:
    y, x = np.mgrid[:rows, :columns]
    inside: NDArray[np.bool_] = ((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 <= 1
    return inside


def rectangle(shape: tuple[int, int], top: int, left: int, height: int, width: int) -> NDArray[np.bool_]:
    mask = np.zeros(shape, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def test_sizes_are_those_of_an_ellipse_drawn_in_millimetres() -> None:
    region = measured(ellipse(200, 200, (100, 100), (23, 18)), Geometry(spacing=(0.5, 0.5)))
    assert region.length_mm == pytest.approx(23, abs=0.8)
    assert region.width_mm == pytest.approx(18, abs=0.8)
    assert region.area_mm2 == pytest.approx(np.pi * 11.5 * 9, rel=0.03)


def test_pixels_that_are_not_square_are_measured_as_they_are() -> None:
    region = measured(ellipse(200, 200, (100, 100), (20, 20)), Geometry(spacing=(1.0, 0.5)))
    assert region.length_mm == pytest.approx(40, abs=1.5)
    assert region.width_mm == pytest.approx(20, abs=1.5)


def test_without_pixel_spacing_there_are_no_millimetres() -> None:
    region = measured(rectangle((100, 200), 10, 20, 30, 40), Geometry())
    assert (region.area_mm2, region.length_mm, region.width_mm) == (None, None, None)
    assert region.box == (0.1, 0.1, 0.3, 0.4)
    assert region.area_fraction == pytest.approx(0.06)


@pytest.mark.parametrize(
    ("top", "left", "leftwards", "words"),
    [
        (0, 0, 0.0, "upper left of the image"),
        (45, 45, 1.0, "centre of the image"),
        (0, 80, 1.0, "upper right of the image, the patient's left"),
        (80, 0, 1.0, "lower left of the image, the patient's right"),
        (80, 0, -1.0, "lower left of the image, the patient's left"),
        (80, 0, 0.2, "lower left of the image"),
        (0, 45, 1.0, "upper middle of the image"),
    ],
)
def test_the_place_is_said_and_the_patients_side_only_when_the_tags_give_it(
    top: int, left: int, leftwards: float, words: str
) -> None:
    side = words.partition("the patient's ")[2]
    assert position(rectangle((100, 100), top, left, 10, 10), Geometry(leftwards=leftwards)) == (words, side)


def test_small_specks_beside_a_lesion_are_dropped_and_a_second_lesion_is_kept() -> None:
    lesion, speck = rectangle((64, 64), 5, 5, 20, 20), rectangle((64, 64), 50, 50, 3, 3)
    second = rectangle((64, 64), 40, 5, 10, 10)
    np.testing.assert_array_equal(without_specks(lesion | speck | second), lesion | second)


def test_an_outline_lies_where_the_model_saw_it_in_the_whole_image() -> None:
    probability = np.full((40, 40), 0.05, np.float32)
    probability[10:20, 10:20] = 0.95
    region = outlined(probability, 0.5, Box(100, 180, 50, 210), (300, 300), Geometry())
    assert region is not None
    top, bottom = np.flatnonzero(region.mask.any(1))[[0, -1]]
    left, right = np.flatnonzero(region.mask.any(0))[[0, -1]]
    assert (top, bottom) == pytest.approx((120, 139), abs=1)
    assert (left, right) == pytest.approx((90, 129), abs=2)


def test_nothing_over_the_threshold_is_no_region() -> None:
    assert outlined(np.full((40, 40), 0.4, np.float32), 0.5, Box(0, 80, 0, 80), (80, 80), Geometry()) is None


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 60))
def test_any_mask_has_a_box_that_encloses_it_and_a_length_of_at_least_its_width(
    seed: int, rows: int, columns: int
) -> None:
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.2
    mask[0, 0] = True
    region = measured(mask, Geometry(spacing=(0.7, 0.7)))
    x0, y0, x1, y1 = region.box
    inside = np.argwhere(mask) / (rows, columns)
    assert (inside >= (y0, x0)).all()
    assert (inside < (y1, x1)).all()
    length, width = extents(mask, (0.7, 0.7))
    assert length >= width > 0


def flooded(inside: Mask) -> Mask:
    """The same place by place."""
    left = set(map(tuple, np.argwhere(inside).tolist()))
    parts: list[set[tuple[int, ...]]] = []
    while left:
        waiting, part = [left.pop()], set[tuple[int, ...]]()
        while waiting:
            row, column = here = waiting.pop()
            part.add(here)
            beside = {(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)} & left
            left -= beside
            waiting += beside
        parts.append(part)
    kept = np.zeros(inside.shape, bool)
    for part in parts:
        if len(part) >= SMALLEST_PART * max(map(len, parts)):
            kept[tuple(zip(*part, strict=True))] = True
    return kept


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=24)))
def test_specks_are_found_as_by_flooding_place_by_place(inside: Mask) -> None:
    np.testing.assert_array_equal(without_specks(inside), flooded(inside))


@pytest.mark.parametrize("seed", range(20))
def test_large_and_small_parts_are_told_apart(seed: int) -> None:
    coarse = np.random.default_rng(seed).random((12, 12)) > 0.62
    fine = np.random.default_rng(seed).random((60, 60)) > 0.985
    inside = np.kron(coarse, np.ones((5, 5), bool)) | fine
    np.testing.assert_array_equal(without_specks(inside), flooded(inside))
