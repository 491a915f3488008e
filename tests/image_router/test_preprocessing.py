from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from services.image_router.pixels import Picture, dicom_picture, file_picture, read_dicom
from services.image_router.preprocessing import equalised, model_input
from tests.image_router.samples import as_file, as_picture, radiograph, ward_film

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
    tensor = model_input(picture, SIDE)
    assert tensor.shape == (1, SIDE, SIDE)
    assert tensor.dtype == np.float32
    assert tensor.min() >= 0
    assert tensor.max() <= 1


@pytest.mark.parametrize("picture", [np.zeros((0, 4)), np.zeros(5), np.full((3, 3), np.nan)])
def test_what_is_no_picture_is_refused(picture: Grey) -> None:
    with pytest.raises(ValueError, match="finite grey levels"):
        model_input(picture.astype(np.float32), SIDE)
