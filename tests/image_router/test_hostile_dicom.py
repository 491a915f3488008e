"""Whatever an instance contains, it is read or it is Invalid; anything else would stop the service again and again."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from services.common.outcomes import Invalid
from services.image_router.pixels import dicom_picture, read_dicom
from services.image_router.tags import image_tags
from tests.image_router.samples import as_file, gradient, header, radiograph, sample_bytes

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(("slope", "intercept"), [("1e38", "1e38"), ("1e308", "0")])
def test_grey_levels_that_overflow_are_invalid(slope: str, intercept: str) -> None:
    deep = gradient().astype(np.uint16) * 257
    dataset = radiograph(deep, RescaleSlope=slope, RescaleIntercept=intercept)
    with pytest.raises(Invalid, match="cannot be decoded"):
        dicom_picture(read_dicom(as_file(dataset)), 10**6)


def test_run_lengths_past_the_end_of_the_image_are_invalid() -> None:
    content = bytearray(sample_bytes("MR_small_RLE.dcm"))
    content[3000:4000] = b"\x7f" * 1000
    with pytest.raises(Invalid, match="cannot be decoded"):
        dicom_picture(read_dicom(bytes(content)), 10**6)


def test_deflated_rubbish_is_invalid() -> None:
    content = bytearray(sample_bytes("image_dfl.dcm"))
    content[400:] = b"\x07" * (len(content) - 400)
    with pytest.raises(Invalid, match="not a readable"):
        read_dicom(bytes(content))


@pytest.mark.parametrize("age", ["9" * 5000 + "Y", "9" * 400 + "Y", "Y", "\u0663Y"])
def test_an_age_that_is_none_counts_as_absent(age: str) -> None:
    dataset = header()
    dataset.add_new("PatientAge", "LT", age)
    assert image_tags(dataset).age_years is None


def test_a_sequence_where_text_belongs_is_no_error() -> None:
    dataset = header()
    dataset.add_new("Modality", "SQ", Sequence([Dataset()]))
    assert image_tags(dataset).population == "unknown"
