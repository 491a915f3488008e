"""Images through the real service: C-STORE in, image-findings out, and what goes wrong."""

import json
import signal
from pathlib import Path

import httpx
import psutil
import pytest
from PIL import Image

from services.common.identity import message_id
from tests.image_router.samples import as_file, as_picture, radiograph, sample_bytes, ward_film
from tests.stacks import Row, Stack

FILM = ward_film("chest_pneumonia.jpg")
UID = "2.25.{}"


def write(folder: Path, number: int, content: bytes) -> Path:
    path = folder / f"{number}.dcm"
    path.write_bytes(content)
    return path


def film(number: int, **attributes: object) -> bytes:
    return as_file(radiograph(FILM, SOPInstanceUID=UID.format(number), PatientID=f"P-{number}", **attributes))


def of(rows: list[Row], number: int) -> list[Row]:
    return [row for row in rows if row["image"]["sop_instance_uid"] == UID.format(number)]


def test_a_film_sent_by_c_store_is_read(stack: Stack, tmp_path: Path) -> None:
    stack.vigil("send", str(write(tmp_path, 4001, film(4001, PatientAge="070Y"))))
    rows = stack.rows_until("image-findings", lambda rows: of(rows, 4001))
    [row] = of(rows, 4001)
    assert row["scope"]["in_scope"]
    assert row["scope"]["population"] == "adult"
    assert [finding["label"] for finding in row["findings"]] == ["pneumonia", "no_finding"]
    assert row["model"]["name"] == "cxr_findings"
    [cause] = of(stack.rows("images-received"), 4001)
    assert row["image_message_id"] == cause["meta"]["message_id"]
    assert row["meta"]["message_id"] == message_id("findings", cause["meta"]["message_id"])
    heatmap = Path(row["heatmap"]["uri"].removeprefix("file://"))
    with Image.open(heatmap) as image:
        assert image.size == FILM.shape[::-1]


def test_a_ct_is_abstained_from_with_the_reason(stack: Stack, tmp_path: Path) -> None:
    stack.vigil("send", str(write(tmp_path, 1, sample_bytes("CT_small.dcm"))))
    uid = "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"
    rows = stack.rows_until(
        "image-findings", lambda rows: [row for row in rows if row["image"]["sop_instance_uid"] == uid]
    )
    [row] = [row for row in rows if row["image"]["sop_instance_uid"] == uid]
    assert not row["scope"]["in_scope"]
    assert "CT" in row["scope"]["reason"]
    assert row["findings"] == []
    assert "heatmap" not in row


def test_broken_pixel_data_go_to_the_dead_letters_and_the_next_film_is_read(stack: Stack, tmp_path: Path) -> None:
    broken = radiograph(FILM, SOPInstanceUID=UID.format(4002), PatientID="P-4002")
    broken.PixelData = broken.PixelData[:100]
    stack.vigil("send", str(write(tmp_path, 4002, as_file(broken))))
    stack.vigil("send", str(write(tmp_path, 4003, film(4003))))
    stack.rows_until("image-findings", lambda rows: of(rows, 4003))
    letters = stack.rows_until("image-router-dlq", lambda rows: rows)
    assert any(letter["reason"] == "the pixel data cannot be decoded" for letter in letters)
    assert not of(stack.rows("image-findings"), 4002)


def test_killing_the_service_loses_nothing_and_repeats_nothing_visible(stack: Stack, tmp_path: Path) -> None:
    numbers = range(4100, 4124)
    for number in numbers:
        write(tmp_path, number, film(number))
    pid = stack.status()["image-router"]["pid"]
    stack.vigil("send", str(tmp_path))
    psutil.Process(pid).send_signal(signal.SIGKILL)
    stack.until_status("image-router", lambda row: row["pid"] not in {None, pid})
    rows = stack.rows_until("image-findings", lambda rows: all(of(rows, number) for number in numbers), 90)
    for number in numbers:
        assert len({row["meta"]["message_id"] for row in of(rows, number)}) == 1
    stack.until_ready("image-router")


def test_vigil_image_reads_files_of_every_kind(stack: Stack, tmp_path: Path) -> None:
    png, jpeg = tmp_path / "film.png", tmp_path / "film.jpg"
    png.write_bytes(as_picture(FILM, "PNG"))
    jpeg.write_bytes(as_picture(FILM, "JPEG", quality=95))
    dicom = write(tmp_path, 4201, film(4201))
    out = tmp_path / "out"
    done = stack.vigil("image", "--json", "--out", str(out), str(png), str(jpeg), str(dicom))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(row["file"]).name for row in rows] == ["film.png", "film.jpg", "4201.dcm"]
    probabilities = [row["findings"][0]["probability"] for row in rows]
    assert probabilities[0] == pytest.approx(probabilities[2], abs=1e-3)
    for row in rows:
        assert row["scope"]["in"]
        with Image.open(row["heatmap"]) as image:
            assert image.size == FILM.shape[::-1]


def test_a_slice_of_the_brain_gets_findings_a_mask_and_a_report_draft(stack: Stack, tmp_path: Path) -> None:
    brain = ward_film("brain_glioma.jpg")
    tags = {"Modality": "MR", "BodyPartExamined": "BRAIN", "ViewPosition": None, "PixelSpacing": [0.9, 0.9]}
    dicom = write(
        tmp_path, 4301, as_file(radiograph(brain, SOPInstanceUID=UID.format(4301), PatientID="P-4301", **tags))
    )
    [row] = map(json.loads, stack.vigil("image", "--json", "--out", str(tmp_path), str(dicom)).stdout.splitlines())
    assert row["model"] == "brain_mri_tumour"
    [region] = row["regions"]
    assert region["label"] == "tumour"
    assert region["length_mm"] >= region["width_mm"] > 0
    for picture in (region["mask"], row["heatmap"]):
        with Image.open(picture) as image:
            assert image.size == brain.shape[::-1]
    assert any("mm²" in sentence["text"] for sentence in row["report"])
    stack.vigil("send", str(dicom))
    rows = stack.rows_until("image-findings", lambda rows: of(rows, 4301))
    [published] = of(rows, 4301)
    with Image.open(published["regions"][0]["mask"]["uri"].removeprefix("file://")) as mask:
        assert mask.size == brain.shape[::-1]


def test_vigil_image_says_what_is_wrong_with_a_file_and_reads_the_others(stack: Stack, tmp_path: Path) -> None:
    text, png = tmp_path / "notes.txt", tmp_path / "film.png"
    text.write_text("no picture")
    png.write_bytes(as_picture(FILM, "PNG"))
    done = stack.vigil("image", "--json", str(text), str(png), check=False)
    assert done.returncode == 1
    wrong, right = map(json.loads, done.stdout.splitlines())
    assert wrong["error"] == "neither a DICOM, PNG nor JPEG file"
    assert right["scope"]["in"]


def test_readiness_and_metrics_are_served(stack: Stack) -> None:
    assert httpx.get(f"{stack.url('image-router')}/readyz").json() == {"ready": True, "reasons": {}}
    metrics = httpx.get(f"{stack.url('image-router')}/metrics").text
    assert "vigil_image_router_instances_total" in metrics
