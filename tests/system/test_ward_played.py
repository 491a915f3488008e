"""`vigil demo` as a person runs it, on a stack that wards were played into before."""

import re

import httpx

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
