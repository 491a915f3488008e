from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vigil.v1.alerts_pb2 import PatientAlerts
from vigil.v1.encounters_pb2 import EncounterStatus

from services.alerting.patient_alerts import after_encounter, is_here
from services.fusion.state import stay
from services.note_ingest.drafts import Code, Identity, Measurements, MeasurementStatus, Note, Sex, StayStatus
from services.note_ingest.hl7v2.messages import Hl7Settings, event_label, parse_hl7
from services.note_ingest.intake import Intake, take_in
from services.note_ingest.refusals import Refused
from tests.note_ingest.hl7_samples import PID, PV1, document, message, msh, obx, vitals

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def drafts(body: bytes, site: Hl7Settings) -> tuple[Any, ...]:
    return parse_hl7(body, NOW, site).drafts


def refusal(body: bytes, site: Hl7Settings) -> Refused:
    with pytest.raises(Refused) as refused:
        parse_hl7(body, NOW, site)
    return refused.value


def adt(trigger: str, *segments: str, evn: str = "EVN||20261123110000") -> bytes:
    return message(msh(f"ADT^{trigger}"), evn, *(segments or (PID, PV1)))


@pytest.mark.parametrize(
    ("trigger", "status"),
    [
        ("A01", StayStatus.IN_PROGRESS),
        ("A02", StayStatus.IN_PROGRESS),
        ("A03", StayStatus.DISCHARGED),
        ("A04", StayStatus.IN_PROGRESS),
        ("A05", StayStatus.PLANNED),
        ("A08", StayStatus.UNSTATED),
        ("A11", StayStatus.CANCELLED),
        ("A12", StayStatus.IN_PROGRESS),
        ("A13", StayStatus.IN_PROGRESS),
        ("A28", StayStatus.UNSTATED),
        ("A31", StayStatus.UNSTATED),
    ],
)
def test_a_movement_says_where_the_stay_stands(hl7: Hl7Settings, trigger: str, status: Any) -> None:
    [stay] = drafts(adt(trigger), hl7)
    assert (stay.status, stay.trigger, stay.ward, stay.room, stay.bed) == (status, trigger, "ICU", "R2", "B4")
    assert stay.subject.patient == Identity("WARD", "MRN-77")
    assert stay.subject.visit == Identity("WARD", "V-9")
    assert (stay.born, stay.sex) == (date(1950, 3, 15), Sex.FEMALE)


def test_results_state_the_person_and_the_place(hl7: Hl7Settings, intake: Intake) -> None:
    parsed = parse_hl7(vitals().replace(b"19500315", b"20200315"), NOW, hl7)
    results: Any = take_in(parsed, intake)[0].message
    assert (results.age_years, results.sex, results.pregnant) == (6, Sex.FEMALE.value, False)
    assert (results.ward, results.room, results.bed) == ("ICU", "R2", "B4")


def test_when_it_happened_goes_before_when_it_was_recorded(hl7: Hl7Settings) -> None:
    [stay] = drafts(adt("A02", evn="EVN||20261123110000||||20261123103000"), hl7)
    assert stay.event_time == datetime(2026, 11, 23, 10, 30, tzinfo=UTC)


def test_an_update_with_a_discharge_time_is_a_discharge(hl7: Hl7Settings) -> None:
    pv1 = PV1 + "|" * 25 + "20261122080000|20261123090000"
    [stay] = drafts(adt("A08", PID, pv1), hl7)
    assert stay.status is StayStatus.DISCHARGED
    assert stay.discharged_at == datetime(2026, 11, 23, 9, tzinfo=UTC)


def test_an_update_after_the_discharge_keeps_the_patient_discharged(hl7: Hl7Settings, intake: Intake) -> None:
    events = (("A01", "09"), ("A03", "10"), ("A08", "11"))
    movements = [
        publish.message
        for trigger, hour in events
        for publish in take_in(parse_hl7(adt(trigger, evn=f"EVN||20261123{hour}0000"), NOW, hl7), intake)
    ]
    known = stay(movements)  # type: ignore[arg-type]
    assert known is not None
    assert known.status == EncounterStatus.ENCOUNTER_STATUS_DISCHARGED


