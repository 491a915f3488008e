"""`vigil image`: what the models read in DICOM, PNG or JPEG files."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vigil.v1.image_router_service_pb2 import ReadImageResponse
    from vigil.v1.image_router_service_pb2_grpc import ImageRouterServiceStub
    from vigil.v1.images_pb2 import Region

PARALLEL = 4
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
) -> None:
    """Read images through the running image-router; one line a file, in the order given.

    A line has the model, whether the image is in its scope and why not, the findings with their probabilities, what
    was outlined with its size and place, a report draft, and the paths of heat map and masks: PNG files of the image's
    own size, the heat map brighter where the model looked, a mask 255 inside. A file that cannot be read gets a line
    with the error; then the exit code is 1.

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
        "findings": [
            {
                "label": f.label,
                "probability": f.probability,
                "positive": f.positive,
                "threshold": f.threshold,
                "verdict": f.verdict,
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
        "model": region.model.name,
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
