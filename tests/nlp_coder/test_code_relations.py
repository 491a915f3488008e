"""How codes stand to each other."""

import pytest

from services.nlp_coder.code_relations import as_published, leaves_nothing_to, on_side, says_more
from services.nlp_coder.handlers import Coder


@pytest.mark.parametrize(
    ("sent", "published"),
    [
        ("j189", "J18.9"),
        (" J18.9 ", "J18.9"),
        ("W19.XXX", "W19"),
        ("w19xxxa", "W19"),
        ("T81.4XX", "T81.4"),
        ("R40.2410", "R40.241"),
        ("r51", "R51"),
        ("J18.99", None),
        ("486", None),
        ("", None),
    ],
)
def test_a_code_is_found_however_it_is_written(sent: str, published: str | None, coder: Coder) -> None:
    assert as_published(sent, coder.reader.code_set) == published


@pytest.mark.parametrize(
    ("closer", "code", "says"),
    [
        ("J18.1", "J18.9", True),
        ("J15.0", "J18.9", True),  # pneumonia due to Klebsiella
        ("J18.1", "J18", True),
        ("J18.9", "J18", False),
        ("R51.9", "R51", False),
        ("E11.21", "E11.9", True),
        ("S72.92", "S72.90", True),
        ("J18.9", "J18.1", False),
        ("J18.1", "J18.8", False),  # other pneumonia
        ("I10", "J18.9", False),
    ],
)
def test_a_code_says_more_by_its_name(closer: str, code: str, says: bool, coder: Coder) -> None:
    known = coder.reader.code_set.codes
    assert says_more(known[closer], known[code]) is says


def test_a_code_that_leaves_the_side_open_has_one_for_each_side(coder: Coder) -> None:
    code_set = coder.reader.code_set
    assert on_side("M25.569", "right", code_set) == "M25.561"
    assert on_side("C50.919", "left", code_set) == "C50.912"
    assert on_side("J18.9", "left", code_set) is None


def test_a_vaguer_sibling_adds_nothing_and_another_site_does(coder: Coder) -> None:
    known = coder.reader.code_set.codes
    assert leaves_nothing_to(known["J18.1"], known["J18.9"])
    assert leaves_nothing_to(known["J18.9"], known["J18"])
    assert not leaves_nothing_to(known["M25.561"], known["M25.562"])
