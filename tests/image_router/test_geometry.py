import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from services.image_router.geometry import QUADRANTS, image_geometry
from services.image_router.regions import position


def with_regions(*units: int) -> Dataset:
    dataset = Dataset()
    dataset.SequenceOfUltrasoundRegions = []
    for unit in units:
        region = Dataset()
        region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = unit
        region.PhysicalDeltaX, region.PhysicalDeltaY = 0.01, 0.02
        dataset.SequenceOfUltrasoundRegions.append(region)
    return dataset


def test_pixel_spacing_is_rows_then_columns() -> None:
    dataset = Dataset()
    dataset.PixelSpacing = [0.5, 0.4]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    geometry = image_geometry(dataset)
    assert geometry.spacing == (0.5, 0.4)
    assert geometry.leftwards == 1.0


def test_an_ultrasound_image_has_the_spacing_of_its_only_calibrated_region_in_millimetres() -> None:
    assert image_geometry(with_regions(3)).spacing == pytest.approx((0.2, 0.1))


def test_two_regions_or_other_units_leave_it_unknown() -> None:
    assert image_geometry(with_regions(3, 3)).spacing is None
    assert image_geometry(with_regions(4)).spacing is None


@pytest.mark.parametrize("value", [[0.0, 0.5], [-1, 1], [500, 500], []])
def test_an_impossible_spacing_counts_as_absent(value: list[float]) -> None:
    dataset = Dataset()
    dataset.PixelSpacing = value
    assert image_geometry(dataset).spacing is None


def test_a_header_without_any_of_it_is_unknown() -> None:
    geometry = image_geometry(Dataset())
    assert (geometry.spacing, geometry.leftwards) == (None, 0.0)


@pytest.mark.parametrize(("rows", "leftwards"), [("L", 1.0), ("R", -1.0), ("A", 0.0), ("", 0.0)])
def test_of_a_projection_the_direction_of_the_rows_tells_where_left_is(rows: str, leftwards: float) -> None:
    dataset = Dataset()
    dataset.PatientOrientation = [rows, "F"]
    assert image_geometry(dataset).leftwards == leftwards


@pytest.mark.parametrize("in_modifier", [False, True])
def test_side_and_quadrant_of_a_breast_are_those_of_the_tags(*, in_modifier: bool) -> None:
    quadrant, breast, dataset = Dataset(), Dataset(), Dataset()
    quadrant.CodeValue, breast.CodeValue = codes.SCT.UpperOuterQuadrantOfBreast.value, codes.SCT.Breast.value
    breast.AnatomicRegionModifierSequence = [quadrant]
    dataset.AnatomicRegionSequence = [breast if in_modifier else quadrant]
    dataset.ImageLaterality = "L"
    geometry = image_geometry(dataset)
    assert (geometry.side, geometry.quadrant) == ("left", "upper outer quadrant")
    mask = np.zeros((30, 30), bool)
    mask[:5, :5] = True
    assert position(mask, geometry) == ("upper left of the image, left upper outer quadrant", "left")


def test_the_quadrants_have_the_codes_of_the_standard() -> None:
    named = {name: getattr(codes.SCT, name.title().replace(" ", "") + "OfBreast").value for name in QUADRANTS.values()}
    assert {code: name for name, code in named.items()} == QUADRANTS
