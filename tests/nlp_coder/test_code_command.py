"""What `vigil code` takes and prints; tests/integration runs it against the service."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.commands.code import _print, _requests, as_json
from cli.errors import CliError
from cli.notes import Asked
from services.nlp_coder.handlers import Coder
from tests.nlp_coder.fakes import coded


def notes(path: Path, *, jsonl: bool = True) -> list[Asked]:
    return [asked for asked in _requests([path], jsonl=jsonl) if isinstance(asked, Asked)]


async def test_the_output_has_the_documented_fields_with_names_in_lower_case(coder: Coder) -> None:
    text = "Pneumonia. No fever. Mother with stroke."
    line = json.loads(json.dumps(as_json(await coded(coder, text, kind="progress"))))
    assert line["id"] == "doc-1"
    assert {"codes", "entities", "findings", "span_assertions", "degraded", "truncated", "model"} <= set(line)
    best = line["codes"][0]
    assert {"code", "display", "score", "selected", "spans", "rationale", "origin"} <= set(best)
    assert best["code"] == "J18.9"
    assert best["spans"] == [[0, 9]]
    mother = line["entities"][2]
    assert mother.pop("origin").startswith("dictionary")
    assert mother.pop("rules", "maccrobat") == "maccrobat"
    assert mother == {
        "type": "disease",
        "text": "stroke",
        "start": 33,
        "end": 39,
        "assertion": "present",
        "temporality": "current",
        "experiencer": "family",
        "code": "I63.9",
        "name": "Stroke",
        "concept": "HP:0001297",
    }
    assert line["model"]["code_set_version"].startswith("ICD-10-CM")


async def test_an_abstention_is_said(coder: Coder) -> None:
    assert as_json(await coded(coder, "Der Patient hat seit zwei Tagen Fieber und Husten."))["abstained"]


def test_plain_files_are_one_note_each_with_their_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes(b"No fever.\r\nCough \xff.")
    [asked] = notes(path, jsonl=False)
    request = asked.request
    assert (request.id, request.text) == (str(path), "No fever.\r\nCough \ufffd.")


def test_a_line_is_a_note_with_its_language_kind_and_spans(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('{"id":7,"text":"\\ud800 fever","lang":"en","kind":"nursing","spans":[[2,7]]}\n\n')
    [asked] = notes(path)
    request = asked.request
    assert (request.id, request.text, request.language, request.kind) == ("7", "\ufffd fever", "en", "nursing")
    assert [(span.start, span.end) for span in request.spans] == [(2, 7)]


def test_null_spans_are_none(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('{"id":"1","text":"fever","spans":null}')
    [asked] = notes(path)
    assert list(asked.request.spans) == []


@pytest.mark.parametrize("own_id", [7, "7", None])
async def test_the_id_comes_back_as_it_was(
    own_id: Any, coder: Coder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text(json.dumps({"id": own_id, "text": "Pneumonia."}))
    [asked] = notes(path)
    _print(await coded(coder, asked.request.text), asked.id)
    assert json.loads(capsys.readouterr().out)["id"] == own_id


@pytest.mark.parametrize(
    "line",
    [
        "fever",
        '{"id":"1"}',
        "[]",
        '{"id":"1","text":"x","spans":[[1]]}',
        '{"id":"1","text":"x","spans":[[-1,0]]}',
        '{"id":"1","text":5}',
    ],
)
def test_a_line_that_is_no_note_is_named_and_the_others_are_read(line: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('{"id":"0","text":""}\n' + line + '\n{"id":"2","text":""}\n')
    first, slip, last = _requests([path], jsonl=True)
    assert [asked.id for asked in (first, last) if isinstance(asked, Asked)] == ["0", "2"]
    assert "line 2 is not a note" in str(slip)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"Cannot read .*No such file"):
        list(_requests([tmp_path / "none.txt"], jsonl=False))
