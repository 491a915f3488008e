"""Pixel spacing, orientation and the named place from the header of a DICOM instance."""

from pydicom.dataset import Dataset

from services.image_router.regions import Geometry
from services.image_router.tags import items, text
from services.image_router.unreadable import UNREADABLE

CENTIMETRES = 3  # PS3.3 C.8.5.5.1.15
MM_A_CM = 10.0
LARGEST_SPACING_MM = 20.0
# SNOMED CT codes of the quadrants of a breast (PS3.16 CID 4), by what they are called.
QUADRANTS = {
    "76365002": "upper outer quadrant",
    "77831004": "upper inner quadrant",
    "33564002": "lower outer quadrant",
    "19100000": "lower inner quadrant",
}
SIDES = {"L": "left", "R": "right"}
TOWARDS = {"L": 1.0, "R": -1.0}  # the patient's left, by the direction of the rows


def image_geometry(dataset: Dataset) -> Geometry:
    """Pixel spacing (0028,0030), else that of the only calibrated ultrasound region (0018,6011); orientation.

    That is (0020,0037), else (0020,0020). Side and quadrant of a breast, which no picture shows by itself, are
    (0020,0062), else (0020,0060), and the code of the anatomic region (0008,2218) or its modifier (0008,2220).
    Malformed or impossible values count as absent.
    """
    return Geometry(
        _pixel_spacing(dataset) or _ultrasound_spacing(dataset),
        _leftwards(dataset),
        SIDES.get(text(dataset, "ImageLaterality") or text(dataset, "Laterality"), ""),
        _quadrant(dataset),
    )


def _quadrant(dataset: Dataset) -> str:
    regions = items(dataset, "AnatomicRegionSequence")
    modifiers = [one for region in regions for one in items(region, "AnatomicRegionModifierSequence")]
    codes = [text(one, "CodeValue") for one in [*regions, *modifiers]]
    return next((QUADRANTS[code] for code in codes if code in QUADRANTS), "")


def _pixel_spacing(dataset: Dataset) -> tuple[float, float] | None:
    try:
        row, column = (float(value) for value in dataset.PixelSpacing)
    except UNREADABLE:
        return None
    return _possible(row, column)


def _ultrasound_spacing(dataset: Dataset) -> tuple[float, float] | None:
    try:
        regions = [r for r in dataset.SequenceOfUltrasoundRegions if int(r.PhysicalUnitsXDirection) == CENTIMETRES]
        if len(regions) != 1 or int(regions[0].PhysicalUnitsYDirection) != CENTIMETRES:
            return None
        row, column = (abs(float(regions[0][name].value)) for name in ("PhysicalDeltaY", "PhysicalDeltaX"))
    except UNREADABLE:
        return None
    return _possible(row * MM_A_CM, column * MM_A_CM)


def _possible(row: float, column: float) -> tuple[float, float] | None:
    return (row, column) if 0 < row < LARGEST_SPACING_MM and 0 < column < LARGEST_SPACING_MM else None


def _leftwards(dataset: Dataset) -> float:
    try:
        return float(dataset.ImageOrientationPatient[0])
    except UNREADABLE:
        return TOWARDS.get(_row_direction(dataset), 0.0)


def _row_direction(dataset: Dataset) -> str:
    """Of projections: the first letter of (0020,0020)."""
    try:
        return str(dataset.PatientOrientation[0])[:1].upper()
    except UNREADABLE:
        return ""
