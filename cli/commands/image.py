"""`vigil image`: what the models read in DICOM, PNG or JPEG files."""

import json
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CliError
from cli.reports import coded_report, compared

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    import grpc
    from vigil.v1.image_router_service_pb2 import ReadImageResponse
    from vigil.v1.image_router_service_pb2_grpc import ImageRouterServiceStub
    from vigil.v1.images_pb2 import Region
    from vigil.v1.notes_pb2 import NoteCoded

PARALLEL = 4
AHEAD = 16  # files
QUESTION_HELP = "What the images are for: rule_out, screening, confirm, or words of the order (default: by their tags)."
DEADLINE_S = 120.0
SIZES = ("area_mm2", "length_mm", "width_mm")  # of a region, where pixel spacing is known
MAX_MESSAGE_BYTES = 256 * 1024 * 1024

Row = dict[str, Any]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(image)


def image(
    files: Annotated[list[Path], typer.Argument(help="DICOM, PNG or JPEG files.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines on a terminal too.")] = False,
    model: Annotated[str, typer.Option(help="Model to ask when the file has no DICOM tags, e.g. cxr_findings.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for heat maps (default: images/ in the data dir).")] = None,
    question: Annotated[str, typer.Option(help=QUESTION_HELP)] = "",
    report: Annotated[Path | None, typer.Option(help="Radiology report of the images' study, plain text.")] = None,
) -> None:
    """Read images through the running image-router; one line a file, in the order given.

    A line has the model, whether the image is in its scope and why not, the findings with their probabilities, what
    was outlined with its size and place, a report draft, and the paths of heat map and masks: PNG files of the image's
    own size, the heat map brighter where the model looked, a mask 255 inside. A file that cannot be read gets a line
    with the error; then the exit code is 1. Any number of files is read a few at a time, in bounded memory.

    With a report, a line says of each finding of the report whether the image agrees: agree, disagree or cannot_tell,
    why, with the report's words and where report and image place it.

    Example: vigil image chest.dcm film.png --out heatmaps | jq .findings
    """
    from concurrent.futures import ThreadPoolExecutor

    import grpc
    from vigil.v1.image_router_service_pb2_grpc import ImageRouterServiceStub

    from services.common.settings import SharedSettings
    from services.image_router.config import ImageRouterSettings

    settings = ImageRouterSettings(shared=SharedSettings())
    note = coded_report(report) if report else None
    folder = out or settings.shared.data_dir / "images"
    options = [
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ]
    with (
        grpc.insecure_channel(f"{settings.shared.bind_host}:{settings.grpc_port}", options=options) as channel,
        ThreadPoolExecutor(PARALLEL) as pool,
    ):
        asking = Asking(ImageRouterServiceStub(channel), folder, model, question, note)
        refused = 0
        with _progress(len(files)) as advance:
            for row in _in_order(pool, asking, files):
                _show(row, plain=as_json or not sys.stdout.isatty())
                refused += "error" in row
                advance()
    if refused:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked of every file. note: the report of all of them, read; None without one."""

    stub: "ImageRouterServiceStub"
    folder: Path
    model: str
    question: str
    note: "NoteCoded | None"

    def __call__(self, file: Path) -> Row:
        """One file's row. Raises CliError when nobody answers."""
        import grpc
        from vigil.v1.image_router_service_pb2 import ReadImageRequest

        try:
            if file.stat().st_size >= MAX_MESSAGE_BYTES:
                return {"file": str(file), "error": f"larger than the {MAX_MESSAGE_BYTES >> 20} MB that are read"}
            content = file.read_bytes()
        except OSError as error:
            return {"file": str(file), "error": error.strerror}
        try:
            request = ReadImageRequest(content=content, model=self.model, question=self.question)
            answer = self.stub.ReadImage(request, timeout=DEADLINE_S)
        except grpc.RpcError as error:
            return {"file": str(file), "error": _why_refused(error)}
        row = _row(file, content, answer, self.folder)
        return row | compared(self.note, answer.findings) if self.note is not None else row


