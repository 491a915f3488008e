"""DICOM instances made from the ward's pictures, in the bytes of a DICOM file."""

import uuid
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ward.course import Picture
from ward.people import AUTHORITY, Patient

PICTURES = Path(__file__).parent / "pictures"
SOP_CLASSES = {
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",  # Digital X-Ray Image Storage - For Presentation
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "CT": "1.2.840.10008.5.1.4.1.1.2",
}
# As the set states for its 512 pixels (J. Cheng et al., PLoS ONE 10(10), 2015: 0.49 mm), kept at 256 here.
SPACING_MM = {"brain_glioma.jpg": 0.98}
IMPLEMENTATION = "2.25.226146813273541930318425913906071424533"
_NAMES = uuid.UUID("3b0fd3f0-5d6f-5c35-9b6b-1c1b3a3d1d11")


def uid(*parts: str) -> str:
    """A UID under 2.25 (UUID-derived, DICOM PS3.5 B.2) that is the same for the same parts."""
    return f"2.25.{uuid.uuid5(_NAMES, '/'.join(parts)).int}"


def instance(patient: Patient, picture: Picture, at: datetime, accession: str) -> tuple[str, bytes]:
    """The SOP instance UID and the file of one image, explicit VR little endian."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta: Any = FileMetaDataset()
    sop = uid(accession, "1")
    meta.MediaStorageSOPClassUID = SOP_CLASSES[picture.modality]
    meta.MediaStorageSOPInstanceUID = sop
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION
    dataset = Dataset()
    dataset.file_meta = meta
    _identify(dataset, patient, at, accession, sop)
    _describe(dataset, picture)
    _pixels(dataset, picture.source)
    out = BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return sop, out.getvalue()


def _identify(dataset: Any, patient: Patient, at: datetime, accession: str, sop: str) -> None:
    from pydicom.dataset import Dataset

    dataset.PatientName = f"{patient.family}^{patient.given}"
    dataset.PatientID = patient.mrn
    dataset.IssuerOfPatientID = AUTHORITY
    dataset.PatientBirthDate = f"{patient.born:%Y%m%d}"
    dataset.PatientSex = patient.course.sex
    dataset.PatientAge = f"{patient.course.age:03d}Y"
    dataset.AdmissionID = patient.visit
    issuer: Any = Dataset()
    issuer.LocalNamespaceEntityID = AUTHORITY
    dataset.IssuerOfAdmissionIDSequence = [issuer]
    dataset.SyntheticData = "YES"
    dataset.AccessionNumber = accession
    dataset.StudyInstanceUID = uid(accession, "study")
    dataset.SeriesInstanceUID = uid(accession, "series")
    dataset.SOPInstanceUID = sop
    dataset.TimezoneOffsetFromUTC = "+0000"
    for step in ("Study", "Series", "Acquisition", "Content"):
        setattr(dataset, f"{step}Date", f"{at:%Y%m%d}")
        setattr(dataset, f"{step}Time", f"{at:%H%M%S}")
    dataset.AcquisitionDateTime = f"{at:%Y%m%d%H%M%S}+0000"


def _describe(dataset: Any, picture: Picture) -> None:
    dataset.SOPClassUID = SOP_CLASSES[picture.modality]
    dataset.Modality = picture.modality
    dataset.BodyPartExamined = picture.body_part
    dataset.StudyDescription = dataset.SeriesDescription = picture.description
    dataset.Manufacturer = "Vigil sample ward"
    dataset.InstitutionName = "SYNHOSP"
    dataset.StationName = f"{picture.modality}01"
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    if picture.view:
        dataset.ViewPosition = picture.view
        dataset.PresentationIntentType = "FOR PRESENTATION"
    if picture.modality == "MR":
        dataset.ScanningSequence, dataset.SequenceVariant, dataset.MRAcquisitionType = "SE", "NONE", "2D"
        dataset.ContrastBolusAgent = "gadolinium"
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]


def _pixels(dataset: Any, source: str) -> None:
    pixels, slope, intercept = _picture(source)
    bits = pixels.dtype.itemsize * 8
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = slope, intercept, "US"
    dataset.PixelData = pixels.tobytes()
    if source in SPACING_MM:
        dataset.PixelSpacing = [SPACING_MM[source]] * 2


@cache
def _picture(source: str) -> tuple[NDArray[Any], float, float]:
    """Pixels with rescale slope and intercept. "pydicom:NAME" is an instance that comes with pydicom."""
    if source.startswith("pydicom:"):
        from pydicom import dcmread
        from pydicom.data import get_testdata_file

        path = get_testdata_file(source.removeprefix("pydicom:"), download=False)
        sample: Any = dcmread(str(path))
        return sample.pixel_array, float(sample.RescaleSlope), float(sample.RescaleIntercept)
    from PIL import Image

    with Image.open(PICTURES / source) as image:
        return np.asarray(image.convert("L"), dtype=np.uint8), 1.0, 0.0
