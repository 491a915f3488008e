"""Good messages with something dropped or made another type: each is taken or refused, and never a fault of ours."""

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.note_ingest.drafts import Parsed
from services.note_ingest.fhir.requests import read_bundle, read_single
from services.note_ingest.fhir.resources import parse_json
from services.note_ingest.hl7v2.messages import Hl7Settings, parse_hl7
from services.note_ingest.intake import Intake, take_in
from services.note_ingest.refusals import Refused
from tests.note_ingest.fhir_samples import (
    COMPOSITION,
    FUTURE,
    NOW,
    PATIENT,
    REPORT,
    STAY,
    attachment,
    bundle,
    document,
    loinc,
    observation,
    worded,
)
from tests.note_ingest.hl7_samples import PID, PV1, message, msh, obx, vitals
from tests.note_ingest.hl7_samples import document as hl7_document

SITE = Hl7Settings(UTC, timedelta(hours=24))
PERSON = PATIENT | {"address": [{"city": "x"}], "contact": [{"name": {"family": "x"}}]}
LOCATION: dict[str, Any] = {"resourceType": "Location", "id": "b", "identifier": [{"value": "B4"}], "name": "B4"}
LOCATION |= {"physicalType": {"coding": [{"code": "bd"}]}, "partOf": {"reference": "Location/b"}}
CONDITION: dict[str, Any] = {
    "resourceType": "Condition",
    "subject": {"reference": "urn:uuid:0"},
    "code": loinc("J18.9"),
}
CONDITION |= {"code": loinc("J18.9")}
CONDITION |= {"verificationStatus": loinc("confirmed"), "recordedDate": "2026-11-23", "onsetDateTime": "2026"}
RESOURCES = (
    observation(
        component=[{"code": loinc("8480-6"), "valueQuantity": {"value": 1, "unit": "mmHg"}}],
        issued="2026-11-23T11:00:00Z",
        encounter={"identifier": {"value": "V"}},
    ),
    worded("Alert") | {"identifier": [{"value": "1"}], "meta": {"tag": [{"code": "HTEST"}]}, "bodySite": loinc("1")},
    observation(contained=[PERSON], subject={"reference": "#p"}),
    document(
        masterIdentifier={"system": "s", "value": "M"},
        docStatus="amended",
        category=[loinc("x")],
        context={"encounter": [{"reference": "Encounter/1"}], "period": {"start": "2026-11-23"}},
        relatesTo=[{"code": "replaces", "target": {"reference": "urn:uuid:0"}}],
        content=[{"attachment": attachment("Pain.", "text/plain; charset=utf-8") | {"language": "en", "title": "t"}}],
    ),
    REPORT | {"status": "corrected", "issued": "2026-11-23T11:00:00Z", "conclusion": "x", "result": [{"display": "x"}]},
    COMPOSITION | {"status": "amended", "relatesTo": [{"code": "replaces", "targetIdentifier": {"value": "C"}}]},
    STAY
    | {"location": [{"location": {"reference": "Location/b"}, "status": "active"}]}
    | {"period": {"start": "2026", "end": "2026-11-23"}},
    PERSON,
    LOCATION,
    CONDITION,
)
JUNK: tuple[Any, ...] = (
    0,
    -1,
    10**400,
    1e308,
    True,
    "",
    " ",
    "x",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "1960-01-01",
    "entered-in-error",
    "Patient/1",
    "#p",
    "\u0000",
    [],
    [[]],
    [{}],
    {},
    {"reference": "#p"},
    {"extension": [{"url": "http://x", "valueString": "x"}]},
    {"value": 1},
)


def _places(node: Any) -> Iterator[Callable[[str, Any], None]]:
    """Every place in a resource, as a function that drops, replaces, empties or repeats what is there."""
    keys: Any = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:

        def change(how: str, junk: Any, node: Any = node, key: Any = key) -> None:
            if how in {"drop", "absent"}:
                del node[key]
            elif how == "replace":
                node[key] = copy.deepcopy(junk)
            else:
                node[key] = [node[key], copy.deepcopy(junk)]
            if how == "absent" and isinstance(node, dict):
                node[f"_{key}"] = {"extension": [{"url": "http://x/data-absent-reason", "valueCode": "unknown"}]}

        yield change
        yield from _places(node[key])


def mutated(draw: st.DrawFn, resource: dict[str, Any], times: int) -> dict[str, Any]:
    copied = copy.deepcopy(resource)
    for _ in range(times):
        places = [*_places(copied)]
        if places:
            how = draw(st.sampled_from(["drop", "absent", "replace", "many"]))
            draw(st.sampled_from(places))(how, draw(st.sampled_from(JUNK)))
    return copied


@st.composite
def requests(draw: st.DrawFn) -> tuple[bool, dict[str, Any]]:
    """Whether it is a Bundle, and the request."""
    times = draw(st.integers(1, 3))
    if draw(st.booleans()):
        return False, mutated(draw, draw(st.sampled_from(RESOURCES)), times)
    parts = draw(st.lists(st.sampled_from(RESOURCES), min_size=1, max_size=4))
    return True, mutated(draw, bundle(PERSON, *parts, kind=draw(st.sampled_from(["transaction", "batch"]))), times)