def _why_refused(error: "grpc.RpcError") -> str:
    """Why this file has no answer. Raises CliError when no file would get one."""
    import grpc

    if error.code() == grpc.StatusCode.UNAVAILABLE:
        raise CliError("image-router does not answer (unavailable); is the stack up? See vigil status.") from None
    if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
        return str(error.details())
    return f"image-router gave no answer: {error.code().name.lower()}"


def _in_order(pool: "ThreadPoolExecutor", read: Callable[[Path], Row], files: Iterable[Path]) -> Iterator[Row]:
    """The row of each file, in order; a slow file holds up no more than `AHEAD` others."""
    pending: deque[Future[Row]] = deque()
    try:
        for file in files:
            pending.append(pool.submit(read, file))
            if len(pending) >= AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


@contextmanager
def _progress(files: int) -> Iterator[Callable[[], None]]:
    """Called once a file; shows how many are done where standard error is a terminal and there are several."""
    if files == 1 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("images"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("images", total=files)
        yield lambda: progress.advance(task)


def _row(file: Path, content: bytes, answer: "ReadImageResponse", folder: Path) -> Row:
    from hashlib import sha256

    findings = answer.findings
    digest = sha256(content).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)

    def written(kind: str, png: bytes) -> str | None:
        path = folder / f"{file.stem}.{digest[:12]}.{kind}.png"
        return str(path) if png and path.write_bytes(png) else None

    masks = [written(f"{r.label}.mask", png) for r, png in zip(findings.regions, answer.mask_pngs, strict=True)]
    return {
        "file": str(file),
        "model": findings.model.name or None,
        "model_version": findings.model.version,
        "model_sha256": findings.model.sha256,
        "scope": {
            "in": findings.scope.in_scope,
            "reason": findings.scope.reason,
            "population": findings.scope.population,
        },
        "operating_point": {
            "name": findings.operating_point or None,
            "question": findings.question or None,
            "reason": findings.operating_point_reason,
        },
        "findings": [
            {
                "label": f.label,
                "probability": f.probability,
                **({"low": f.low, "high": f.high} if f.HasField("low") else {}),
                "positive": f.positive,
                "threshold": f.threshold,
                "verdict": f.verdict,
                "places": {place.region: place.share for place in f.places},
            }
            for f in findings.findings
        ],
        "regions": [_region(region, mask) for region, mask in zip(findings.regions, masks, strict=True)],
        "heatmap": written("heatmap", answer.heatmap_png),
        "report": [{"text": sentence.text, "label": sentence.label} for sentence in findings.report],
        "degraded": findings.degraded_reason,
        "integrity": {"sha256": digest, "bytes": len(content), "width": answer.width, "height": answer.height},
    }


def _region(region: "Region", mask: str | None) -> Row:
    known = region.HasField("area_mm2")
    sizes = {name: getattr(region, name) for name in SIZES if known}
    return {
        "label": region.label,
        "box": [region.x0, region.y0, region.x1, region.y1],
        "mask": mask,
        "area_fraction": region.area_fraction,
        **sizes,
        "position": region.position,
        "side": region.side or None,
        "model": region.model.name,
    }


def _show(row: Row, *, plain: bool) -> None:
    if plain:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        return
    if "error" in row:
        typer.echo(f"{row['file']}: {row['error']}")
    elif not row["scope"]["in"]:
        typer.echo(f"{row['file']}: not read: {row['scope']['reason']}")
    elif row["degraded"]:
        typer.echo(f"{row['file']}: {row['degraded']}")
    else:
        findings = ", ".join(
            f"{f['label']} {f['probability']:.2f}{' *' if f['positive'] else ''}" for f in row["findings"]
        )
        typer.echo(f"{row['file']}: {findings}  [{row['model']}, {row['scope']['population']}]")
        for one in row.get("comparison", ()):
            typer.echo(f"  {one['label']}: report {one['report']['status']}, {one['verdict']}: {one['reason']}")
