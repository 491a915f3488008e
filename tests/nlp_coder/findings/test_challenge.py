"""The challenge tables, F1 of each; what is read otherwise is listed in full."""

from pathlib import Path
from typing import get_args

import pytest

from bench.findings import Row, challenge_rows, details_f1, details_said, micro_f1, our_statuses, read_findings
from services.nlp_coder.data_files import rows
from services.nlp_coder.findings import BROADER
from services.nlp_coder.report_terms import SUPPORT_DEVICES, FindingStatus, body_regions

HERE = Path(__file__).parent
# Lowest micro-F1 of labels with status, and of details; what is missed is known and listed when the test fails.
FLOORS = {"challenge.tsv": (0.99, 0.97), "fresh.tsv": (0.97, 0.96)}


def wrong(row: Row) -> str:
    said = details_said(read_findings(row.text))
    details = {label: sorted(said.get(label, frozenset()) ^ wanted) for label, wanted in row.details.items()}
    return f"{row.phenomenon}: {row.text!r} reads {our_statuses(row.text)}, details that differ {details}"


@pytest.mark.parametrize("name", FLOORS)
def test_the_challenge_reports_read_as_a_radiologist_means_them(name: str) -> None:
    asked = challenge_rows(HERE / name)
    answers = [our_statuses(row.text) for row in asked]
    scores = micro_f1(asked, answers), details_f1(asked)
    failed = [wrong(row) for row, said in zip(asked, answers, strict=True) if dict(row.statuses) != said]
    assert all(score >= floor for score, floor in zip(scores, FLOORS[name], strict=True)), "\n".join(
        [str(scores), *failed]
    )


@pytest.mark.parametrize("name", FLOORS)
def test_the_challenge_names_only_known_labels_and_regions(name: str) -> None:
    labels = {label for _phrase, label, *_rest in rows("report_terms.tsv", 5)} | {*BROADER.values(), SUPPORT_DEVICES}
    regions = body_regions()
    for row in challenge_rows(HERE / name):
        assert set(row.statuses) <= labels, row
        assert set(row.statuses.values()) <= set(get_args(FindingStatus)), row
        for detail, value in (pair for details in row.details.values() for pair in details):
            if detail == "location":
                assert value.removeprefix("left_").removeprefix("right_") in regions, row
