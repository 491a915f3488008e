"""What `vigil image` prints of many files; tests/integration runs it against the service."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner
from vigil.v1.image_router_service_pb2 import ReadImageRequest, ReadImageResponse
from vigil.v1.image_router_service_pb2_grpc import (
    ImageRouterServiceServicer,
    add_ImageRouterServiceServicer_to_server,
)
from vigil.v1.images_pb2 import ImageFinding, ImageFindings, Scope
from vigil.v1.meta_pb2 import ModelVersion, Span
from vigil.v1.notes_pb2 import NoteCoded, ReportFinding

from cli.commands.image import AHEAD, _in_order
from cli.main import create_app
from cli.reports import compared


class Answering(ImageRouterServiceServicer):
    """Reads what says "film", refuses what says "text", fails on all else."""

    def ReadImage(self, request: ReadImageRequest, context: Any) -> ReadImageResponse:  # noqa: N802 - gRPC
        if request.content == b"text":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "neither a DICOM, PNG nor JPEG file")
        if request.content != b"film":
            context.abort(grpc.StatusCode.INTERNAL, "a fault")
        return ReadImageResponse(findings=film("positive"), heatmap_png=b"png")


def film(verdict: str) -> ImageFindings:
    is_there = verdict == "positive"
    pneumonia = ImageFinding(
        label="pneumonia", probability=0.9 if is_there else 0.1, positive=is_there, verdict=verdict
    )
    return ImageFindings(scope=Scope(in_scope=True), findings=[pneumonia], model=ModelVersion(name="cxr_findings"))


@contextmanager
def router(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    with ThreadPoolExecutor(8) as pool:
        server = grpc.server(pool)
        add_ImageRouterServiceServicer_to_server(Answering(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        monkeypatch.setenv("VIGIL_IMAGE_ROUTER_GRPC_PORT", str(port))
        monkeypatch.setenv("VIGIL_DATA_DIR", str(folder / "data"))
        yield
        server.stop(None)


def test_files_come_in_order_and_those_without_an_answer_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [b"film", b"text", b"film", b"fault"] * 10
    files = [tmp_path / f"{number:02}.png" for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    files.append(tmp_path / "absent.png")
    with router(monkeypatch, tmp_path):
        result = CliRunner().invoke(create_app(), ["image", "--json", *map(str, files)])
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["file"] for row in rows] == [str(file) for file in files]
    assert result.exit_code == 1
    assert not result.stderr
    assert [row.get("error") for row in rows[:4]] == [
        None,
        "neither a DICOM, PNG nor JPEG file",
        None,
        "image-router gave no answer: internal",
    ]
    assert rows[-1]["error"] == "No such file or directory"
    assert Path(rows[0]["heatmap"]).read_bytes() == b"png"


def test_a_router_that_is_away_ends_the_call_with_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_IMAGE_ROUTER_GRPC_PORT", "1")
    file = tmp_path / "film.png"
    file.write_bytes(b"film")
    result = CliRunner().invoke(create_app(), ["image", "--json", *[str(file)] * 50])
    assert result.exit_code == 1
    assert "is the stack up?" in str(result.exception)


def test_no_more_files_are_read_than_the_slowest_lets_through() -> None:
    begun, go = [], threading.Event()

    def read(file: Path) -> dict[str, Any]:
        begun.append(file)
        if file.name == "0":
            go.wait(10)
        return {"file": file.name}

    with ThreadPoolExecutor(4) as pool:
        rows = _in_order(pool, read, (Path(str(number)) for number in range(1000)))
        threading.Timer(0.2, go.set).start()
        assert next(rows)["file"] == "0"
        assert len(begun) <= AHEAD
        assert [row["file"] for row in rows] == [str(number) for number in range(1, 1000)]


def test_a_report_is_held_against_the_image_with_its_words() -> None:
    denied = ReportFinding(label="pneumonia", status="negative", spans=[Span(start=3, end=12)])
    note = NoteCoded(text="No pneumonia.", findings=[denied])
    (row,) = compared(note, film("positive"))["comparison"]
    assert (row["verdict"], row["report"]["text"], row["image"]["verdict"]) == ("disagree", ["pneumonia"], "positive")
    note.report_modality = "CT"
    assert compared(note, film("positive")) == {
        "comparison": [],
        "comparison_reason": "the report names no finding of such an image, or is of images made in another way",
    }
    assert compared(note, ImageFindings())["comparison_reason"] == "no model read the image"
