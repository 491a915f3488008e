"""Whom a FHIR resource is about."""

from typing import Any

import pytest

from services.note_ingest.drafts import Identity
from services.note_ingest.fhir.requests import read_bundle, read_single
from tests.note_ingest.fhir_samples import FUTURE, NOW, PATIENT, UNNUMBERED, bundle, observation


def single(resource: dict[str, Any]) -> Any:
    [draft] = read_single(resource, NOW, FUTURE).parsed().drafts
    return draft


@pytest.mark.parametrize(
    ("reference", "identity"),
    [
        ("Patient/123", Identity("", "123")),
        ("Patient/123/_history/4", Identity("", "123")),
        ("https://ehr.example/fhir/Patient/123", Identity("https://ehr.example/fhir", "123")),
        ("Patient?identifier=urn:oid:1.2.3|77", Identity("urn:oid:1.2.3", "77")),
        ("Patient?identifier=urn%3Aoid%3A1.2.3%7C77", Identity("urn:oid:1.2.3", "77")),
        ("Patient?identifier=77", Identity("", "77")),
    ],
)
def test_a_patient_may_be_named_by_reference_alone(reference: str, identity: Identity) -> None:
    assert single(observation(subject={"reference": reference})).subject.patient == identity
    numbered = {"reference": reference, "identifier": {"system": "WARD", "value": "MRN-77"}}
    assert single(observation(subject=numbered)).subject.patient == Identity("WARD", "MRN-77")


@pytest.mark.parametrize("reference", ["Patient/123", "https://ehr.example/fhir/Patient/123"])
@pytest.mark.parametrize(
    ("patient", "identity"),
    [
        (PATIENT | {"id": "123"}, Identity("WARD", "MRN-77")),
        (UNNUMBERED, Identity("https://ehr.example/fhir", "123")),
    ],
)
def test_a_reference_is_resolved_in_its_bundle_first(
    reference: str, patient: dict[str, Any], identity: Identity
) -> None:
    both = bundle(patient, observation(subject={"reference": reference}))
    both["entry"][0]["fullUrl"] = "https://ehr.example/fhir/Patient/123"
    drafts = read_bundle(both, NOW, FUTURE).parsed().drafts
    assert {draft.subject.patient for draft in drafts} == {identity}


def test_ids_of_a_fhir_server_may_have_an_authority_of_their_own() -> None:
    named = observation(subject={"reference": "Patient/123"})
    far = observation(subject={"reference": "https://ehr.example/fhir/Patient/123"})
    alone = [read_single(one, NOW, FUTURE, "EHR-IDS").parsed().drafts[0] for one in (named, UNNUMBERED, far)]
    together = read_bundle(bundle(named), NOW, FUTURE, "EHR-IDS").parsed().drafts
    authorities = [draft.subject.patient.authority for draft in (*alone, *together)]
    assert authorities == ["EHR-IDS", "EHR-IDS", "https://ehr.example/fhir", "EHR-IDS"]


def test_a_patient_that_is_sent_alone_is_known_by_its_id_if_it_has_no_identifier() -> None:
    assert single(UNNUMBERED).subject.patient == Identity("", "123")