def test_a_patient_first_known_by_an_update_counts_as_here(hl7: Hl7Settings, intake: Intake) -> None:
    [publish] = take_in(parse_hl7(adt("A08"), NOW, hl7), intake)
    known = stay([publish.message])  # type: ignore[list-item]
    assert known is not None
    assert (known.ward, known.bed) == ("ICU", "B4")
    assert is_here(after_encounter(PatientAlerts(), publish.message))  # type: ignore[arg-type]


def test_a_merge_names_the_number_that_the_patient_had(hl7: Hl7Settings) -> None:
    [stay] = drafts(adt("A40", PID, "MRG|OLD-1^^^WARD^MR"), hl7)
    assert stay.merged == Identity("WARD", "OLD-1")
    assert refusal(adt("A40"), hl7).location == "MRG^1"


def test_diagnoses_come_with_the_stay(hl7: Hl7Settings) -> None:
    [stay] = drafts(adt("A01", PID, PV1, "DG1|1||J18.9^Pneumonia^I10", "DG1|2|I10|A41.9^Sepsis"), hl7)
    assert stay.assigned_codes == (Code("J18.9", "I10"), Code("A41.9", "I10"))


@pytest.mark.parametrize(
    ("field", "identity"),
    [
        ("1^^^A&1.2.3&ISO^MR", Identity("A", "1")),
        ("1^^^&1.2.3&ISO^MR", Identity("urn:oid:1.2.3", "1")),
        ("1^^^&7B2-F&UUID^MR", Identity("urn:uuid:7B2-F", "1")),
        ("1^^^&http://h/mrn&URI^MR", Identity("http://h/mrn", "1")),
        ("1^^^^MR^Clinic", Identity("Clinic", "1")),
        ("1", Identity("", "1")),
        ("9^^^SSA^SS~1^^^W^MR", Identity("W", "1")),
        ("1^^^W^~9^^^SSA^SS", Identity("W", "1")),
        ("^^^W^MR~2^^^X^PI", Identity("X", "2")),
    ],
)
def test_the_hospitals_number_is_chosen_among_identifiers(hl7: Hl7Settings, field: str, identity: Identity) -> None:
    [stay] = drafts(adt("A01", f"PID|1||{field}"), hl7)
    assert stay.subject.patient == identity


def test_an_event_far_in_the_future_is_refused_where_it_stands(hl7: Hl7Settings) -> None:
    refused = refusal(adt("A01", evn="EVN||20291123110000"), hl7)
    assert refused.location == "EVN^1^2"
    assert refused.reason == "EVN-2 lies in the future"


def test_a_document_is_a_note_with_its_number_kind_and_lines(hl7: Hl7Settings) -> None:
    body = document("First\\.br\\line").replace(b"||||||F\r", b"||||||F\rOBX|2|TX|||Second\\T\\last||||||F\r")
    [note] = drafts(body, hl7)
    assert note.text == "First\nline\nSecond&last"
    assert (note.document_id, note.kind, note.version, note.type_code) == ("DOC-1", "consult", 0, "CN")
    assert note.event_time == datetime(2026, 11, 23, 10, tzinfo=UTC)


def test_an_edit_of_a_document_is_a_newer_version_of_it(hl7: Hl7Settings) -> None:
    [first] = drafts(document(), hl7)
    [edited] = drafts(document(trigger="T08", edited="20261123113000"), hl7)
    assert (edited.document_id, first.version < edited.version) == (first.document_id, True)


def test_a_replacement_names_what_it_replaces(hl7: Hl7Settings) -> None:
    [note] = drafts(document(trigger="T10", document_id="DOC-2", parent="DOC-1"), hl7)
    assert (note.document_id, note.replaces, note.version) == ("DOC-2", "DOC-1", 0)


