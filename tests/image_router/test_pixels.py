import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from services.common.outcomes import Invalid
from services.image_router.pixels import Picture, dicom_picture, file_picture, is_dicom, read_dicom
from services.image_router.windows import windowed
from tests.image_router.samples import as_file, as_picture, gradient, radiograph, sample_bytes

MANY = 10**9


def picture_of(dataset: Dataset) -> Picture:
    return dicom_picture(read_dicom(as_file(dataset)), MANY)


def test_monochrome2_is_displayed_as_stored_and_monochrome1_inverted() -> None:
    pixels = gradient()
    as_stored = picture_of(radiograph(pixels)).grey
    np.testing.assert_allclose(as_stored, pixels / 255, atol=1e-6)
    inverted = picture_of(radiograph(pixels, PhotometricInterpretation="MONOCHROME1")).grey
    np.testing.assert_allclose(inverted, 1 - as_stored, atol=1e-6)


def test_the_window_applies_to_rescaled_values() -> None:
    stored = np.array([[0, 1000, 1024, 1064, 1104, 3000]], np.uint16)
    shown = picture_of(radiograph(stored, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=80)).grey
    # PS3.3 C.11.2.1.2: 0 at or below -0.5, 1 above 78.5, linear between.
    np.testing.assert_allclose(shown, [[0, 0, (0 - 39.5) / 79 + 0.5, (40 - 39.5) / 79 + 0.5, 1, 1]], atol=1e-5)


def test_a_window_that_shows_nothing_is_replaced_and_said_so() -> None:
    dataset = radiograph(gradient().astype(np.uint16) * 10, WindowCenter=60000, WindowWidth=100)
    picture = picture_of(dataset)
    assert np.ptp(picture.grey) == pytest.approx(1)
    assert "window" in picture.note


def test_a_voi_lookup_table_is_applied() -> None:
    table = Dataset()
    table.LUTDescriptor = [256, 0, 16]
    table.LUTData = ((255 - np.arange(256, dtype=np.uint16)) * 257).tobytes()
    dataset = radiograph(gradient())
    dataset.VOILUTSequence = Sequence([table])
    dataset.VOILUTSequence[0]["LUTDescriptor"].VR = "US"
    dataset.VOILUTSequence[0]["LUTData"].VR = "OW"
    np.testing.assert_allclose(picture_of(dataset).grey, 1 - gradient() / 255, atol=1e-6)


def test_padding_is_black_even_when_low_values_are_white() -> None:
    pixels = gradient()
    pixels[:4] = 0
    pixels[4:][pixels[4:] == 0] = 1
    shown = picture_of(radiograph(pixels, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0)).grey
    assert (shown[:4] == 0).all()
    assert shown[4].mean() > 0.8


def test_of_several_frames_the_first_is_read_and_said_so() -> None:
    frames = np.stack([gradient(), 255 - gradient()])
    picture = picture_of(radiograph(frames, NumberOfFrames=2))
    np.testing.assert_allclose(picture.grey, gradient() / 255, atol=1e-6)
    assert picture.note == "the first of 2 frames was read"


@pytest.mark.parametrize(
    "name",
    [
        "693_J2KI.dcm",
        "CT_small.dcm",
        "J2K_pixelrep_mismatch.dcm",
        "JPGExtended.dcm",
        "JPEG2000.dcm",
        "JPEGLSNearLossless_16.dcm",
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
    ],
)
def test_grey_images_are_read_in_every_transfer_syntax(name: str) -> None:
    picture = dicom_picture(read_dicom(sample_bytes(name)), MANY)
    assert not picture.coloured
    assert np.ptp(picture.grey) > 0.1
    assert 0 <= picture.grey.min() <= picture.grey.max() <= 1


def test_compression_without_loss_changes_nothing() -> None:
    plain = dicom_picture(read_dicom(sample_bytes("MR_small.dcm")), MANY).grey
    for name in ("MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"):
        np.testing.assert_array_equal(dicom_picture(read_dicom(sample_bytes(name)), MANY).grey, plain)


@pytest.mark.parametrize(
    "name", ["SC_rgb_rle.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_ybr_full_422_uncompressed.dcm", "examples_palette.dcm"]
)
def test_colour_is_noticed(name: str) -> None:
    assert dicom_picture(read_dicom(sample_bytes(name)), MANY).coloured


def test_a_grey_picture_saved_with_three_channels_is_grey() -> None:
    three = np.repeat(gradient()[..., None], 3, axis=2)
    picture = file_picture(as_picture(three, "PNG"), MANY)
    assert not picture.coloured
    np.testing.assert_allclose(picture.grey, gradient() / 255, atol=1e-5)


def test_a_sixteen_bit_png_keeps_its_order() -> None:
    deep = gradient().astype(np.uint16) * 257
    np.testing.assert_allclose(file_picture(as_picture(deep, "PNG"), MANY).grey, gradient() / 255, atol=1e-4)


def test_truncated_pixel_data_are_invalid() -> None:
    with pytest.raises(Invalid, match="pixel data"):
        dicom_picture(read_dicom(sample_bytes("MR_truncated.dcm")), MANY)


def test_an_image_without_pixels_is_invalid() -> None:
    dataset = radiograph(gradient())
    del dataset.PixelData
    with pytest.raises(Invalid, match="pixel data"):
        picture_of(dataset)


def test_an_image_over_the_limit_is_not_decoded() -> None:
    with pytest.raises(Invalid, match="at most 100 are read"):
        dicom_picture(read_dicom(as_file(radiograph(gradient()))), 100)
    with pytest.raises(Invalid, match="at most 100 are read"):
        file_picture(as_picture(gradient(), "PNG"), 100)


CHEST = as_file(radiograph(gradient(8, 8)))
COMPRESSED = sample_bytes("MR_small_jpeg_ls_lossless.dcm")
PNG = as_picture(gradient(8, 8), "PNG")


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from([CHEST, COMPRESSED, PNG]),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8),
    st.floats(0.3, 1),
)
def test_damaged_files_are_read_or_invalid_and_nothing_else(
    content: bytes, damages: list[tuple[float, int]], kept: float
) -> None:
    damaged = bytearray(content)
    for place, value in damages:
        damaged[int(place * len(damaged))] = value
    damaged = damaged[: int(kept * len(damaged))]
    try:
        picture = (
            dicom_picture(read_dicom(bytes(damaged)), 10**6)
            if is_dicom(bytes(damaged))
            else file_picture(bytes(damaged), 10**6)
        )
    except Invalid:
        return
    assert picture.grey.ndim == 2


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_invalid(content: bytes) -> None:
    with pytest.raises(Invalid):
        file_picture(content, MANY)
    with pytest.raises(Invalid):
        dicom_picture(read_dicom(b"\0" * 128 + b"DICM" + content), MANY)


@pytest.mark.parametrize(("function", "width"), [("LINEAR", 0.5), ("LINEAR_EXACT", 0), ("WAVY", 5)])
def test_a_window_outside_the_standard_is_refused(function: str, width: float) -> None:
    with pytest.raises(ValueError, match=r"narrow|function"):
        windowed(np.zeros((2, 2), np.float32), 0, width, function)


def test_a_sigmoid_window_is_half_at_its_centre() -> None:
    assert windowed(np.full((1, 1), 7, np.float32), 7, 10, "SIGMOID")[0, 0] == pytest.approx(0.5)
