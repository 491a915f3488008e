"""What the header of a DICOM instance says about the image; nothing in here names a person."""

import re
from dataclasses import dataclass

from pydicom.dataset import Dataset
from vigil.v1.images_pb2 import ImageIdentity

from services.image_router.unreadable import UNREADABLE

# Years; the paediatric training pictures are of children of 1 to 5, the adult ones of 16 and over.
ADULT_FROM = 16
_AGE = re.compile(r"([0-9]{1,3})([DWMY])")  # PS3.5 6.2, AS
_YEARS_A_UNIT = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}


@dataclass(frozen=True, slots=True)
class ImageTags:
    """Upper-case text of what decides which model may read an image; empty where the header is silent.

    descriptions: study, series and protocol descriptions, for words such as "thorax"; not to be published.
    codes: anatomic region code values. age_years: (0010,1010), None when not given. order: what the order and its
    reason say, not to be published either.
    """

    modality: str = ""
    body_part: str = ""
    view: str = ""
    photometric: str = ""
    intent: str = ""
    image_type: tuple[str, ...] = ()
    descriptions: str = ""
    codes: frozenset[str] = frozenset()
    age_years: float | None = None
    order: str = ""

    @property
    def population(self) -> str:
        """Whose image it is: "adult", "child" or "unknown"."""
        if self.age_years is None:
            return "unknown"
        return "adult" if self.age_years >= ADULT_FROM else "child"


@dataclass(frozen=True, slots=True)
class Identifier:
    """As sent, upper case; an empty authority stands for the site's default one. Never published, only its key."""

    authority: str
    value: str


def image_tags(dataset: Dataset) -> ImageTags:
    """Read the tags; malformed values count as absent."""
    descriptions = ("StudyDescription", "SeriesDescription", "ProtocolName", "PerformedProcedureStepDescription")
    return ImageTags(
        modality=text(dataset, "Modality"),
        body_part=text(dataset, "BodyPartExamined"),
        view=text(dataset, "ViewPosition"),
        photometric=text(dataset, "PhotometricInterpretation"),
        intent=text(dataset, "PresentationIntentType"),
        image_type=tuple(text(dataset, "ImageType").split("\\")),
        descriptions=" ".join(text(dataset, name) for name in descriptions),
        codes=_region_codes(dataset),
        age_years=_age(text(dataset, "PatientAge")),
        order=_order(dataset),
    )


def _order(dataset: Dataset) -> str:
    """Reason and description of the requested procedure, of the study, and of the requests in (0040,0275)."""
    of_study = [text(dataset, name) for name in ("ReasonForStudy", "StudyDescription")]
    requests = [dataset, *items(dataset, "RequestAttributesSequence")]
    names = "ReasonForTheRequestedProcedure", "RequestedProcedureDescription"
    return "; ".join(filter(None, [*(text(one, name) for one in requests for name in names), *of_study]))


def image_identity(dataset: Dataset, sop_class: str, transfer_syntax: str, accession_key: str) -> ImageIdentity:
    """UIDs and routing tags, as published."""
    return ImageIdentity(
        study_instance_uid=text(dataset, "StudyInstanceUID"),
        series_instance_uid=text(dataset, "SeriesInstanceUID"),
        sop_instance_uid=text(dataset, "SOPInstanceUID"),
        sop_class_uid=sop_class,
        transfer_syntax_uid=transfer_syntax,
        modality=text(dataset, "Modality"),
        body_part=text(dataset, "BodyPartExamined"),
        view_position=text(dataset, "ViewPosition"),
        accession_key=accession_key,
    )


def patient_identifier(dataset: Dataset) -> Identifier:
    """(0010,0020) under its issuer (0010,0021), else under the universal id of that (0010,0024)."""
    return Identifier(_patient_issuer(dataset), text(dataset, "PatientID"))


def admission_identifier(dataset: Dataset) -> Identifier:
    """(0038,0010) under its issuer, else the patient's."""
    issuer = _issuer(dataset, "IssuerOfAdmissionIDSequence") or _patient_issuer(dataset)
    return Identifier(issuer, text(dataset, "AdmissionID"))


def accession_identifier(dataset: Dataset) -> Identifier:
    """(0008,0050) under its issuer. Orders seldom state one, so the patient's is not borrowed."""
    return Identifier(_issuer(dataset, "IssuerOfAccessionNumberSequence"), text(dataset, "AccessionNumber"))


def text(dataset: Dataset, name: str) -> str:
    """An attribute as upper-case text, several values joined by a backslash; empty when absent or unreadable."""
    try:
        value = dataset.get(name)
        if value is None:
            return ""
        values = [str(value)] if isinstance(value, str) or not hasattr(value, "__iter__") else map(str, value)
        return "\\".join(values).strip().strip("\0").upper()
    except UNREADABLE:
        return ""


def _issuer(dataset: Dataset, sequence: str) -> str:
    """The namespace, else the universal id, as an HL7 field's authority is read."""
    issuers = items(dataset, sequence)
    return (text(issuers[0], "LocalNamespaceEntityID") or text(issuers[0], "UniversalEntityID")) if issuers else ""


def _patient_issuer(dataset: Dataset) -> str:
    return text(dataset, "IssuerOfPatientID") or _issuer(dataset, "IssuerOfPatientIDQualifiersSequence")


def items(dataset: Dataset, name: str) -> list[Dataset]:
    """Those of a sequence; none when it is absent or unreadable."""
    try:
        return list(dataset.get(name) or [])
    except UNREADABLE:
        return []


def _region_codes(dataset: Dataset) -> frozenset[str]:
    codes = [
        text(item, "CodeValue")
        for sequence in ("AnatomicRegionSequence", "ProcedureCodeSequence")
        for item in items(dataset, sequence)
    ]
    return frozenset(codes) - {""}


def _age(value: str) -> float | None:
    """Years of a DICOM age string, e.g. "018M" is 1.5."""
    found = _AGE.fullmatch(value)
    if not found or value == "000Y":  # what devices write when they do not know; a newborn has days
        return None
    return int(found[1]) * _YEARS_A_UNIT[found[2]]
