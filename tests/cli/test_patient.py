import json
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from typer.testing import CliRunner
from vigil.v1.risk_pb2 import RiskEstimate

from cli.errors import CliError
from cli.main import create_app
from services.common.stateful import States
from services.fusion.handlers import Fusion, fused
from services.fusion.http_api import create_routes
from services.fusion.state import Input, PatientRecord
from services.fusion.views import Patients
from services.fusion.vitals import Staleness
from tests.fusion.making import HEALTHY, KEY, NOON, SEPTIC, code, encounter, note, observations


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[bytes, bytes]:
    """What the fusion that the command asks keeps."""
    kept: dict[bytes, bytes] = {}
    patients = Patients(States(PatientRecord, kept), Staleness(), lambda: NOON, lambda: True)
    fusion = TestClient(Starlette(routes=create_routes(patients)))

    def get(url: str, timeout: float) -> httpx.Response:
        answer: httpx.Response = fusion.get(urlsplit(url).path)
        return answer

    monkeypatch.setattr(httpx, "get", get)
    return kept


def shown(
    stored: dict[bytes, bytes], *messages: Input, estimates: Sequence[RiskEstimate] = (), json_output: bool = False
) -> str:
    record = PatientRecord(KEY)
    for message in messages:
        record, _ = fused(record, message, Fusion(clock=lambda: NOON))
    record.risk.estimates.extend(estimates)
    stored[KEY.encode()] = record.SerializeToString()
    options = ["--json"] if json_output else []
    result = CliRunner().invoke(create_app(), ["patient", KEY, *options], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_it_shows_place_scores_inputs_and_what_they_mean(stored: dict[bytes, bytes]) -> None:
    lines = shown(
        stored, encounter("e", -90), note("n", -30, [code("J18.9", "Pneumonia")]), observations("o", -5, SEPTIC)
    ).splitlines()
    assert lines[0] == f"{KEY}  AMU bed 01, in progress, as of 2026-11-22T11:55:00Z, 5 min ago"
    assert "news2  19 high" in lines
    assert "  3  resp_rate      28 /min  5 min old" in lines
    assert "  3  consciousness  gcs 13  5 min old" in lines
    assert any(line.startswith("! Suspected sepsis: J18.9 Pneumonia in the notes") for line in lines)


def test_it_states_what_is_missing_and_how_old_the_rest_is(stored: dict[bytes, bytes]) -> None:
    lines = shown(
        stored, observations("a", -90, HEALTHY | {"spo2": 98}), observations("b", 0, {"sbp": 120})
    ).splitlines()
    assert "news2  0 low, could be 0 to 14" in lines
    assert "  0  spo2           missing: stale" in lines
    assert "  0  consciousness  gcs 15  1.5 h old" in lines


def test_the_values_of_a_silent_patient_grow_old(stored: dict[bytes, bytes]) -> None:
    lines = shown(stored, observations("o", -180, HEALTHY)).splitlines()
    assert lines[0].endswith("as of 2026-11-22T09:00:00Z, 3.0 h ago")
    assert "  0  resp_rate      16 /min  3.0 h old" in lines


def test_it_says_why_a_score_does_not_apply(stored: dict[bytes, bytes]) -> None:
    output = shown(stored, encounter("e", -90, age_years=4), observations("o", 0, HEALTHY))
    assert "news2  does not apply: under 16 years of age" in output


def test_it_shows_what_the_models_say_and_what_drives_it(stored: dict[bytes, bytes]) -> None:
    said = RiskEstimate(name="mortality", probability=0.25, low=0.125, high=0.5, alarm=True, operating_point=0.2)
    said.drivers.add(name="lactate", weight=0.81, sentence="lactate 4.6 mmol/L, up 2.7, 40 min ago")
    silent = RiskEstimate(name="sepsis", abstained="less than an hour since admission")
    away = RiskEstimate(name="other", degraded=True, degraded_reason="other: deadline exceeded")
    lines = shown(stored, observations("o", 0, HEALTHY), estimates=[said, silent, away]).splitlines()
    at = lines.index("mortality  25.0% (12.5% to 50.0%), alarm from 20.0%")
    assert lines[at + 1] == "  +0.81  lactate 4.6 mmol/L, up 2.7, 40 min ago"
    assert lines[at + 2] == "sepsis  does not apply: less than an hour since admission"
    assert lines[at + 3] == "other  no model: other: deadline exceeded"


def test_json_is_the_whole_state(stored: dict[bytes, bytes]) -> None:
    state = json.loads(shown(stored, observations("o", 0, HEALTHY), json_output=True))
    assert state["patient_key"] == KEY
    assert len(state["observations"]) == len(HEALTHY)


def test_an_unknown_key_is_one_sentence(stored: dict[bytes, bytes]) -> None:
    with pytest.raises(CliError, match="no patient has this key"):
        CliRunner().invoke(create_app(), ["patient", "f" * 32], catch_exceptions=False)


def test_a_silent_fusion_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_FUSION_HTTP_PORT", "1")
    with pytest.raises(CliError, match="vigil up"):
        CliRunner().invoke(create_app(), ["patient", KEY], catch_exceptions=False)
