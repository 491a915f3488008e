from vigil.v1.images_pb2 import ImageFinding, Region
from vigil.v1.meta_pb2 import ModelVersion

from services.image_router.report import WORDINGS, draft
from services.image_router.scope import DECLARED

BRAIN = ModelVersion(name="brain_mri_tumour", version="1")


def finding(label: str, p: float, verdict: str) -> ImageFinding:
    return ImageFinding(label=label, probability=p, verdict=verdict)


def test_every_sentence_about_a_finding_names_the_finding_it_rests_on() -> None:
    findings = [
        finding("meningioma", 0.93, "positive"),
        finding("glioma", 0.3, "cannot_tell"),
        finding("no_tumour", 0.01, "negative"),
    ]
    region = Region(label="tumour", area_mm2=310, length_mm=23.2, width_mm=17.9, position="upper left of the image")
    sentences = draft(BRAIN, findings, [region], "the image was upside down; put right")
    assert [(s.text, s.label) for s in sentences] == [
        ("Slice of a brain MRI (the image was upside down; put right).", ""),
        ("The image looks like meningioma (probability 0.93).", "meningioma"),
        ("Whether the image shows glioma cannot be told from it (probability 0.30).", "glioma"),
        ("Outlined tumour: largest 23 x 18 mm, area 310 mm², upper left of the image.", "tumour"),
        ("Preliminary: drafted by brain_mri_tumour 1 from this image alone and not read by a physician.", ""),
    ]


def test_without_pixel_spacing_the_draft_says_that_there_is_no_size() -> None:
    region = Region(label="tumour", area_fraction=0.051, position="centre of the image")
    text = draft(BRAIN, [], [region], "")[1].text
    assert text.startswith("Outlined tumour: 5.1% of the image; without pixel spacing there is no size in millimetres")


def test_every_model_that_names_findings_has_its_words() -> None:
    assert set(WORDINGS) == set(DECLARED)


def test_a_model_that_only_outlines_drafts_nothing() -> None:
    assert draft(ModelVersion(name="brain_mri_segmentation"), [], [], "") == []