@pytest.mark.parametrize("trigger", ["T01", "T03", "T05", "T07", "T09"])
def test_an_announcement_without_text_is_known_and_makes_nothing(hl7: Hl7Settings, trigger: str) -> None:
    parsed = parse_hl7(document(trigger=trigger), NOW, hl7)
    assert parsed.drafts == ()
    assert parsed.remark == "an announcement without text; nothing to read"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("^TEXT^PLAIN^Base64^UGFpbi4=", "Pain."),
        ("^TEXT^^A^Pain.", "Pain."),
        ("^TEXT^PLAIN^Hex^5061696E2E", "Pain."),
    ],
)
def test_plain_text_is_read_out_of_encapsulated_data(hl7: Hl7Settings, data: str, text: Any) -> None:
    [note] = drafts(document().replace(b"|TX|||Short of breath.", f"|ED|||{data}".encode()), hl7)
    assert note.text == text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("^application^pdf^Base64^JVBERi0=", "OBX-5: the document is PDF; only plain text is read"),
        ("^TEXT^RTF^A^x", "OBX-5: the document is RTF; only plain text is read"),
        ("^TEXT^PLAIN^Base64^%%%", "OBX-5: the data cannot be decoded"),
    ],
)
def test_other_encapsulated_data_is_refused_with_its_place(hl7: Hl7Settings, data: str, reason: str) -> None:
    refused = refusal(document().replace(b"|TX|||Short of breath.", f"|ED|||{data}".encode()), hl7)
    assert refused.reason == reason
    assert refused.location.startswith("OBX^1^5")


PDF = "ED|||^application^pdf^Base64^JVBERi0=||||||F"


@pytest.mark.parametrize("first", [True, False])
def test_words_beside_a_document_that_cannot_be_read_are_kept(hl7: Hl7Settings, first: bool) -> None:
    body = document().replace(b"OBX|1|TX", f"OBX|1|{PDF}\rOBX|2|TX".encode() if first else b"OBX|1|TX")
    parsed = parse_hl7(body if first else body + f"OBX|2|{PDF}\r".encode(), NOW, hl7)
    [note] = parsed.drafts
    assert isinstance(note, Note)
    assert (note.text, parsed.remark) == ("Short of breath.", f"1 OBX not read: {'OBX-5' if first else 'OBX[2]-5'}")
    report = parse_hl7(result("OBX|1|TX|||Effusion.||||||F", f"OBX|2|{PDF}"), NOW, hl7)
    [note] = report.drafts
    assert isinstance(note, Note)
    assert (note.text, report.remark) == ("Effusion.", "1 OBX not read: OBX[2]-5")


def test_a_document_without_text_is_refused(hl7: Hl7Settings) -> None:
    assert refusal(document(""), hl7).reason == "OBX-5 is empty: the document has no text"


def test_results_are_one_group_of_values(hl7: Hl7Settings) -> None:
    [group] = drafts(vitals(), hl7)
    assert isinstance(group, Measurements)
    assert [(m.codes[0].code, m.value, m.text, m.unit) for m in group.measurements] == [
        ("8867-4", 88.0, "", "/min"),
        ("8310-5", 98.6, "", "[degF]"),
        ("67775-7", None, "Alert", ""),
    ]
    assert group.event_time == datetime(2026, 11, 23, 11, 55, tzinfo=UTC)


def result(*segments: str) -> bytes:
    return message(msh(), PID, "OBR|1||F1|P^Panel^L|||20261123100000", *segments)


@pytest.mark.parametrize(
    ("segment", "value", "text", "comparator"),
    [
        ("OBX|1|SN|2524-7^^LN||>^10|mmol/L|||||F", 10.0, "", ">"),
        ("OBX|1|SN|2524-7^^LN||^4.5|mmol/L|||||F", 4.5, "", ""),
        ("OBX|1|SN|X^^L||^1^:^128||||||F", None, "1:128", ""),
        ("OBX|1|NM|2524-7^^LN||<0.5|mmol/L|||||F", 0.5, "", "<"),
        ("OBX|1|ST|2524-7^^LN||2.5|mmol/L|||||F", 2.5, "", ""),
        ("OBX|1|ST|X^^L||Positive||||||F", None, "Positive", ""),
        ("OBX|1|CWE|X^^L||260415000^not detected^SCT||||||F", None, "not detected", ""),
    ],
)
def test_a_value_is_read_as_its_type_says(
    hl7: Hl7Settings, segment: str, value: Any, text: Any, comparator: str
) -> None:
    [group] = drafts(result(segment), hl7)
    [measured] = group.measurements
    assert (measured.value, measured.text, measured.comparator) == (value, text, comparator)


@pytest.mark.parametrize(
    ("status", "meant"),
    [("F", MeasurementStatus.FINAL), ("C", MeasurementStatus.CORRECTED), ("W", MeasurementStatus.WITHDRAWN)],
)
def test_the_status_of_a_value_is_kept(hl7: Hl7Settings, status: Any, meant: Any) -> None:
    [group] = drafts(result(obx(1, "8867-4^^LN", "80", status=status)), hl7)
    assert group.measurements[0].status is meant


