import pytest
from pydicom.dataset import Dataset

from services.image_router.models import POINTS
from services.image_router.questions import DEFAULT, choice, table
from services.image_router.scope import DECLARED
from services.image_router.tags import ImageTags, image_tags

ALL = frozenset(POINTS)
CHEST = "cxr_findings"


@pytest.mark.parametrize(
    ("order", "question", "point"),
    [
        ("Rule out pneumonia", "rule_out", "high_sensitivity"),
        ("fever, r/o infiltrate", "rule_out", "high_sensitivity"),
        ("R/O FRACTURE", "", DEFAULT),
        ("pre-op check", "screening", "high_sensitivity"),
        ("confirm pneumonia seen outside", "confirm", "high_specificity"),
        ("confirm line position", "", DEFAULT),
        ("confirm or exclude consolidation", "confirm", "high_specificity"),
        ("cough, evaluate for pneumonia", "", DEFAULT),
        ("excluded from the trial: pneumonia", "", DEFAULT),
        ("", "", DEFAULT),
    ],
)
def test_an_orders_words_choose_the_operating_point(order: str, question: str, point: str) -> None:
    chosen = choice("", ImageTags(order=order), CHEST, ALL)
    assert (chosen.question, chosen.point) == (question, point)


@pytest.mark.parametrize(
    ("model", "order", "point"),
    [
        ("brain_mri_tumour", "MR head with contrast, rule out tumour", "high_sensitivity"),
        ("brain_mri_tumour", "rule out meningioma", "high_sensitivity"),
        ("brain_mri_tumour", "confirm pituitary adenoma", "high_specificity"),
        ("brain_mri_tumour", "known glioma, follow-up", DEFAULT),
        ("brain_mri_tumour", "rule out bleeding", DEFAULT),
        ("breast_us_lesion", "screening, dense breasts", "high_sensitivity"),
        ("breast_us_lesion", "palpable lump, exclude malignancy", "high_sensitivity"),
        ("breast_us_lesion", "mass BI-RADS 4, before biopsy", "high_specificity"),
        ("breast_us_lesion", "mastitis, rule out abscess", DEFAULT),
    ],
)
def test_what_an_order_asks_is_about_what_the_model_reads_for(model: str, order: str, point: str) -> None:
    assert choice("", ImageTags(order=order), model, ALL).point == point


def test_the_callers_question_counts_before_the_orders_and_says_so() -> None:
    chosen = choice("confirm", ImageTags(order="Rule out pneumonia"), CHEST, ALL)
    assert (chosen.point, chosen.reason.partition(",")[0]) == ("high_specificity", "the caller asks to confirm it")
    assert choice("is it there?", ImageTags(order="Rule out pneumonia"), CHEST, ALL).point == DEFAULT


def test_a_model_without_such_a_point_keeps_its_own_and_says_so() -> None:
    chosen = choice("rule_out", ImageTags(), "brain_mri_tumour", frozenset())
    assert (chosen.question, chosen.point) == ("rule_out", DEFAULT)
    assert "brain_mri_tumour has only this one" in chosen.reason


def test_the_reason_repeats_no_word_of_the_order() -> None:
    chosen = choice("", ImageTags(order="Rule out pneumonia in Mr Doe"), CHEST, ALL)
    assert "Doe" not in chosen.reason


def test_the_order_stands_in_the_study_and_in_its_requests() -> None:
    dataset, request = Dataset(), Dataset()
    request.ReasonForTheRequestedProcedure = "rule out pneumonia"
    dataset.RequestAttributesSequence = [request]
    dataset.StudyDescription = "Chest PA"
    assert image_tags(dataset).order == "RULE OUT PNEUMONIA; CHEST PA"


def test_the_table_names_points_and_models_that_there_are() -> None:
    assert {point for point, *_ in table().points.values()} <= ALL
    assert set(table().phrases) == set(table().points)
    assert set(table().about) <= set(DECLARED)
