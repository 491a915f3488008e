import json
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from itertools import pairwise

import pytest
from pydicom import dcmread

from ward.course import present
from ward.events import Event, Kind, Protocol
from ward.generate import Plan, Ward, discharges, generate
from ward.people import AUTHORITY, Patient

VALUE = re.compile(r"OBX\|\d+\|NM\|(?P<code>[^^]+)\^[^|]*\|\|(?P<value>[\d.]+)\|")


def of(ward: Ward, kind: Kind, title: str = "") -> list[Event]:
    numbers = {p.number for p in ward.patients if title in p.course.title}
    return [event for event in ward.events if event.kind is kind and event.patient in numbers]


def values(event: Event) -> dict[str, float]:
    if event.protocol is Protocol.FHIR:
        entries = [entry["resource"] for entry in json.loads(event.payload)["entry"]]
        found = [entry for entry in entries if entry["resourceType"] == "Observation"]
        return {entry["code"]["coding"][0]["code"]: entry["valueQuantity"]["value"] for entry in found}
    return {match["code"]: float(match["value"]) for match in VALUE.finditer(event.payload.decode())}


def test_the_same_plan_gives_the_same_bytes(plan: Plan, ward: Ward) -> None:
    assert generate(plan) == ward


def test_another_seed_gives_other_measurements_of_the_same_stories(plan: Plan, ward: Ward) -> None:
    other = generate(replace(plan, seed=8))
    assert [p.course for p in other.patients] == [p.course for p in ward.patients]
    assert [e.payload for e in other.events] != [e.payload for e in ward.events]


def test_another_run_shares_no_identifier_with_the_first(plan: Plan, ward: Ward) -> None:
    other = generate(replace(plan, run="XXXXX"))
    assert not {p.mrn for p in other.patients} & {p.mrn for p in ward.patients}
    assert not {p.visit for p in other.patients} & {p.visit for p in ward.patients}
    documents = {e.document for e in ward.events if e.kind in {Kind.NOTE, Kind.IMAGE}}
    assert not documents & {e.document for e in other.events}


def test_a_start_without_a_zone_is_refused(plan: Plan) -> None:
    with pytest.raises(ValueError, match="time zone"):
        generate(replace(plan, start=plan.start.replace(tzinfo=None)))


def test_events_come_in_the_order_of_their_times_within_the_day(plan: Plan, ward: Ward) -> None:
    times = [event.at for event in ward.events]
    assert times == sorted(times)
    assert plan.start - timedelta(seconds=1) <= times[0]
    assert times[-1] <= plan.start + timedelta(hours=24)


def test_every_message_can_be_told_from_all_others(ward: Ward) -> None:
    def key(event: Event) -> str:
        timed = event.kind in {Kind.OBSERVATIONS, Kind.ENCOUNTER}
        return f"{event.kind} {event.patient} {event.document} {event.at if timed else ''}"

    keys = Counter(map(key, ward.events))
    assert [name for name, count in keys.items() if count > 1] == []


def test_twelve_beds_are_taken_for_most_of_the_day(ward: Ward) -> None:
    at_noon = [patient for patient in ward.patients if present(patient.course, 12.0)]
    assert len({patient.bed for patient in at_noon}) == 12


def test_every_protocol_and_kind_is_used(ward: Ward) -> None:
    used = {(event.protocol, event.kind) for event in ward.events}
    assert used >= {
        (Protocol.MLLP, Kind.ENCOUNTER),
        (Protocol.MLLP, Kind.OBSERVATIONS),
        (Protocol.MLLP, Kind.NOTE),
        (Protocol.FHIR, Kind.OBSERVATIONS),
        (Protocol.FHIR, Kind.NOTE),
        (Protocol.DICOM, Kind.IMAGE),
    }
    assert {dcmread(BytesIO(e.payload)).Modality for e in of(ward, Kind.IMAGE)} == {"DX", "MR", "CT"}


def test_a_round_of_vital_signs_comes_every_quarter_of_an_hour(ward: Ward) -> None:
    rounds = [e for e in of(ward, Kind.OBSERVATIONS, "hip") if "8867-4" in values(e)]
    gaps = {later.at - earlier.at for earlier, later in pairwise(rounds)}
    assert gaps == {timedelta(minutes=15)}
    assert 94 <= len(rounds) <= 97


