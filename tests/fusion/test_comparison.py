from collections.abc import Iterable
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from vigil.v1.images_pb2 import FindingPlace, ImageFinding, ImageFindings, ImageIdentity, Region, Scope
from vigil.v1.meta_pb2 import ModelVersion, Span
from vigil.v1.notes_pb2 import FindingDetail, FindingMention, NoteCoded, ReportFinding
from vigil.v1.risk_pb2 import ReportComparison

from services.fusion.anatomy import most_of, sides_of, zones_of
from services.fusion.comparison import comparisons
from services.fusion.handlers import Fusion, fused
from services.fusion.state import Input, PatientRecord
from tests.fusion.making import KEY, NOON, meta

FUSION = Fusion(clock=lambda: NOON + timedelta(hours=1))
DAY = timedelta(hours=24)
LEFT_BASE = {"left_lower_lung": 0.6, "left_mid_lung": 0.3, "right_upper_lung": 0.1}


def said(label: str, status: str = "positive", *places: str) -> ReportFinding:
    details = [FindingDetail(name="location", value=place) for place in places]
    mention = FindingMention(span=Span(start=5, end=14), status=status, details=details)
    return ReportFinding(label=label, status=status, spans=[Span(start=5, end=14)], mentions=[mention])


def report(name: str, minutes: float, *findings: ReportFinding, revision: int = 0, **fields: Any) -> NoteCoded:
    return NoteCoded(
        meta=meta(f"{name}/{revision}", minutes, revision=revision),
        document_id=name,
        note_message_id=f"received-{name}",
        kind="radiology",
        text="The text.",
        findings=findings,
        **fields,
    )


def finding(label: str, verdict: str, places: dict[str, float] | None = None) -> ImageFinding:
    probability = {"positive": 0.9, "cannot_tell": 0.4, "negative": 0.05}[verdict]
    where = [FindingPlace(region=region, share=share) for region, share in (places or {}).items()]
    return ImageFinding(
        label=label, probability=probability, positive=verdict == "positive", verdict=verdict, places=where
    )


def read(
    name: str,
    minutes: float,
    findings: Iterable[ImageFinding],
    *,
    model: str = "cxr_findings",
    study: str = "",
    accession: str = "",
    side: str = "",
) -> ImageFindings:
    return ImageFindings(
        meta=meta(name, minutes),
        image=ImageIdentity(
            sop_instance_uid=f"1.2.{name}", study_instance_uid=study or f"1.{name}", accession_key=accession
        ),
        image_message_id=f"received-{name}",
        scope=Scope(in_scope=True),
        findings=findings,
        regions=[Region(label="tumour", side=side)] if side else [],
        model=ModelVersion(name=model),
    )


def film(verdict: str, places: dict[str, float] | None = None) -> ImageFindings:
    opposite = {"positive": "negative", "negative": "positive", "cannot_tell": "cannot_tell"}[verdict]
    return read("film", 0, [finding("pneumonia", verdict, places), finding("no_finding", opposite)])


def verdicts(of: Iterable[ReportComparison]) -> dict[str, str]:
    return {one.label: one.verdict for one in of}


@pytest.mark.parametrize(
    ("status", "verdict", "expected", "why"),
    [
        ("positive", "positive", "agree", "both say that it is there"),
        ("negative", "negative", "agree", "both say that it is not there"),
        ("positive", "negative", "disagree", "the report says that it is there, the model that it is not"),
        ("negative", "positive", "disagree", "the report says that it is not there, the model that it is"),
        ("uncertain", "positive", "cannot_tell", "the report is not certain"),
        ("positive", "cannot_tell", "cannot_tell", "the model cannot tell"),
    ],
)
def test_a_label_of_both_agrees_or_not(status: str, verdict: str, expected: str, why: str) -> None:
    (one,) = comparisons([report("r", 30, said("pneumonia", status))], [film(verdict)], DAY)
    assert (one.verdict, one.reason, one.report_status, one.image_verdict) == (expected, why, status, verdict)
    assert (one.note_message_id, one.image_message_id, one.matched_by) == ("received-r", "received-film", "time")
    assert one.spans == [Span(start=5, end=14)]


def test_a_label_that_the_model_does_not_read_for_cannot_be_told() -> None:
    (one,) = comparisons([report("r", 30, said("pneumothorax"))], [film("negative")], DAY)
    assert (one.verdict, one.reason) == ("cannot_tell", "cxr_findings does not read for it")
    assert not one.image_verdict
    assert not one.HasField("probability")


def test_a_no_of_pneumonia_leaves_other_opacities_and_a_clear_lung_has_none() -> None:
    opaque = report("r", 30, said("consolidation"), said("lung_opacity", "negative"))
    assert verdicts(comparisons([opaque], [film("negative")], DAY)) == {
        "consolidation": "cannot_tell",
        "lung_opacity": "agree",
    }
    assert verdicts(comparisons([opaque], [film("positive")], DAY)) == {
        "consolidation": "agree",
        "lung_opacity": "disagree",
    }


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("left_lung_base", "agree"),
        ("retrocardiac", "agree"),
        ("left_lower_lobe", "agree"),
        ("right_lung_base", "cannot_tell"),
        ("left_upper_lung", "cannot_tell"),
        ("pleura", "agree"),
    ],
)
def test_findings_in_different_places_are_not_the_same(place: str, expected: str) -> None:
    (one,) = comparisons([report("r", 30, said("pneumonia", "positive", place))], [film("positive", LEFT_BASE)], DAY)
    assert one.verdict == expected
    assert (list(one.report_regions), list(one.image_regions)) == ([place], ["left_lower_lung"])


