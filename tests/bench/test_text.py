from pathlib import Path

import pytest

from bench.text.measure import CORE, SHIPPED
from bench.text.notes import TOLERANCE, WORDS, load_notes
from bench.text.report import NO_PEER, ratios, table
from bench.text.service import Load, Service
from bench.text.subject import Subject

OWN = Subject(CORE, 4.0, [0.01, 0.01], 0.02, 0.02, 250.0, "100 codes")
PEER = Subject(SHIPPED, 2.0, [0.1, 0.2], 0.3, 0.4, 125.0, "60 sentences")
SERVICE = Service([Load(1, [0.02, 0.02], 0.04, 0.02, 0.01, 1)], 220.0, 300.0)


def test_the_ratio_is_of_notes_a_second_and_of_processor_time_a_note() -> None:
    assert ratios([OWN, PEER])[f"{CORE} / {SHIPPED}"] == pytest.approx({"clock": 15.0, "processor": 20.0})
    said = table("2 notes", [OWN, PEER], SERVICE, [])
    assert f"{CORE} / {SHIPPED}: 15.0 times the notes by the clock, 20.0 times by processor time" in said
    assert "1 were coded without the model" in said


def test_without_the_peer_that_is_said() -> None:
    assert NO_PEER in table("2 notes", [OWN], SERVICE, [])


def test_without_training_data_the_wards_notes_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIGIL_TRAINING_DATA", str(tmp_path))
    notes = load_notes(30)
    assert "the sample ward" in notes.origin
    assert len(notes.texts) == 30
    assert all(len(text.split()) >= WORDS - TOLERANCE for text in notes.texts)