def test_nobody_is_measured_before_admission_or_after_discharge(ward: Ward) -> None:
    first = {p.number: next(e for e in ward.events if e.patient == p.number) for p in ward.patients}
    assert {event.document for event in first.values()} == {"A01"}
    leaver = next(p for p in ward.patients if p.course.moves[-1].trigger == "A03")
    assert [e for e in ward.events if e.patient == leaver.number][-1].document == "A03"


def test_quiet_patients_stay_below_every_single_three_of_news2(ward: Ward) -> None:
    quiet = [p for p in ward.patients if not p.course.truth.must]
    assert len(quiet) == 10
    for patient in quiet:
        lowest_saturation = 88 if "COPD" in patient.course.title else 96
        for event in of(ward, Kind.OBSERVATIONS, patient.course.title):
            found = values(event)
            if "8867-4" in found:
                assert 51 <= found["8867-4"] <= 90
                assert 12 <= found["9279-1"] <= 20
                assert 111 <= found["8480-6"] <= 219
                assert 36.1 <= found["8310-5"] <= 38.0
                assert found["9269-2"] == 15
                assert found["59408-5"] >= lowest_saturation


def test_the_copd_patient_lies_where_the_other_scale_would_alarm_and_has_scale_two_in_every_round(ward: Ward) -> None:
    rounds = [v for e in of(ward, Kind.OBSERVATIONS, "COPD") if "59408-5" in (v := values(e))]
    assert all(found["spo2_scale"] == 2 for found in rounds)
    assert sum(found["59408-5"] <= 91 for found in rounds) > len(rounds) / 2


def test_septic_shock_falls_below_the_thresholds_of_qsofa(ward: Ward) -> None:
    rounds = [v for e in of(ward, Kind.OBSERVATIONS, "septic") if "9279-1" in (v := values(e))]
    assert any(f["9279-1"] >= 22 and f["8480-6"] <= 100 and f["9269-2"] < 15 for f in rounds)


def test_an_image_carries_the_patient_of_the_other_protocols(ward: Ward) -> None:
    for event in of(ward, Kind.IMAGE):
        dataset = dcmread(BytesIO(event.payload))
        patient = ward.patient(event.patient)
        assert (dataset.PatientID, dataset.IssuerOfPatientID) == (patient.mrn, AUTHORITY)
        assert dataset.SOPInstanceUID == event.document
        assert dataset.PhotometricInterpretation == "MONOCHROME2"
        assert dataset.pixel_array.std() > 1


def test_a_report_names_the_accession_number_of_its_image(ward: Ward) -> None:
    accessions = {str(dcmread(BytesIO(e.payload)).AccessionNumber) for e in of(ward, Kind.IMAGE)}
    reports = [e.payload.decode() for e in ward.events if e.payload.startswith(b"MSH|^~\\&|RIS")]
    assert {report.split("OBR|")[1].split("|")[17] for report in reports} == accessions


def test_delimiters_in_a_text_are_escaped(ward: Ward) -> None:
    for event in of(ward, Kind.NOTE):
        if event.protocol is Protocol.MLLP:
            lines = event.payload.decode().split("\r")
            assert all(len(line.split("|")) in {12, 15} for line in lines if line.startswith("OBX"))


def test_discharges_free_every_bed_that_is_still_taken(plan: Plan, ward: Ward) -> None:
    later = plan.start + timedelta(days=2)
    freed = discharges(ward, later)
    assert {event.document for event in freed} == {"A03"}
    assert len(freed) == 12
    assert all(event.at == later.replace(microsecond=0) for event in freed)


def test_a_shorter_day_is_the_beginning_of_the_long_one(plan: Plan, ward: Ward) -> None:
    short = generate(replace(plan, hours=6.0))
    assert list(short.events) == [e for e in ward.events if e.at <= plan.at(6.0)]


def test_every_name_says_that_it_is_invented(ward: Ward) -> None:
    def invented(patient: Patient) -> bool:
        return patient.family.startswith("Synth") and patient.mrn.startswith("SYN")

    assert all(map(invented, ward.patients))
    assert len({p.family for p in ward.patients}) == len(ward.patients)