def test_one_slice_with_a_tumour_is_enough_and_one_without_denies_nothing() -> None:
    slices = [
        read(name, 0, [finding("glioma", verdict), finding("no_tumour", other)], model="brain_mri_tumour", study="s")
        for name, verdict, other in (("a", "negative", "positive"), ("b", "positive", "negative"))
    ]
    there = report("r", 30, said("brain_mass", "positive", "left_frontal_lobe"), report_modality="MR")
    (one,) = comparisons([there], slices, DAY)
    assert (one.verdict, one.image_message_id, one.image_label) == ("agree", "received-b", "glioma")
    (one,) = comparisons([there], slices[:1], DAY)
    assert (one.verdict, one.reason) == ("cannot_tell", "the slices that were read need not show it")


@pytest.mark.parametrize(("side", "expected"), [("left", "agree"), ("right", "cannot_tell"), ("", "agree")])
def test_an_outline_on_the_other_side_is_not_the_same_mass(side: str, expected: str) -> None:
    slice_ = read("a", 0, [finding("glioma", "positive")], model="brain_mri_tumour", side=side)
    (one,) = comparisons([report("r", 30, said("brain_mass", "positive", "left_frontal_lobe"))], [slice_], DAY)
    assert one.verdict == expected


@pytest.mark.parametrize(
    ("minutes", "fields", "labels"),
    [
        (23 * 60, {}, {"pneumonia"}),
        (25 * 60, {}, set()),
        (30, {"report_modality": "CT"}, set()),
        (30, {"report_modality": "radiograph"}, {"pneumonia"}),
        (25 * 60, {"accession_key": "a"}, {"pneumonia"}),
        (30, {"accession_key": "b"}, {"pneumonia"}),  # another system's number of the same study
    ],
)
def test_a_report_is_of_the_study_with_its_number_or_near_in_time(
    minutes: float, fields: dict[str, Any], labels: set[str]
) -> None:
    image = read("film", 0, [finding("pneumonia", "positive")], accession="a")
    assert set(verdicts(comparisons([report("r", minutes, said("pneumonia"), **fields)], [image], DAY))) == labels


def test_of_two_studies_a_report_is_of_the_nearer_unless_its_number_says_otherwise() -> None:
    first = read("first", 0, [finding("pneumonia", "negative")], accession="a")
    second = read("second", 600, [finding("pneumonia", "positive")], accession="b")
    (one,) = comparisons([report("r", 580, said("pneumonia"))], [first, second], DAY)
    assert one.image_message_id == "received-second"
    (one,) = comparisons([report("r", 580, said("pneumonia"), accession_key="a")], [first, second], DAY)
    assert (one.image_message_id, one.matched_by) == ("received-first", "accession number")


def test_a_normal_report_that_names_no_part_must_say_how_it_was_made() -> None:
    normal = said("no_finding")
    assert comparisons([report("r", 30, normal)], [film("positive")], DAY) == []
    (one,) = comparisons([report("r", 30, normal, report_modality="radiograph")], [film("positive")], DAY)
    assert (one.label, one.verdict) == ("no_finding", "disagree")
    brain = report("r", 30, normal, said("brain_infarct", "negative"))
    assert comparisons([brain], [film("positive")], DAY) == []


def last(*messages: Input) -> list[ReportComparison]:
    record = PatientRecord(KEY)
    for message in messages:
        record, _ = fused(record, message, FUSION)
    return list(record.risk.report_comparisons)


def test_reports_and_images_give_the_same_in_any_order_and_twice() -> None:
    messages: list[Input] = [
        report("r", 30, said("pneumonia", "positive", "left_lung_base")),
        report("addendum", 40, said("pneumothorax", "negative")),
        film("positive", LEFT_BASE),
    ]
    expected = last(*messages)
    assert verdicts(expected) == {"pneumonia": "agree", "pneumothorax": "cannot_tell"}
    for order in permutations(messages):
        assert last(*order, order[0]) == expected


def test_what_a_corrected_or_withdrawn_report_said_no_longer_counts() -> None:
    first, image = report("r", 30, said("pneumonia")), film("positive")
    assert verdicts(last(first, image)) == {"pneumonia": "agree"}
    corrected = report("r", 30, said("pneumonia", "negative"), revision=1)
    for order in ((first, image, corrected), (corrected, image, first)):
        assert verdicts(last(*order)) == {"pneumonia": "disagree"}
    assert last(first, image, report("r", 30, revision=2)) == []
    instead = report("s", 50, said("pneumonia", "negative"), replaces_document_id="r")
    assert verdicts(last(instead, image, first)) == {"pneumonia": "disagree"}


def test_places_of_reports_are_zones_of_the_film_and_sides_of_the_brain() -> None:
    assert zones_of(["right_middle_lobe"]) == {"right_mid_lung", "right_lower_lung"}
    assert zones_of(["lung_apex"]) == {"left_upper_lung", "right_upper_lung"}
    assert len(zones_of(["bilateral"])) == 6
    assert zones_of(["left"]) == {"left_upper_lung", "left_mid_lung", "left_lower_lung"}
    assert sides_of(["left_frontal_lobe", "falx"]) == {"left"}
    assert sides_of(["bilateral"]) == {"left", "right"}
    places = [FindingPlace(region=region, share=share) for region, share in (("a", 0.3), ("b", 0.4), ("c", 0.3))]
    assert most_of(places) == ["b", "a"]
