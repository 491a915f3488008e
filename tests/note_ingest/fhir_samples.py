"""FHIR resources of the tests, all made up."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FUTURE = timedelta(hours=24)
AT = "2026-11-23T11:00:00+00:00"
SUBJECT = {"identifier": {"system": "WARD", "value": "MRN-77"}}


def loinc(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://loinc.org", "code": code}]}


def observation(code: str = "8867-4", value: float = 88, unit: str = "/min", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": loinc(code),
        "subject": SUBJECT,
        "effectiveDateTime": AT,
        "valueQuantity": {"value": value, "code": unit, "system": "http://unitsofmeasure.org"},
        **more,
    }


def worded(text: str) -> dict[str, Any]:
    return {k: v for k, v in observation(valueString=text).items() if k != "valueQuantity"}


def attachment(text: str, kind: str = "text/plain") -> dict[str, Any]:
    return {"contentType": kind, "data": base64.b64encode(text.encode()).decode()}


def document(text: str = "Short of breath.", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "identifier": [{"system": "urn:docs", "value": "DOC-1"}],
        "type": loinc("34746-8"),
        "subject": SUBJECT,
        "date": AT,
        "content": [{"attachment": attachment(text)}],
        **more,
    }


REPORT = {
    "resourceType": "DiagnosticReport",
    "status": "final",
    "identifier": [{"value": "RAD-5"}],
    "basedOn": [{"identifier": {"value": "ACC-5"}}],
    "category": [{"coding": [{"code": "RAD"}]}],
    "code": loinc("36643-5"),
    "subject": SUBJECT,
    "effectiveDateTime": AT,
    "presentedForm": [attachment("Clear lungs.")],
}

COMPOSITION = {
    "resourceType": "Composition",
    "status": "final",
    "identifier": {"value": "COMP-1"},
    "type": loinc("18842-5"),
    "subject": SUBJECT,
    "date": AT,
    "author": [{"display": "x"}],
    "title": "Summary",
    "section": [
        {
            "title": "Course",
            "text": {"status": "generated", "div": "<div><p>Sepsis &amp; shock.</p><p>Well.</p></div>"},
        }
    ],
}

STAY = {
    "resourceType": "Encounter",
    "status": "in-progress",
    "class": {"code": "IMP"},
    "identifier": [{"system": "WARD", "value": "V-9"}],
    "subject": SUBJECT,
    "period": {"start": AT},
}

PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "identifier": [
        {"system": "SSA", "value": "999", "use": "official"},
        {"system": "WARD", "value": "MRN-77", "type": {"coding": [{"code": "MR"}]}},
    ],
    "birthDate": "1950-03-15",
    "gender": "female",
    "name": [{"family": "Quixote"}],
}

UNNUMBERED = {"resourceType": "Patient", "id": "123", "gender": "female"}


def bundle(*resources: dict[str, Any], kind: str = "transaction") -> dict[str, Any]:
    request = {"request": {"method": "POST", "url": "X"}} if kind in {"transaction", "batch"} else {}
    entries = [{"fullUrl": f"urn:uuid:{n}", "resource": resource, **request} for n, resource in enumerate(resources)]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}
