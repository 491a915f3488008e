"""From the bytes of one DICOM instance to an ImageReceived; its pixels are not looked at."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from pydicom import dcmread
from pydicom.dataset import FileDataset
from vigil.v1.images_pb2 import ImageReceived
from vigil.v1.meta_pb2 import Meta

from services.common.clock import Clock, to_timestamp
from services.common.identity import PatientKeys, authority_of, canonical_aliases, load_patient_keys, message_id
from services.common.meta import SCHEMA_VERSION, new_trace_parent
from services.common.outcomes import Invalid
from services.image_router.config import ImageRouterSettings
from services.image_router.event_time import image_time
from services.image_router.tags import (
    Identifier,
    accession_identifier,
    admission_identifier,
    image_identity,
    patient_identifier,
    text,
)
from services.image_router.unreadable import UNREADABLE

# What the message is made of; everything else of the header is skipped unread.
HEADER_TAGS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "AcquisitionDateTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "ContentDate",
    "ContentTime",
    "SeriesDate",
    "SeriesTime",
    "StudyDate",
    "StudyTime",
    "TimezoneOffsetFromUTC",
    "PatientID",
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "AdmissionID",
    "IssuerOfAdmissionIDSequence",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "SyntheticData",
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """How an instance came.

    sender: e.g. "dicom:CT01". sop_instance_uid: as the request named it. first_byte: when that was here.
    """

    sender: str
    sop_instance_uid: str
    first_byte: datetime


class Mismatch(Invalid):
    """The data set is another instance than the request named."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What naming an instance needs.

    zone: of images that do not state theirs. authorities: other names of assigning authorities, as `canonical_aliases`
    gives them.
    """

    keys: PatientKeys
    default_authority: str
    zone: tzinfo
    clock: Clock
    authorities: Mapping[str, str] = field(default_factory=dict)

    def key(self, identifier: Identifier) -> str:
        """Key of an identifier; empty for an empty one. The same as for that identifier in HL7 or FHIR."""
        authority = authority_of(identifier.authority, self.authorities, self.default_authority)
        return self.keys.key(authority, identifier.value)


def intake_of(settings: ImageRouterSettings, clock: Clock) -> Intake:
    """As configured. Raises ValueError without a patient key secret."""
    return Intake(
        keys=load_patient_keys(settings.shared),
        default_authority=settings.shared.default_authority,
        zone=ZoneInfo(settings.time_zone),
        clock=clock,
        authorities=canonical_aliases(settings.shared.authority_aliases),
    )


def read_header(content: bytes) -> FileDataset:
    """The identifying part of a DICOM file. Raises Invalid when it cannot be read."""
    try:
        return dcmread(io.BytesIO(content), stop_before_pixels=True, specific_tags=list(HEADER_TAGS))
    except UNREADABLE as error:
        raise Invalid("not a readable DICOM instance") from error


def received_image(header: FileDataset, arrival: Arrival, intake: Intake) -> ImageReceived:
    """The message of an instance, its blob still unset.

    The same instance of the same patient sent again, in whatever transfer syntax, has the same message id.
    An image without any date is dated by its arrival. Raises Invalid without a SOP instance UID or patient id,
    Mismatch when the request named another instance.
    """
    patient = intake.key(patient_identifier(header))
    instance = text(header, "SOPInstanceUID")
    if not patient:
        raise Invalid("the instance has no patient id")
    if not instance:
        raise Invalid("the instance has no SOP instance UID")
    if instance != arrival.sop_instance_uid:
        raise Mismatch("the data set is another instance than the request names")
    taken = image_time(header, intake.zone) or arrival.first_byte
    meta = Meta(
        message_id=message_id("image", patient, instance),
        event_time=to_timestamp(taken),
        ingest_time=to_timestamp(arrival.first_byte),
        source=arrival.sender,
        patient_key=patient,
        encounter_key=intake.key(admission_identifier(header)),
        schema_version=SCHEMA_VERSION,
        trace_parent=new_trace_parent(),
        synthetic=text(header, "SyntheticData") == "YES",
        produced_time=to_timestamp(intake.clock()),
    )
    identity = image_identity(
        header,
        sop_class=text(header, "SOPClassUID"),
        transfer_syntax=text(header.file_meta, "TransferSyntaxUID"),
        accession_key=intake.key(accession_identifier(header)),
    )
    return ImageReceived(meta=meta, image=identity)
