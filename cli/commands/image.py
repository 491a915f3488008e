"""`vigil image`: what the models read in DICOM, PNG or JPEG files."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vigil.v1.image_router_service_pb2 import ReadImageResponse
    from vigil.v1.image_router_service_pb2_grpc import ImageRouterServiceStub

PARALLEL = 4
DEADLINE_S = 120.0
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
) -> None:
    """Read images through the running image-router; one line a file, in the order given.

    A line has the model, whether the image is in its scope and why not, the findings with their probabilities, and
    the path of the heat map: a PNG of the image's own size, brighter where the model looked. A file that cannot be
    read gets a line with the error; then the exit code is 1.

    Example: vigil image chest.dcm film.png --out heatmaps | jq .findings
    """
    from concurrent.futures import ThreadPoolExecutor

    import grpc
    from vigil.v1.image_router_service_pb2_grpc import ImageRouterServiceStub

    from services.common.settings import SharedSettings
    from services.image_router.config import ImageRouterSettings

    settings = ImageRouterSettings(shared=SharedSettings())
    folder = out or settings.shared.data_dir / "images"
    options = [
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ]
    with (
        grpc.insecure_channel(f"{settings.shared.bind_host}:{settings.grpc_port}", options=options) as channel,
        ThreadPoolExecutor(PARALLEL) as pool,
    ):
        stub = ImageRouterServiceStub(channel)
        failed = False
        for row in pool.map(lambda file: _read(stub, file, model, folder), files):
            _show(row, plain=as_json or not sys.stdout.isatty())
            failed = failed or "error" in row
    if failed:
        raise typer.Exit(1)


def _read(stub: "ImageRouterServiceStub", file: Path, model: str, folder: Path) -> Row:
    """One file's row. Raises CliError when nobody answers."""
    import grpc
    from vigil.v1.image_router_service_pb2 import ReadImageRequest

    from cli.errors import CliError

    try:
        content = file.read_bytes()
    except OSError as error:
        return {"file": str(file), "error": error.strerror}
    try:
        answer = stub.ReadImage(ReadImageRequest(content=content, model=model), timeout=DEADLINE_S)
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
            return {"file": str(file), "error": error.details()}
        raise CliError(
            f"image-router does not answer ({error.code().name.lower()}); is the stack up? See vigil status."
        ) from None
    return _row(file, content, answer, folder)


def _row(file: Path, content: bytes, answer: "ReadImageResponse", folder: Path) -> Row:
    from hashlib import sha256

    findings = answer.findings
    digest = sha256(content).hexdigest()
    heatmap = None
    if answer.heatmap_png:
        folder.mkdir(parents=True, exist_ok=True)
        heatmap = folder / f"{file.stem}.{digest[:12]}.heatmap.png"
        heatmap.write_bytes(answer.heatmap_png)
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
        "findings": [
            {"label": f.label, "probability": f.probability, "positive": f.positive, "threshold": f.threshold}
            for f in findings.findings
        ],
        "regions": [{"label": r.label, "box": [r.x0, r.y0, r.x1, r.y1]} for r in findings.regions],
        "heatmap": str(heatmap) if heatmap else None,
        "degraded": findings.degraded_reason,
        "integrity": {"sha256": digest, "bytes": len(content), "width": answer.width, "height": answer.height},
    }


def _show(row: Row, *, plain: bool) -> None:
    if plain:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
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