def test_what_is_not_measured_yet_is_accepted_and_makes_nothing(hl7: Hl7Settings) -> None:
    parsed = parse_hl7(result(obx(1, "8867-4^^LN", "", status="I")), NOW, hl7)
    assert (parsed.drafts, parsed.remark) == ((), "no result yet")


def test_a_value_that_cannot_be_read_is_told_and_the_others_are_taken(hl7: Hl7Settings) -> None:
    parsed = parse_hl7(result(obx(1, "8867-4^^LN", "high"), obx(2, "9279-1^^LN", "18")), NOW, hl7)
    [group] = parsed.drafts
    assert isinstance(group, Measurements)
    assert len(group.measurements) == 1
    assert parsed.remark == "1 OBX not read: OBX-5"


@pytest.mark.parametrize("value", ["ST|X^^L||{}", "CWE|X^^L||1^{}^L", "SN|X^^L||^1^{}", "NM|X^^L||{}"])
def test_words_longer_than_a_result_are_told_and_the_others_are_taken(hl7: Hl7Settings, value: str) -> None:
    longer = f"OBX|1|{value.format('9' * 1001)}||||||F"
    parsed = parse_hl7(result(longer, obx(2, "9279-1^^LN", "18")), NOW, hl7)
    [group] = parsed.drafts
    assert isinstance(group, Measurements)
    assert [measured.value for measured in group.measurements] == [18.0]
    assert parsed.remark == "1 OBX not read: OBX-5"


def test_a_message_of_unreadable_values_alone_is_refused(hl7: Hl7Settings) -> None:
    refused = refusal(result(obx(1, "8867-4^^LN", "high")), hl7)
    assert (refused.reason, refused.location) == ("OBX-5: the value is no number", "OBX^1^5")


def test_a_radiology_report_is_a_note_beside_the_values(hl7: Hl7Settings) -> None:
    body = message(
        msh(),
        PID,
        "OBR|1||RAD-5|36643-5^XR Chest^LN|||20261123100000|||||||||||ACC-5||||||RAD|F",
        "OBX|1|TX|||FINDINGS: clear.||||||F",
        "OBX|2|TX|||IMPRESSION: normal.||||||F",
        "OBR|2||LAB-1|24323-8^Panel^LN|||20261123100000",
        obx(3, "2524-7^^LN", "1.1", "mmol/L"),
    )
    group, note = drafts(body, hl7)
    assert isinstance(note, Note)
    assert (note.kind, note.document_id, note.text) == ("radiology", "RAD-5", "FINDINGS: clear.\nIMPRESSION: normal.")
    assert note.accession == Identity("", "ACC-5")
    assert len(group.measurements) == 1


def two_groups(first: str, second: str, statuses: tuple[str, str] = ("F", "F")) -> bytes:
    segments = []
    for document_id, status, text in zip(
        (first, second), statuses, ("Clear lungs.", "Addendum: effusion."), strict=True
    ):
        segments.append(f"OBR|1||{document_id}|X^X^L|||20261123100000|||||||||||||||20261123110000||RAD|{status}")
        segments.append(f"OBX|1|TX|||{text}||||||F")
    return message(msh(), PID, *segments)


def test_groups_of_one_document_are_one_note_in_order(hl7: Hl7Settings) -> None:
    [note] = drafts(two_groups("RAD-5", "RAD-5"), hl7)
    assert (note.document_id, note.text) == ("RAD-5", "Clear lungs.\n\nAddendum: effusion.")


def test_a_document_is_as_new_and_as_preliminary_as_any_of_its_groups(hl7: Hl7Settings) -> None:
    [corrected] = drafts(two_groups("RAD-5", "RAD-5", ("F", "C")), hl7)
    [preliminary] = drafts(two_groups("RAD-5", "RAD-5", ("P", "F")), hl7)
    assert corrected.version > preliminary.version == 0
    assert (corrected.preliminary, preliminary.preliminary) == (False, True)


