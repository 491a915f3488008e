"""From the bytes of a DICOM, PNG or JPEG file to one grey picture as a person would see it."""

import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import RLELossless

from services.common.outcomes import Invalid
from services.image_router.preprocessing import Shown
from services.image_router.unreadable import UNREADABLE
from services.image_router.windows import displayed

DICOM_MAGIC = slice(128, 132)
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"
# Channels that differ by more than this share of the scale anywhere that matters make a picture a colour picture.
COLOUR_DIFFERENCE = 0.08
COLOURED_SHARE = 0.01
# ITU-R BT.601 luma.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame, ready for people and models.

    grey: (rows, columns) in [0, 1] as displayed, 1 is white. coloured: whether colour carried information.
    note: what was put right or left out in reading; empty when nothing was. inputs: what models were shown of it, by
    how it was made.
    """

    grey: NDArray[np.float32]
    coloured: bool
    note: str = ""
    inputs: dict[tuple[int, str, str], Shown] = field(default_factory=dict, compare=False, repr=False)


def is_dicom(content: bytes) -> bool:
    """Whether it is a DICOM file (PS3.10: "DICM" after a preamble of 128 bytes)."""
    return content[DICOM_MAGIC] == b"DICM"


def read_dicom(content: bytes) -> FileDataset:
    """The dataset, pixels not yet decoded. Raises Invalid when it is none."""
    try:
        return dcmread(io.BytesIO(content))
    except UNREADABLE as error:
        raise Invalid("not a readable DICOM file") from error


def dicom_picture(dataset: FileDataset, max_pixels: int) -> Picture:
    """The first frame: decompressed, modality LUT, VOI window and photometric interpretation applied.

    Raises Invalid when the pixel data are missing, broken, or more than `max_pixels`.
    """
    try:
        pixels_in_frame = int(dataset.Rows) * int(dataset.Columns)
        frames = int(dataset.get("NumberOfFrames") or 1)
    except UNREADABLE as error:
        raise Invalid("the image does not say how large it is") from error
    _check_size(pixels_in_frame, max_pixels)
    try:
        picture = _first_frame(dataset)
    except UNREADABLE as error:
        raise Invalid("the pixel data cannot be decoded") from error
    return _noted(picture, f"the first of {frames} frames was read" if frames > 1 else "")


def file_picture(content: bytes, max_pixels: int) -> Picture:
    """A PNG or JPEG file, turned as its EXIF orientation says. Raises Invalid when it is neither, or broken."""
    return decoded(opened(content, max_pixels))


def opened(content: bytes, max_pixels: int) -> Image.Image:
    """A PNG or JPEG file of which only the header was read. Raises Invalid when it is neither, or too large."""
    if not content.startswith((PNG_MAGIC, JPEG_MAGIC)):
        raise Invalid("neither a DICOM, PNG nor JPEG file")
    try:
        image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
    except UNREADABLE as error:
        raise Invalid("the picture cannot be decoded") from error
    _check_size(image.width * image.height, max_pixels)
    return image


def decoded(image: Image.Image) -> Picture:
    """The rest of what `opened` began; closes it. Raises Invalid when it is broken."""
    try:
        with image:
            return _picture_of(ImageOps.exif_transpose(image))
    except UNREADABLE as error:
        raise Invalid("the picture cannot be decoded") from error


def _check_size(pixels: int, max_pixels: int) -> None:
    if not 0 < pixels <= max_pixels:
        raise Invalid(f"an image of {pixels} pixels; at least 1 and at most {max_pixels} are read")


def _first_frame(dataset: FileDataset) -> Picture:
    samples = pixel_array(dataset, index=0, decoding_plugin=_decoder(dataset))
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        samples = apply_color_lut(samples, dataset)
    if samples.ndim == 3:  # noqa: PLR2004 - rows, columns, colours
        return _of_colours(samples.astype(np.float32) / np.iinfo(samples.dtype).max)
    grey, note = displayed(np.asarray(apply_modality_lut(samples, dataset), np.float32), dataset)
    padding = _padding(samples, dataset)
    if padding is not None:
        grey = np.where(padding, np.float32(0), grey)
    if not np.isfinite(grey).all():
        raise ValueError("rescaling left grey levels that are not finite")
    return Picture(grey, coloured=False, note=note)


def _decoder(dataset: FileDataset) -> str:
    """Which decoder: any, but for RLE pydicom's own, since that of pylibjpeg panics on broken data."""
    return "pydicom" if dataset.file_meta.TransferSyntaxUID == RLELossless else ""


def _padding(samples: NDArray[Any], dataset: FileDataset) -> NDArray[np.bool_] | None:
    """Pixels outside the image proper (PS3.3 C.7.5.1.1.2), shown black."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return None
    last = dataset.get("PixelPaddingRangeLimit", first)
    low, high = sorted((int(first), int(last)))
    padding: NDArray[np.bool_] = (samples >= low) & (samples <= high)
    return padding if not padding.all() else None


def _picture_of(image: Image.Image) -> Picture:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, np.float32)
        return Picture(values / max(float(values.max()), 1.0), coloured=False)
    if image.mode in ("1", "L", "LA"):
        return Picture(np.asarray(image.convert("L"), np.float32) / 255, coloured=False)
    return _of_colours(np.asarray(image.convert("RGB"), np.float32) / 255)


def _of_colours(colours: NDArray[np.float32]) -> Picture:
    """colours: (rows, columns, 3 or more) in [0, 1]. Three equal channels are a grey picture."""
    colours = colours[..., : LUMA.size]
    differing = np.ptp(colours, axis=-1) > COLOUR_DIFFERENCE
    grey = (colours @ LUMA).astype(np.float32)
    return Picture(grey, coloured=bool(differing.mean() > COLOURED_SHARE))


def _noted(picture: Picture, note: str) -> Picture:
    notes = "; ".join(part for part in (picture.note, note) if part)
    return Picture(picture.grey, picture.coloured, notes)
