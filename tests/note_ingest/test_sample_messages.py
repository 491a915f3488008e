"""The public sample messages (FHIR-Converter, MIT), where they are at hand: each is taken, or refused with a reason."""

import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.common.settings import REPOSITORY
from services.note_ingest.hl7v2.messages import Hl7Settings, parse_hl7
from services.note_ingest.intake import Intake, take_in
from services.note_ingest.refusals import Refused

FOLDER = Path(os.environ.get("VIGIL_TRAINING_DATA", REPOSITORY.parent / "shared" / "data")) / "hl7v2"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def samples() -> dict[str, bytes]:
    found = {}
    for archive in sorted(FOLDER.glob("*.tar")):
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and (content := tar.extractfile(member)) is not None:
                    found[member.name] = content.read()
    return found


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the sample messages are not on this machine")
def test_every_sample_is_taken_or_refused_with_its_place(hl7: Hl7Settings, intake: Intake) -> None:
    refusals: list[tuple[str, Refused]] = []
    messages = samples()
    for name, body in messages.items():
        try:
            take_in(parse_hl7(body, NOW, hl7), intake)
        except Refused as refusal:
            refusals.append((name, refusal))
    assert [name for name, refusal in refusals if not (refusal.reason and refusal.location)] == []
    assert (len(messages), len(refusals)) == (139, 68)
