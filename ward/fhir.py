"""FHIR R4 transaction Bundles as an observation system and a note system send them, in bytes."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ward.people import AUTHORITY, Patient
from ward.vocabulary import NOTE_TYPES, VITALS, Measure

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
SYNTHETIC = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}


def vitals(patient: Patient, at: datetime, values: Mapping[str, float], group: str) -> bytes:
    """Bundle of one Observation a value; `group` makes the identifiers."""
    observations = [
        _observation(at, name, value, VITALS[name], f"{group}-{number}")
        for number, (name, value) in enumerate(values.items(), 1)
    ]
    return _bundle(patient, at, observations)


def note(patient: Patient, at: datetime, kind: str, document: str, text: str) -> bytes:
    """Bundle of the Patient and a DocumentReference with the text inside."""
    from base64 import b64encode

    code, title = NOTE_TYPES[kind]
    reference = {
        "resourceType": "DocumentReference",
        "identifier": [{"system": AUTHORITY, "value": document}],
        "status": "current",
        "type": {"coding": [{"system": LOINC, "code": code, "display": title}]},
        "date": at.isoformat(),
        "content": [
            {"attachment": {"contentType": "text/plain", "language": "en", "data": b64encode(text.encode()).decode()}}
        ],
    }
    return _bundle(patient, at, [_person(patient), reference])


def _observation(at: datetime, name: str, value: float, measure: Measure, identifier: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": AUTHORITY, "value": identifier}],
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": measure.loinc, "display": measure.title}], "text": name},
        "effectiveDateTime": at.isoformat(),
        "valueQuantity": {
            "value": round(value, measure.decimals),
            "unit": measure.unit,
            "system": UCUM,
            "code": measure.unit,
        },
    }


def _bundle(patient: Patient, at: datetime, resources: list[dict[str, Any]]) -> bytes:
    subject = {"identifier": {"system": AUTHORITY, "value": patient.mrn}}
    encounter = {"identifier": {"system": AUTHORITY, "value": patient.visit}}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "meta": {"security": [SYNTHETIC]},
        "timestamp": at.isoformat(),
        "entry": [
            {
                "fullUrl": f"urn:uuid:{number}",
                "resource": resource if resource["resourceType"] == "Patient" else _about(resource, subject, encounter),
                "request": {"method": "POST", "url": resource["resourceType"]},
            }
            for number, resource in enumerate(resources)
        ],
    }
    return json.dumps(bundle, separators=(",", ":")).encode()


def _about(resource: dict[str, Any], subject: dict[str, Any], encounter: dict[str, Any]) -> dict[str, Any]:
    """The resource with its patient and stay; a document has its stay in `context` (R4)."""
    if resource["resourceType"] == "DocumentReference":
        return {**resource, "subject": subject, "context": {"encounter": [encounter]}}
    return {**resource, "subject": subject, "encounter": encounter}


def _person(patient: Patient) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": AUTHORITY, "value": patient.mrn}],
        "name": [{"family": patient.family, "given": [patient.given]}],
        "gender": "female" if patient.course.sex == "F" else "male",
        "birthDate": patient.born.isoformat(),
    }
