"""Values of interest: from modality units to what is displayed (DICOM PS3.3 C.11.2 and C.11.6)."""

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_voi

MIN_SHOWN = 0.02  # A window that shows less of the scale than this hides the image.


def displayed(values: NDArray[np.float32], dataset: Dataset) -> tuple[NDArray[np.float32], str]:
    """Grey levels as displayed, and what had to be put right.

    values: (rows, columns), modality units. The first VOI LUT is used, else the first window, else the whole range.
    Returns levels in [0, 1], 1 is white whatever the photometric interpretation.
    """
    grey, note = _values_of_interest(values, dataset)
    if note == "" and np.ptp(grey) < MIN_SHOWN and np.ptp(values) > 0:
        grey, note = whole_range(values), "the window shows nothing; the whole range was used"
    inverse = dataset.get("PresentationLUTShape") == "INVERSE"
    if inverse or dataset.PhotometricInterpretation == "MONOCHROME1":
        grey = 1 - grey
    return grey, note


def _values_of_interest(values: NDArray[np.float32], dataset: Dataset) -> tuple[NDArray[np.float32], str]:
    if dataset.get("VOILUTSequence"):
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        looked_up = apply_voi(values.astype(np.int64), dataset, index=0)
        return np.clip(looked_up.astype(np.float32) / (2**bits - 1), 0, 1), ""
    centre, width = _first(dataset, "WindowCenter"), _first(dataset, "WindowWidth")
    if centre is None or width is None:
        return _unwindowed(values, dataset), ""
    function = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
    try:
        return windowed(values, centre, width, function), ""
    except ValueError:
        return whole_range(values), "the window is not valid; the whole range was used"


def _first(dataset: Dataset, name: str) -> float | None:
    value = dataset.get(name)
    if value is None or value == "":
        return None
    return float(value if isinstance(value, float | int | str) else value[0])


def _unwindowed(values: NDArray[np.float32], dataset: Dataset) -> NDArray[np.float32]:
    """8-bit images without a window are displayed as they are; deeper ones over their whole range."""
    if int(dataset.BitsStored) == 8 and float(values.min()) >= 0 and float(values.max()) <= 255:  # noqa: PLR2004
        return (values / 255).astype(np.float32)
    return whole_range(values)


def whole_range(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lowest to highest value as 0 to 1; a flat image is 0."""
    low, span = values.min(), np.ptp(values)
    return ((values - low) / span if span > 0 else np.zeros_like(values)).astype(np.float32)


def windowed(values: NDArray[np.float32], centre: float, width: float, function: str = "LINEAR") -> NDArray[np.float32]:
    """Apply a VOI window (DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3).

    values: modality units (HU for CT). centre, width: same units. function: LINEAR, LINEAR_EXACT or SIGMOID.
    Returns levels in [0, 1]. Raises ValueError for a width below 1 (LINEAR) or not above 0, and for other functions.
    """
    if not (np.isfinite(centre) and np.isfinite(width)) or width <= 0 or (function == "LINEAR" and width < 1):
        raise ValueError("the window is too narrow")
    if function == "SIGMOID":
        exponent = np.clip(-4 * (values - centre) / width, -80, 80)
        return (1 / (1 + np.exp(exponent))).astype(np.float32)
    if function not in ("LINEAR", "LINEAR_EXACT"):
        raise ValueError("no such VOI LUT function")
    if function == "LINEAR":
        centre, width = centre - 0.5, max(width - 1, 1e-6)
    return np.clip((values - centre) / width + 0.5, 0, 1).astype(np.float32)
