import pytest

from services.image_router.scope import scope_of_tags
from services.image_router.tags import ImageTags, image_tags
from tests.image_router.samples import header

CHEST = ImageTags(modality="DX", body_part="CHEST", view="PA", photometric="MONOCHROME2", age_years=50)


def tags(**changes: object) -> ImageTags:
    return image_tags(header(PhotometricInterpretation="MONOCHROME2", **changes))


def test_a_frontal_chest_radiograph_is_for_the_chest_model() -> None:
    scope = scope_of_tags(CHEST)
    assert scope.models == ("cxr_findings",)
    assert scope.reason == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Modality": "CT"}, "modality CT"),
        ({"Modality": None}, "modality that is not stated"),
        ({"BodyPartExamined": "HAND"}, "body part HAND"),
        ({"ViewPosition": "LL"}, "view LL"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "for processing"),
        ({"PhotometricInterpretation": "RGB"}, "photometric interpretation RGB"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
    ],
)
def test_what_no_model_reads_is_named(changes: dict[str, object], reason: str) -> None:
    scope = scope_of_tags(image_tags(header(**({"PhotometricInterpretation": "MONOCHROME2"} | changes))))
    assert scope.models == ()
    assert reason in scope.reason


@pytest.mark.parametrize(
    ("changes", "models"),
    [
        ({"Modality": "MR", "BodyPartExamined": "BRAIN", "ViewPosition": None}, ("brain_mri_tumour",)),
        ({"Modality": "MR", "BodyPartExamined": None, "StudyDescription": "MR Head"}, ("brain_mri_tumour",)),
        ({"Modality": "US", "BodyPartExamined": "BREAST", "PhotometricInterpretation": "RGB"}, ("breast_us_lesion",)),
        ({"Modality": "MR", "BodyPartExamined": "KNEE"}, ()),
        ({"Modality": "US", "BodyPartExamined": "ABDOMEN"}, ()),
        ({"Modality": "MR", "BodyPartExamined": "BRAIN", "PhotometricInterpretation": "RGB"}, ()),
    ],
)
def test_modality_and_body_part_choose_the_model(changes: dict[str, object], models: tuple[str, ...]) -> None:
    assert (
        scope_of_tags(image_tags(header(**({"PhotometricInterpretation": "MONOCHROME2"} | changes)))).models == models
    )


def test_the_description_or_a_region_code_can_name_the_chest() -> None:
    assert scope_of_tags(tags(BodyPartExamined=None, StudyDescription="XR^Thorax")).reason == ""
    stated = ImageTags(modality="CR", view="AP", codes=frozenset({"51185008"}))
    assert scope_of_tags(stated).models == ("cxr_findings",)
    assert scope_of_tags(stated).reason == ""


def test_what_the_tags_leave_open_is_said_and_left_to_the_pixels() -> None:
    scope = scope_of_tags(tags(BodyPartExamined=None, ViewPosition=None))
    assert scope.models == ("cxr_findings",)
    assert "do not name the body part" in scope.reason
    assert "do not name the view" in scope.reason


@pytest.mark.parametrize(("age", "trained"), [("003Y", True), ("010Y", False), ("018M", True), ("070Y", True)])
def test_ages_without_training_pictures_are_said(age: str, trained: bool) -> None:
    scope = scope_of_tags(tags(PatientAge=age))
    assert scope.models == ("cxr_findings",)
    assert ("age" not in scope.reason) is trained


@pytest.mark.parametrize(
    ("age", "population"),
    [
        ("003Y", "child"),
        ("018M", "child"),
        ("016Y", "adult"),
        ("", "unknown"),
        ("old", "unknown"),
        ("000Y", "unknown"),
        ("003D", "child"),
    ],
)
def test_the_population_follows_the_age(age: str, population: str) -> None:
    assert tags(PatientAge=age).population == population


def test_a_reason_never_repeats_free_text() -> None:
    scope = scope_of_tags(tags(BodyPartExamined="Doe^Jane, born 1970-01-01, ward 7"))
    assert scope.models == ()
    assert "born 1970" not in scope.reason
