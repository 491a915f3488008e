"""`vigil demo` as a person runs it, on a stack that wards were played into before."""

import io
import json
import re
from typing import Any

import httpx
from PIL import Image

from deploy.local.components import settings_class
from tests.system.running import Vigil
from ward.local import reachable

HALF_A_MINUTE = "2880"
OVER = {"resolved", "closed"}


def test_the_demonstration_says_that_everything_came_out_and_every_story_was_found(vigil: Vigil) -> None:
    said = vigil("demo", "--exit", "--seed", "3", "--speed", HALF_A_MINUTE, timeout=240).stdout
    assert "The board is at http://" in said
    counted = re.search(r"(\d+) of (\d+) messages came out, each exactly once", said)
    assert counted is not None
    assert counted[1] == counted[2]
    assert int(counted[1]) > 1200
    assert "13 of 13 patients were judged as their story says" in said
    for end in ("fused risk", "raised alert"):
        assert re.search(rf"End to end, first byte to {end}: p50 \d+\.\d{{3}} s, p95 .* p99 \d+\.\d{{3}} s", said)
    assert vigil.process("kafka")["state"] == "running", "a stack that ran before is left running"


def test_the_imaging_stories_were_read_and_the_board_has_picture_heat_map_measurement_and_draft(vigil: Vigil) -> None:
    lines = vigil("tail", "image-findings", "--from-beginning", "--json").stdout.splitlines()
    read = [row for row in map(json.loads, lines) if row["scope"]["in_scope"] and row["findings"]]
    assert {row["model"]["name"] for row in read} == {"cxr_findings", "brain_mri_tumour"}
    assert all(row["findings"][0]["probability"] > 0 and row["model"]["sha256"] for row in read)
    for row in read:
        shown, pictures = evidence(vigil, row)
        assert shown["has_preview"]
        assert shown["has_heatmap"]
        assert pictures["preview"].size == pictures["heatmap"].size
        assert shown["report"][-1].startswith("Preliminary: drafted by")
    [tumour] = evidence(vigil, next(row for row in read if row["regions"]))[0]["regions"]
    assert tumour["label"] == "tumour"
    assert tumour["length_mm"] >= tumour["width_mm"] > 0
    assert tumour["area_mm2"] > 0


def evidence(vigil: Vigil, row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Image.Image]]:
    """What the board shows of an image, and its pictures."""
    port = settings_class("alerting")(shared=vigil.settings).http_port
    address = f"http://{reachable(vigil.settings)}:{port}/evidence/images/{row['image_message_id']}"
    asked = {"patient": row["meta"]["patient_key"]}
    shown = httpx.get(address, params=asked).raise_for_status().json()
    pictures: dict[str, Image.Image] = {
        kind: Image.open(io.BytesIO(httpx.get(f"{address}/{kind}", params=asked).raise_for_status().content))
        for kind in ("preview", "heatmap")
    }
    return shown, pictures


def test_patients_of_an_earlier_ward_leave_no_alert_in_the_beds_of_the_next(vigil: Vigil) -> None:
    vigil("demo", "--exit", "--seed", "4", "--speed", "20000", timeout=240, check=False)
    port = settings_class("alerting")(shared=vigil.settings).http_port
    answer = httpx.get(f"http://{reachable(vigil.settings)}:{port}/alerts", params={"limit": 500}).raise_for_status()
    patients: dict[str, set[str]] = {}
    for alert in answer.json()["alerts"]:
        if alert["state"] not in OVER:
            patients.setdefault(alert["bed"], set()).add(alert["patient_key"])
    assert patients
    assert {bed: keys for bed, keys in patients.items() if len(keys) > 1} == {}
