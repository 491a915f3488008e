"""What `vigil audit` takes and prints; tests/integration runs it against the service."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from vigil.v1.meta_pb2 import ModelVersion, Span
from vigil.v1.nlp_coder_service_pb2 import AuditCodesResponse
from vigil.v1.notes_pb2 import AUDIT_VERDICT_LESS_SPECIFIC, AUDIT_VERDICT_UNSUPPORTED, CodeAudit

from cli.commands.audit import _requests, as_json
from cli.main import create_app
from cli.notes import Asked


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_line_is_a_note_with_its_codes(tmp_path: Path) -> None:
    line = '{"id":7,"text":"\\ud800 fever","codes":["r509","I10"],"lang":"en","kind":"nursing"}'
    [asked] = _requests([written(tmp_path / "notes.jsonl", line, "")], None)
    assert isinstance(asked, Asked)
    request = asked.request
    assert (asked.id, request.id, request.text, list(request.codes)) == (7, "7", "\ufffd fever", ["r509", "I10"])
    assert (request.language, request.kind) == ("en", "nursing")


def test_a_plain_file_is_audited_with_the_codes_of_the_call(tmp_path: Path) -> None:
    path = written(tmp_path / "note.txt", "No fever.")
    [asked] = _requests([path], "R50.9, I10")
    assert isinstance(asked, Asked)
    assert (asked.id, asked.request.text, list(asked.request.codes)) == (str(path), "No fever.\n", ["R50.9", "I10"])


@pytest.mark.parametrize(
    "line",
    [
        "fever",
        "[]",
        '{"id":"1","text":"x"}',
        '{"id":"1","text":"x","codes":"I10"}',
        '{"id":"1","text":"x","codes":[5]}',
        '{"id":"1","text":["x"],"codes":[]}',
    ],
)
def test_a_line_that_cannot_be_audited_is_named_and_the_others_are_read(line: str, tmp_path: Path) -> None:
    others = '{"id":"0","text":"","codes":[]}', '{"id":"2","text":"","codes":[]}'
    path = written(tmp_path / "notes.jsonl", others[0], line, others[1])
    first, slip, last = _requests([path], None)
    assert [asked.id for asked in (first, last) if isinstance(asked, Asked)] == ["0", "2"]
    assert "line 2 cannot be audited" in str(slip)


@pytest.mark.parametrize("arguments", [[], ["--jsonl", "--codes", "I10"]])
def test_codes_come_from_the_lines_or_from_the_call(arguments: list[str]) -> None:
    done = CliRunner().invoke(create_app(), ["audit", *arguments])
    assert done.exit_code == 2
    assert "--jsonl" in done.output


def test_the_output_has_the_documented_fields() -> None:
    answer = AuditCodesResponse(
        id="1",
        results=[
            CodeAudit(
                code="j189",
                verdict=AUDIT_VERDICT_LESS_SPECIFIC,
                spans=[Span(start=0, end=15)],
                suggested="J18.1",
                score=0.5,
                display="Pneumonia, unspecified organism",
                suggested_display="Lobar pneumonia, unspecified organism",
            ),
            CodeAudit(code="N39.0", verdict=AUDIT_VERDICT_UNSUPPORTED),
        ],
        models=[ModelVersion(name="icd_coder", version="1", sha256="f")],
    )
    line: dict[str, Any] = json.loads(json.dumps(as_json(answer)))
    assert line["id"] == "1"
    assert line["results"][0] == {
        "code": "j189",
        "verdict": "less_specific",
        "spans": [[0, 15]],
        "suggested": "J18.1",
        "score": 0.5,
        "display": "Pneumonia, unspecified organism",
        "suggested_display": "Lobar pneumonia, unspecified organism",
    }
    assert (line["results"][1]["verdict"], line["results"][1]["spans"]) == ("unsupported", [])
    assert "suggested" not in line["results"][1]
    assert (line["degraded"], line["truncated"]) == (False, False)
    assert "icd_coder" in line["model"]