@pytest.mark.parametrize(("first", "second"), [("RAD-5", "RAD-6"), ("", "")])
def test_groups_of_different_or_unnumbered_documents_stay_apart(hl7: Hl7Settings, first: str, second: str) -> None:
    assert [note.text for note in drafts(two_groups(first, second), hl7)] == ["Clear lungs.", "Addendum: effusion."]


def test_a_preliminary_report_is_not_the_final_one(hl7: Hl7Settings) -> Any:
    def report(status: str) -> Any:
        obr = f"OBR|1||RAD-5|X^X^L|||20261123100000|||||||||||||||20261123110000||RAD|{status}"
        return drafts(message(msh(), PID, obr, "OBX|1|TX|||Clear.||||||F"), hl7)[0]

    assert report("P").preliminary
    assert not report("F").preliminary
    assert report("C").version > report("F").version == 0


@pytest.mark.parametrize(
    ("event", "reason", "fault"),
    [
        ("SIU^S12", "SIU^S12 is not used by this receiver: scheduling messages carry no clinical data for it", "200"),
        ("ADT^A60", "ADT^A60 is not used by this receiver: allergies are not followed", "201"),
        ("ADT^A99", "ADT^A99 is not known: of ADT others are read", "201"),
        ("XYZ^Z01", "XYZ^Z01 is not known: ADT, MDM, ORU and OUL are read", "200"),
        ("xyz", "MSH-9 is no message type", "200"),
    ],
)
def test_what_is_not_used_is_rejected_with_the_reason(hl7: Hl7Settings, event: str, reason: str, fault: str) -> None:
    refused = refusal(message(msh(event), PID), hl7)
    assert (refused.reason, refused.fault.hl7, refused.fault.rejected) == (reason, fault, True)


@pytest.mark.parametrize(
    ("body", "location"),
    [
        (message(msh(control=""), PID), "MSH^1^10"),
        (message(msh(processing="X"), PID), "MSH^1^11"),
        (message(msh().replace("2.5.1", "3.0"), PID), "MSH^1^12"),
        (message(msh("ADT^A01"), PV1), "PID^1"),
        (message(msh("ADT^A01"), "PID|1||^^^W"), "PID^1^3"),
        (message(msh(), PID), "OBX^1"),
        (message(msh("MDM^T02"), PID), "TXA^1"),
        (message(msh("ADT^A01"), "EVN||yesterday", PID), "EVN^1^2"),
        (b"FHS|^~\\&\rBHS|^~\\&\r" + vitals(), "FHS^1"),
        (vitals() + vitals(), "MSH^2"),
    ],
)
def test_a_fault_is_told_with_its_place(hl7: Hl7Settings, body: bytes, location: str) -> None:
    assert refusal(body, hl7).location == location


@pytest.mark.parametrize(("processing", "synthetic"), [("P", False), ("T", True), ("D", True)])
def test_test_traffic_is_marked(hl7: Hl7Settings, processing: str, synthetic: bool) -> None:
    body = message(msh(processing=processing), PID, obx(1, "8867-4^^LN", "80"))
    assert parse_hl7(body, NOW, hl7).arrival.synthetic is synthetic


def test_metrics_know_only_events_that_we_know() -> None:
    assert event_label(vitals()) == "ORU^R01"
    assert event_label(message(msh("SIU^S12"))) == "SIU^S12"
    assert event_label(message(msh("JON^DOE"))) == "other"
    assert event_label(b"\xff\x00") == "other"


lines = st.lists(
    st.sampled_from(["PID", "PV1", "EVN", "OBR", "OBX", "TXA", "MRG", "DG1"]).flatmap(
        lambda name: st.text(alphabet="|^~&\\.AFNMTXED0129-+ ", max_size=80).map(lambda rest: f"{name}|{rest}")
    ),
    max_size=6,
)
events = st.sampled_from(["ADT^A01", "ADT^A40", "MDM^T02", "MDM^T08", "ORU^R01", "OUL^R22"])


@settings(deadline=None)
@given(events, lines)
def test_any_segments_are_understood_or_refused(event: str, segments: list[str]) -> None:
    site = Hl7Settings(UTC, timedelta(hours=24))
    for body in (message(msh(event), PID, *segments), message(msh(event), *segments)):
        refused = None
        try:
            parse_hl7(body, NOW, site)
        except Refused as error:
            refused = error
        assert refused is None or (refused.reason and refused.location)
