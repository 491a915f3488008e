import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import JPEG2000Lossless, RLELossless

from services.image_router.pixels import Picture, dicom_picture, file_picture, read_dicom
from services.image_router.preprocessing import PREPARATIONS, equalised, model_input, read_part, resized
from services.image_router.rendering import enlarged, mask_png, preview_png
from tests.image_router.samples import as_file, as_picture, as_stored, radiograph, sample_bytes, ward_film

Grey = NDArray[Any]
SIDE = 64
FILM = ward_film("chest_pneumonia.jpg")
MANY = 10**9


def seen_by_model(picture: Picture) -> Grey:
    return model_input(picture.grey, 320)


def of_dicom(pixels: Grey, **attributes: object) -> Grey:
    return seen_by_model(dicom_picture(read_dicom(as_file(radiograph(pixels, **attributes))), MANY))


def test_the_same_picture_gives_the_same_input_as_dicom_and_as_png() -> None:
    png = seen_by_model(file_picture(as_picture(FILM, "PNG"), MANY))
    np.testing.assert_allclose(of_dicom(FILM), png, atol=1e-6)
    np.testing.assert_allclose(of_dicom(FILM, WindowCenter=128, WindowWidth=256), png, atol=1e-6)


@pytest.mark.parametrize("preparation", sorted(PREPARATIONS))
def test_dicom_losslessly_compressed_dicom_png_and_a_jpegs_own_pixels_give_the_same_input(preparation: str) -> None:
    jpeg = as_picture(FILM, "JPEG", quality=90)
    with Image.open(io.BytesIO(jpeg)) as image:
        pixels = np.asarray(image, np.uint8)
    pictures = [
        file_picture(jpeg, MANY),
        file_picture(as_picture(pixels, "PNG"), MANY),
        *(
            dicom_picture(read_dicom(content), MANY)
            for content in (
                as_file(radiograph(pixels)),
                as_stored(pixels, JPEG2000Lossless),
                as_stored(pixels, RLELossless),
            )
        ),
    ]
    first, *others = (model_input(picture.grey, 160, preparation) for picture in pictures)
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-6)


@pytest.mark.parametrize("kind", ["jpeg_ls_lossless", "jp2klossless"])
def test_a_real_instance_gives_the_same_input_however_it_is_compressed(kind: str) -> None:
    plain, packed = (
        model_input(dicom_picture(read_dicom(sample_bytes(name)), MANY).grey, 160, "head_slice")
        for name in ("MR_small.dcm", f"MR_small_{kind}.dcm")
    )
    np.testing.assert_allclose(packed, plain, atol=1e-6)


def test_a_slice_of_the_head_gives_nearly_the_same_input_whatever_its_margins() -> None:
    brain = ward_film("brain_glioma.jpg").astype(np.float32) / 255
    wide = np.pad(brain, ((40, 10), (25, 60)))
    np.testing.assert_allclose(model_input(wide, 160, "head_slice"), model_input(brain, 160, "head_slice"), atol=0.05)
    part = read_part(wide, "head_slice")
    assert part.top >= 40
    assert part.left >= 25
    assert part.bottom <= wide.shape[0] - 10
    assert part.right <= wide.shape[1] - 60


def test_the_same_picture_gives_nearly_the_same_input_as_jpeg() -> None:
    png = seen_by_model(file_picture(as_picture(FILM, "PNG"), MANY))
    jpeg = seen_by_model(file_picture(as_picture(FILM, "JPEG", quality=95), MANY))
    assert np.abs(jpeg - png).mean() < 0.02


def test_an_inverted_photometric_interpretation_gives_the_same_input() -> None:
    inverted = of_dicom(255 - FILM, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_allclose(inverted, of_dicom(FILM), atol=1e-6)


def test_sixteen_bits_and_a_rescale_slope_give_the_same_input() -> None:
    deep = FILM.astype(np.uint16) * 16 + 100
    np.testing.assert_allclose(of_dicom(deep, RescaleSlope=2, RescaleIntercept=-50), of_dicom(FILM), atol=1e-6)


@pytest.mark.parametrize(("gain", "offset"), [(0.5, 0.0), (0.6, 0.3), (0.2, 0.8)])
def test_a_darker_or_brighter_picture_gives_the_same_input(gain: float, offset: float) -> None:
    grey = FILM.astype(np.float32) / 255
    changed = model_input(gain * grey + offset, 320)
    assert np.abs(changed - model_input(grey, 320)).mean() < 0.005


def test_equalising_leaves_nothing_of_the_overall_brightness() -> None:
    grey = np.random.default_rng(0).random((200, 200)).astype(np.float32)
    for gamma in (0.3, 1.0, 3.0):
        assert equalised(grey**gamma).mean() == pytest.approx(0.5, abs=0.01)


@given(
    arrays(
        np.float32,
        array_shapes(min_dims=2, max_dims=2, max_side=40),
        elements=st.floats(-1e6, 1e6, width=32),
    )
)
def test_any_finite_picture_gives_an_input_between_0_and_1(picture: Grey) -> None:
    for preparation in PREPARATIONS:
        tensor = model_input(picture, SIDE, preparation)
        assert tensor.shape == (1, SIDE, SIDE)
        assert tensor.dtype == np.float32
        assert tensor.min() >= 0
        assert tensor.max() <= 1


@pytest.mark.parametrize("picture", [np.zeros((0, 4)), np.zeros(5), np.full((3, 3), np.nan)])
def test_what_is_no_picture_is_refused(picture: Grey) -> None:
    with pytest.raises(ValueError, match="finite grey levels"):
        model_input(picture.astype(np.float32), SIDE)


def test_a_heat_map_is_enlarged_as_pictures_are_resized() -> None:
    heatmap = np.random.default_rng(3).normal(size=(20, 24)).astype(np.float32)
    np.testing.assert_allclose(enlarged(heatmap, 301, 97), resized(heatmap, 301, 97), atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (61, 83)])
def test_a_preview_and_a_mask_are_grey_pngs_of_just_these_levels(shape: tuple[int, int]) -> None:
    levels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    inside = levels > 127
    for png, shown in ((preview_png(levels.astype(np.float32) / 255, 100), levels), (mask_png(inside), inside * 255)):
        with Image.open(io.BytesIO(png)) as image:
            image.verify()
        with Image.open(io.BytesIO(png)) as image:
            assert (image.format, image.mode) == ("PNG", "L")
            assert (np.asarray(image) == shown).all()
