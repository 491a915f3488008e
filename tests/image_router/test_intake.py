from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydicom.dataset import Dataset
from vigil.v1.images_pb2 import ImageReceived

from services.common.clock import from_timestamp
from services.common.identity import PatientKeys
from services.common.outcomes import Invalid
from services.image_router.intake import Arrival, Intake, Mismatch, read_header, received_image
from tests.image_router.samples import INSTANCE_UID, as_file, gradient, header, radiograph

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
KEYS = PatientKeys(b"0123456789abcdef")
INTAKE = Intake(KEYS, "HOSPITAL", UTC, lambda: NOW)
ARRIVAL = Arrival("dicom:CT01", INSTANCE_UID, NOW)


def received(dataset: Dataset, arrival: Arrival, intake: Intake) -> ImageReceived:
    return received_image(read_header(as_file(dataset)), arrival, intake)


def test_the_patient_key_is_that_of_the_identifier_under_its_issuer() -> None:
    assert received(header(), ARRIVAL, INTAKE).meta.patient_key == KEYS.key("HOSPITAL", "MRN-7")
    issued = received(header(IssuerOfPatientID="ELSEWHERE"), ARRIVAL, INTAKE)
    assert issued.meta.patient_key == KEYS.key("ELSEWHERE", "MRN-7")


def test_the_admission_is_keyed_under_the_patients_issuer_and_the_accession_under_the_default() -> None:
    image = received(header(IssuerOfPatientID="ELSEWHERE", AdmissionID="V1", AccessionNumber="A1"), ARRIVAL, INTAKE)
    assert image.meta.encounter_key == KEYS.key("ELSEWHERE", "V1")
    assert image.image.accession_key == KEYS.key("HOSPITAL", "A1")
    assert received(header(), ARRIVAL, INTAKE).meta.encounter_key == ""


def test_the_same_instance_sent_again_is_the_same_message_and_another_is_not() -> None:
    first = received(header(), ARRIVAL, INTAKE).meta.message_id
    later = Arrival("dicom:OTHER", INSTANCE_UID, datetime(2027, 1, 1, tzinfo=UTC))
    assert received(header(), later, INTAKE).meta.message_id == first
    other = Arrival("dicom:CT01", "2.25.99", NOW)
    assert received(header(SOPInstanceUID="2.25.99"), other, INTAKE).meta.message_id != first
    assert received(header(PatientID="MRN-8"), ARRIVAL, INTAKE).meta.message_id != first


def test_times_are_the_exposure_and_the_first_byte() -> None:
    meta = received(header(), ARRIVAL, INTAKE).meta
    assert from_timestamp(meta.event_time) == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert from_timestamp(meta.ingest_time) == NOW
    undated = received(header(AcquisitionDateTime=None), ARRIVAL, INTAKE).meta
    assert from_timestamp(undated.event_time) == NOW


def test_synthetic_data_are_marked() -> None:
    assert not received(header(), ARRIVAL, INTAKE).meta.synthetic
    assert received(header(SyntheticData="YES"), ARRIVAL, INTAKE).meta.synthetic


def test_nothing_that_names_a_person_is_published() -> None:
    content = as_file(radiograph(gradient(), AccessionNumber="ACC-55", PatientBirthDate="19700101"))
    published = str(received_image(read_header(content), ARRIVAL, INTAKE))
    for identifier in ("Doe", "Jane", "MRN-7", "ACC-55", "19700101"):
        assert identifier not in published


@pytest.mark.parametrize("name", ["PatientID", "SOPInstanceUID"])
def test_an_instance_that_cannot_be_named_is_invalid(name: str) -> None:
    with pytest.raises(Invalid, match="the instance has no"):
        received(header(**{name: None}), ARRIVAL, INTAKE)


def test_another_instance_than_named_is_a_mismatch() -> None:
    with pytest.raises(Mismatch):
        received(header(), Arrival("dicom:CT01", "2.25.4", NOW), INTAKE)


def test_what_is_no_dicom_is_invalid() -> None:
    with pytest.raises(Invalid, match="not a readable DICOM"):
        read_header(b"MSH|^~\\&|")


def test_an_issuer_goes_by_its_name_else_by_its_universal_id_as_hl7_and_fhir_write_it() -> None:
    qualifier = Dataset()
    qualifier.UniversalEntityID, qualifier.UniversalEntityIDType = "1.2.3", "ISO"
    by_oid = received(header(IssuerOfPatientIDQualifiersSequence=[qualifier], AdmissionID="V1"), ARRIVAL, INTAKE).meta
    assert by_oid.patient_key == KEYS.key("URN:OID:1.2.3", "MRN-7")
    assert by_oid.encounter_key == KEYS.key("URN:OID:1.2.3", "V1")
    named = header(IssuerOfPatientIDQualifiersSequence=[qualifier], IssuerOfPatientID="WARD")
    assert received(named, ARRIVAL, INTAKE).meta.patient_key == KEYS.key("WARD", "MRN-7")
    bare = received(header(IssuerOfPatientID="1.2.3"), ARRIVAL, INTAKE).meta
    assert bare.patient_key == by_oid.patient_key


def test_another_name_of_an_authority_gives_the_same_key() -> None:
    intake = replace(INTAKE, authorities={"URN:OID:1.2.3": "HOSPITAL"})
    meta = received(header(IssuerOfPatientID="urn:oid:1.2.3"), ARRIVAL, intake).meta
    assert meta.patient_key == KEYS.key("HOSPITAL", "MRN-7")
