import pytest

from cli.commands.code import as_json
from services.nlp_coder.handlers import Coder
from services.nlp_coder.report_terms import body_regions
from tests.nlp_coder.fakes import coded

PORTABLE_CHEST = (
    "INDICATION: rule out pneumothorax after line placement\n"
    "FINDINGS: Large right pneumothorax. Right IJ central line in place. No pleural effusion. Heart size is normal. "
    "Possible retrocardiac atelectasis.\nIMPRESSION: Large right pneumothorax. No focal consolidation."
)
BRAIN = (
    "MRI BRAIN\nFindings: 4 cm enhancing mass in the left frontal lobe with vasogenic edema and midline shift. "
    "No hemorrhage or infarct. Ventricles are normal."
)


async def statuses(coder: Coder, text: str, kind: str = "radiology") -> dict[str, str]:
    answer = await coded(coder, text, kind=kind)
    return {finding.label: finding.status for finding in answer.findings}


async def test_a_chest_report_is_read_label_by_label(coder: Coder) -> None:
    assert await statuses(coder, PORTABLE_CHEST) == {
        "atelectasis": "uncertain",
        "cardiomegaly": "negative",
        "consolidation": "negative",
        "pleural_effusion": "negative",
        "pneumothorax": "positive",
        "support_devices": "positive",
    }


async def test_a_brain_report_gets_brain_labels(coder: Coder) -> None:
    assert await statuses(coder, BRAIN) == {
        "brain_haemorrhage": "negative",
        "brain_hydrocephalus": "negative",
        "brain_infarct": "negative",
        "brain_mass": "positive",
        "brain_midline_shift": "positive",
        "brain_oedema": "positive",
    }


@pytest.mark.parametrize(
    ("text", "label", "status"),
    [
        ("No acute cardiopulmonary process.", "no_finding", "positive"),
        ("The lungs are clear. No pneumothorax.", "no_finding", "positive"),
        ("The lungs are clear.", "lung_opacity", "negative"),
        ("Cannot exclude pneumonia.", "pneumonia", "uncertain"),
        ("Small nodule in the right lung.", "lung_lesion", "positive"),
        ("Interval resolution of the pleural effusion.", "pleural_effusion", "negative"),
        ("The cardiac silhouette is enlarged.", "cardiomegaly", "positive"),
        ("Healed rib fractures.", "fracture", "positive"),
        ("Bilateral pulmonary oedema.", "edema", "positive"),
        ("Right lower lobe consolidation, pneumothorax has resolved.", "consolidation", "positive"),
        ("Right lower lobe consolidation, pneumothorax has resolved.", "pneumothorax", "negative"),
        ("ET tube in good position.", "support_devices", "positive"),
    ],
)
async def test_one_sentence(text: str, label: str, status: str, coder: Coder) -> None:
    assert (await statuses(coder, text))[label] == status


async def test_what_the_indication_asks_is_no_finding(coder: Coder) -> None:
    assert "pneumothorax" not in await statuses(coder, "INDICATION: pneumothorax?\nFINDINGS: ET tube in place.")


async def test_a_nursing_note_is_not_read_for_findings(coder: Coder) -> None:
    assert await statuses(coder, "Large pneumothorax, chest tube in place.", kind="nursing") == {}


async def test_a_note_of_no_known_kind_is_read_when_it_has_the_sections_of_a_report(coder: Coder) -> None:
    assert (await statuses(coder, BRAIN, kind="other"))["brain_midline_shift"] == "positive"
    assert await statuses(coder, "Large pneumothorax, chest tube in place.", kind="other") == {}


async def test_spans_are_the_words_that_decided(coder: Coder) -> None:
    answer = await coded(coder, PORTABLE_CHEST, kind="radiology")
    finding = next(finding for finding in answer.findings if finding.label == "pneumothorax")
    words = [PORTABLE_CHEST[span.start : span.end] for span in finding.spans]
    assert words == ["pneumothorax", "pneumothorax"]


async def test_the_answer_and_its_line_hold_what_is_said_of_each_mention(coder: Coder) -> None:
    answer = await coded(coder, PORTABLE_CHEST, kind="radiology")
    line = {finding["label"]: finding for finding in as_json(answer)["findings"]}
    assert line["pneumothorax"]["mentions"][0] == {
        "start": PORTABLE_CHEST.index("pneumothorax. Right"),
        "end": PORTABLE_CHEST.index(". Right"),
        "status": "positive",
        "details": [detail_of("severity", "large", "Large"), detail_of("laterality", "right", "right")],
    }
    assert [detail["value"] for detail in line["support_devices"]["mentions"][0]["details"]] == [
        "right",
        "central_line",
    ]


def detail_of(name: str, value: str, words: str) -> dict[str, str | int]:
    start = PORTABLE_CHEST.index(words, PORTABLE_CHEST.index("FINDINGS"))
    return {"name": name, "value": value, "text": words, "start": start, "end": start + len(words)}


@pytest.mark.parametrize(
    ("text", "label", "status"),
    [
        ("FINDINGS: Possible effusion.\nIMPRESSION: No effusion.", "pleural_effusion", "negative"),
        ("FINDINGS: Small left effusion.\nIMPRESSION: No right effusion.", "pleural_effusion", "positive"),
        ("FINDINGS: Old rib fractures.\nIMPRESSION: No acute fracture.", "fracture", "positive"),
        ("FINDINGS: 4 mm nodule.\nIMPRESSION: No lung mass.", "lung_lesion", "positive"),
    ],
)
async def test_the_impression_stands_over_the_findings_that_it_speaks_of(
    text: str, label: str, status: str, coder: Coder
) -> None:
    assert (await statuses(coder, text))[label] == status


async def test_findings_without_a_header_follow_the_indication_after_a_blank_line(coder: Coder) -> None:
    said = await statuses(coder, "INDICATION: Effusion?\nFever.\n\nThere is a right pneumothorax.")
    assert said == {"pneumothorax": "positive"}


def test_regions_lie_in_known_regions_and_name_a_side_only_where_they_have_one() -> None:
    regions = body_regions()
    for region in regions.values():
        assert region.within.removeprefix("left_") in {"", *regions}, region
        assert region.body in {"chest", "brain", "device"}, region
        assert region.is_sided or "{side}" not in region.image, region