MESSAGES = (
    vitals(),
    hl7_document(trigger="T08", edited="20261123113000", parent="DOC-0"),
    hl7_document(trigger="T10", parent="DOC-0"),
    hl7_document(trigger="T11"),
    message(msh("ADT^A01"), "EVN|A01|20261123110000", PID, PV1, "DG1|1||J18.9^Pneumonia^I10", "MRG|OLD^^^WARD"),
    message(msh("ADT^A40"), "EVN|A40|20261123110000", PID, "MRG|OLD-1^^^WARD&1.2&ISO^MR"),
    message(
        msh(),
        PID,
        PV1,
        "OBR|1|P1|RAD-5|X^XR^L|||20261123100000|||||||||||ACC-5||||20261123110000||RAD|C",
        "OBX|1|TX|||Effusion.||||||C|||20261123110000",
        "OBX|2|ED|||^TEXT^PLAIN^Base64^UGFpbi4=||||||F",
        "OBX|3|FT|||None.||||||D",
        obx(4, "9267-6^^LN", "3"),
        "OBX|5|SN|2524-7^^LN||>^10|mmol/L|||||C|||20261123110000",
        "OBX|6|ST|85354-9^^LN||120/80|mm[Hg]|||||W",
    ),
)
FIELD_JUNK = ["", '""', "x", "-1", "1e400", "nan", "^^^", "&&", "~~", "\\X00\\", "\\", "C", "\x1c", "A^B^C~D&E"]
FIELD_JUNK += ["19600101", "00010101000000+1400", "99991231235959-1400", "20261301"]


@st.composite
def hl7_bodies(draw: st.DrawFn) -> bytes:
    segments = [line.split("|") for line in draw(st.sampled_from(MESSAGES)).decode().split("\r") if line]
    for _ in range(draw(st.integers(1, 4))):
        segment = draw(st.sampled_from(segments))
        number = draw(st.integers(0, len(segment) - 1))
        how = draw(st.sampled_from(["drop", "replace", "cut", "twice", "line"]))
        if how == "drop":
            del segment[number]
        elif how == "replace":
            segment[number] = draw(st.sampled_from(FIELD_JUNK))
        elif how == "cut":
            del segment[number + 1 :]
        elif how == "twice":
            segments.insert(draw(st.integers(1, len(segments))), list(segment))
        else:
            segment[number] += draw(st.sampled_from(["\nHPI\nmore", "\r\n\r\n", "\nPMH|COPD"]))
        segments = [one for one in segments if one] or [["MSH"]]
    return "\r".join("|".join(segment) for segment in segments).encode()


def taken_or_refused(parse: Callable[[], Parsed], intake: Intake) -> None:
    with contextlib.suppress(Refused):
        take_in(parse(), intake)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests())
def test_a_damaged_resource_is_taken_or_refused(intake: Intake, request_: tuple[bool, dict[str, Any]]) -> None:
    is_bundle, body = request_
    read = read_bundle if is_bundle else read_single
    taken_or_refused(lambda: read(parse_json(json.dumps(body).encode()), NOW, FUTURE).parsed(), intake)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource["resourceType"])
@pytest.mark.parametrize("how", ["drop", "absent"])
def test_any_one_element_may_be_missing(intake: Intake, resource: dict[str, Any], how: str) -> None:
    for number in range(len([*_places(resource)])):
        copied = copy.deepcopy(resource)
        [*_places(copied)][number](how, None)
        body = json.dumps(copied).encode()
        if "resourceType" in copied:
            taken_or_refused(lambda body=body: read_single(parse_json(body), NOW, FUTURE).parsed(), intake)  # type: ignore[misc]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(hl7_bodies())
def test_a_damaged_message_is_taken_or_refused(intake: Intake, body: bytes) -> None:
    taken_or_refused(lambda: parse_hl7(body, NOW, SITE), intake)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource["resourceType"])
def test_the_undamaged_resources_are_taken(intake: Intake, resource: dict[str, Any]) -> None:
    take_in(read_bundle(bundle(PERSON, resource), NOW, FUTURE).parsed(), intake)


@pytest.mark.parametrize("body", MESSAGES)
def test_the_undamaged_messages_are_taken(intake: Intake, body: bytes) -> None:
    take_in(parse_hl7(body, NOW, SITE), intake)


@pytest.mark.parametrize("trigger", ["T08", "T11"])
def test_a_document_changed_before_1970_is_still_a_newer_version(intake: Intake, trigger: str) -> None:
    body = hl7_document(trigger=trigger, edited="19600101000000").replace(b"20261123115500+0000", b"19600101000000")
    [publish] = take_in(parse_hl7(body, NOW, SITE), intake)
    assert publish.message.meta.revision == 1  # type: ignore[attr-defined]
