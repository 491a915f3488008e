"""Images for tests: made ones of known content, and those that come with pydicom and the sample ward."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from services.common.settings import REPOSITORY

DX_CLASS = "1.2.840.10008.5.1.4.1.1.1.1"
INSTANCE_UID = "2.25.1001"
WARD_PICTURES = REPOSITORY / "ward" / "pictures"


def sample_bytes(name: str) -> bytes:
    """A file that comes with pydicom."""
    path = get_testdata_file(name, download=False)
    assert path, name
    with open(path, "rb") as file:  # noqa: PTH123 - pydicom gives a string
        return file.read()


def ward_film(name: str) -> NDArray[np.uint8]:
    """A radiograph of the sample ward, 8-bit grey."""
    with Image.open(WARD_PICTURES / name) as image:
        return np.asarray(image.convert("L"), np.uint8)


def gradient(rows: int = 48, columns: int = 64) -> NDArray[np.uint8]:
    """Every pixel different from its neighbours, 0 to 255."""
    return np.linspace(0, 255, rows * columns).astype(np.uint8).reshape(rows, columns)


def header(**attributes: Any) -> Dataset:
    """A chest radiograph's data set without pixels."""
    dataset = Dataset()
    values = {
        "SOPClassUID": DX_CLASS,
        "SOPInstanceUID": INSTANCE_UID,
        "StudyInstanceUID": "2.25.1",
        "SeriesInstanceUID": "2.25.2",
        "PatientID": "MRN-7",
        "PatientName": "Doe^Jane",
        "Modality": "DX",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "PresentationIntentType": "FOR PRESENTATION",
        "AcquisitionDateTime": "20260102030405+0100",
    }
    for name, value in (values | attributes).items():
        if value is not None:
            setattr(dataset, name, value)
    return dataset


def radiograph(pixels: NDArray[Any], **attributes: Any) -> Dataset:
    """A chest radiograph with these pixels, (rows, columns), 8 or 16 bit."""
    bits = pixels.dtype.itemsize * 8
    image = {
        "Rows": pixels.shape[-2],
        "Columns": pixels.shape[-1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
    }
    dataset = header(**(image | attributes))
    dataset.add_new("PixelData", "OW", pixels.tobytes())
    return dataset


def as_file(dataset: Dataset) -> bytes:
    """The bytes of a DICOM file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", INSTANCE_UID)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def as_picture(pixels: NDArray[Any], kind: str, **options: Any) -> bytes:
    """The bytes of a "PNG" or "JPEG" file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def as_stored(pixels: NDArray[Any], syntax: UID) -> bytes:
    """A radiograph of these pixels, losslessly compressed."""
    dataset = radiograph(pixels)
    as_file(dataset)  # gives it its file meta information
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
