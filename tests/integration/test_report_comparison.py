"""A radiology report held against its image through the real services: by `vigil image --report`, and on the bus."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.image_router.samples import WARD_PICTURES, as_file, radiograph, ward_film
from tests.stacks import Row, Stack
from ward.hl7v2 import LINE_BREAK

pytestmark = pytest.mark.timeout(300)

# What a report says of pneumonia, by its status; whatever the model that is served makes of a film.
REPORTS = {
    "positive": "FINDINGS: The heart is not enlarged.\nIMPRESSION: Pneumonia.",
    "negative": "FINDINGS: Lungs are clear. No pleural effusion.\nIMPRESSION: No pneumonia.",
    "uncertain": "FINDINGS: No pneumothorax.\nIMPRESSION: Possible pneumonia in the left lower lobe.",
}
OPPOSITE = {"positive": "negative", "negative": "positive"}
UID = "2.25.450{}"
NEW_LINE = "\n"


@pytest.fixture(scope="module")
def film(stack: Stack) -> tuple[Path, str]:
    """A film of the ward whose pneumonia the served model is sure of, and what it says."""
    films = sorted(WARD_PICTURES.glob("chest_*.jpg"))
    said = stack.vigil("image", "--json", "--model", "cxr_findings", *map(str, films)).stdout
    for path, row in zip(films, map(json.loads, said.splitlines()), strict=True):
        verdicts = {one["label"]: one["verdict"] for one in row["findings"]}
        if verdicts.get("pneumonia") in OPPOSITE:
            return path, verdicts["pneumonia"]
    raise AssertionError("the model is sure of no film")


def of(label: str, rows: list[Row]) -> Row:
    [row] = [row for row in rows if row["label"] == label]
    return row


def expected(seen: str) -> dict[str, str]:
    """Verdict by what the report says."""
    return {seen: "agree", OPPOSITE[seen]: "disagree", "uncertain": "cannot_tell"}


def test_vigil_image_holds_a_report_against_the_film_and_shows_its_words(
    stack: Stack, film: tuple[Path, str], tmp_path: Path
) -> None:
    path, seen = film
    for status, verdict in expected(seen).items():
        report = tmp_path / f"{status}.txt"
        report.write_text(REPORTS[status])
        done = stack.vigil("image", "--json", "--model", "cxr_findings", "--report", str(report), str(path))
        compared = json.loads(done.stdout)["comparison"]
        row = of("pneumonia", compared)
        assert (row["verdict"], row["report"]["status"], row["image"]["verdict"]) == (verdict, status, seen)
        assert row["reason"]
        assert [REPORTS[status][start:end].lower() for start, end in row["report"]["spans"]] == ["pneumonia"]
        assert [words.lower() for words in row["report"]["text"]] == ["pneumonia"]
        assert row["report"]["regions"] == (["left_lower_lobe"] if status == "uncertain" else [])
        assert bool(row["image"]["regions"]) == (seen == "positive")
        # What the model does not read for cannot be told.
        assert {one["verdict"] for one in compared if not one["image"]["label"]} <= {"cannot_tell"}


def oru(number: int, text: str) -> bytes:
    service, at = "36643-5^XR Chest 2 Views^LN", "20260102040000+0000"
    lines = (
        f"MSH|^~\\&|RIS|X|VIGIL|X|{at}||ORU^R01^ORU_R01|C-450{number}|P|2.5.1",
        f"PID|1||P-450{number}^^^^MR",
        f"OBR|1||D-450{number}^RIS|{service}|||{at}{'|' * 11}A-450{number}||||{at}||RAD|F",
        f"OBX|1|FT|{service}||{text.replace(NEW_LINE, LINE_BREAK)}||||||F",
    )
    return "\r".join(lines).encode() + b"\r"


def sent(folder: Path, number: int, film: Path, text: str) -> None:
    tags: dict[str, Any] = {"PatientID": f"P-450{number}", "AccessionNumber": f"A-450{number}"}
    uids = {"SOPInstanceUID": UID.format(number), "StudyInstanceUID": UID.format(f"{number}0")}
    (folder / f"{number}.dcm").write_bytes(as_file(radiograph(ward_film(film.name), **tags, **uids)))
    (folder / f"{number}.hl7").write_bytes(oru(number, text))


def test_a_report_that_was_sent_is_held_against_the_film_with_its_accession_number(
    stack: Stack, film: tuple[Path, str], tmp_path: Path
) -> None:
    path, seen = film
    verdicts = dict(enumerate(expected(seen).items(), 1))
    for number, (status, _) in verdicts.items():
        sent(tmp_path, number, path, REPORTS[status])
    stack.vigil("send", str(tmp_path))

    def keys(rows: list[Row]) -> dict[int, str]:
        uids = {UID.format(number): number for number in verdicts}
        found = ((uids.get(row["image"]["sop_instance_uid"]), row["meta"]["patient_key"]) for row in rows)
        return {number: key for number, key in found if number is not None}

    patients = keys(stack.rows_until("image-findings", lambda rows: len(keys(rows)) == len(verdicts)))

    def newest(rows: list[Row]) -> dict[int, list[Row]]:
        by_key = {row["meta"]["patient_key"]: row.get("report_comparisons", []) for row in rows}
        return {number: by_key[key] for number, key in patients.items() if by_key.get(key)}

    compared = newest(stack.rows_until("patient-risk", lambda rows: len(newest(rows)) == len(verdicts)))
    for number, (status, verdict) in verdicts.items():
        row = of("pneumonia", compared[number])
        assert (row["verdict"], row["report_status"], row["image_verdict"]) == (verdict, status, seen)
        assert (row["matched_by"], row["sop_instance_uid"]) == ("accession number", UID.format(number))
        [span] = row["spans"]
        assert REPORTS[status][span["start"] : span["end"]].lower() == "pneumonia"
        assert row["report_regions"] == (["left_lower_lobe"] if status == "uncertain" else [])
