import pytest

from services.note_ingest.hl7v2.kinds import kind_of


@pytest.mark.parametrize(
    "name",
    [
        "XR Chest 2 Views",
        "CT Chest",
        "MR Brain",
        "MRI BRAIN W/O",
        "CXR",
        "CTA_CHEST",
        "CHEST PA",
        "US Abdomen",
        "X ray",
    ],
)
def test_the_name_of_an_imaging_study_means_radiology(name: str) -> None:
    assert kind_of("", name) == kind_of(name) == "radiology"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Infectious disease", "other"),
        ("Status", "other"),
        ("ECT", "other"),
        ("CT Surgery note", "other"),
        ("CT surgery consult", "consult"),
        ("Progress note", "progress"),
    ],
)
def test_words_that_hold_the_name_of_a_study_do_not(name: str, kind: str) -> None:
    assert kind_of("", name) == kind


def test_the_name_of_a_file_is_no_study() -> None:
    assert kind_of("", "Letter", "mr smith us.txt") == "other"
