"""Write what is served and what is read about it: model.onnx, config.pbtxt, metrics.json, pictures."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from graph import Served, export
from measures import softmax
from network import MAP_STRIDE
from PIL import Image, ImageDraw

from services.image_router.preprocessing import resized

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from task import Material, OutOfFold, Task

mpl.use("Agg")
from matplotlib import pyplot as plt

REPOSITORY = Path(__file__).resolve().parents[2]
PARALLEL = 8
TILE, ACROSS = 160, 10
KINDS = 50  # pictures of each kind on the contact sheets
DIMENSIONS = {
    "probability": "[ {classes} ]",
    "heatmap": "[ {map}, {map} ]",
    "outline": "[ {side}, {side} ]",
    "scope_distance": "[ 1 ]",
}
CONFIG = """\
name: "{name}"
backend: "onnxruntime"
max_batch_size: {parallel}
input [ {{ name: "image", data_type: TYPE_FP32, dims: [ 1, {side}, {side} ] }} ]
output [
{outputs}
]
instance_group [ {{ kind: KIND_CPU, count: 1 }} ]
dynamic_batching {{ }}
{parameters}
"""


def publish(name: str, task: Task, served: Served, parameters: dict[str, str], metrics: dict[str, Any]) -> None:
    """Model, configuration and metrics of one folder. parameters: beside hash, side, preparation and scope limit."""
    folder = REPOSITORY / name
    path = folder / "1" / "model.onnx"
    export(served, task.side, path)
    whole = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "side": str(task.side),
        "preparation": task.preparation,
        **parameters,
        "scope_limit": "1.0",
    }
    sizes = {"classes": len(task.classes), "map": task.side // MAP_STRIDE, "side": task.side}
    outputs = ",\n".join(
        f'  {{ name: "{n}", data_type: TYPE_FP32, dims: {DIMENSIONS[n].format(**sizes)} }}' for n in served.outputs
    )
    lines = "\n".join(f'parameters {{ key: "{k}" value {{ string_value: "{v}" }} }}' for k, v in whole.items())
    text = CONFIG.format(name=name, side=task.side, parallel=PARALLEL, outputs=outputs, parameters=lines)
    (folder / "config.pbtxt").write_text(text)
    (folder / "metrics.json").write_text(json.dumps(metrics | {"parameters": whole}, indent=1) + "\n")


def draw_reliability(name: str, curves: dict[str, list[list[float]]]) -> None:
    """reliability.png of a model folder."""
    figure, axes = plt.subplots(figsize=(4, 4))
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for label, rows in curves.items():
        means, shares, _ = zip(*rows, strict=True)
        axes.plot(means, shares, marker="o", markersize=3, label=label)
    axes.set(xlabel="predicted", ylabel="observed", title="Out of fold")
    axes.legend()
    figure.tight_layout()
    figure.savefig(REPOSITORY / name / "reliability.png", dpi=100)
    plt.close(figure)


def draw_sheets(task: Task, m: Material, oof: OutOfFold, outlines: NDArray[np.float32], folder: Path) -> None:
    """Contact sheets, out of fold: right and wrong pictures of each class, as JPEG in `folder`.

    Heat is red, the outline found green, the one drawn blue; above is the class found with its probability.
    """
    folder.mkdir(parents=True, exist_ok=True)
    p = softmax(oof.logits)
    random = np.random.default_rng(7)
    for label, name in enumerate(task.classes):
        for kind, chosen in (("right", p.argmax(1) == label), ("wrong", p.argmax(1) != label)):
            rows = random.permutation(np.flatnonzero((m.labels == label) & chosen))[:KINDS]
            tiles = [tile(task, m, oof, p, outlines, int(row)) for row in rows]
            if tiles:
                sheet(tiles).save(folder / f"{name}_{kind}.jpg", quality=80)


def tile(  # noqa: PLR0917 - what a tile shows
    task: Task, m: Material, oof: OutOfFold, p: NDArray[np.float64], found: NDArray[np.float32], row: int
) -> Image.Image:
    """One picture with what was found in it."""
    grey = m.inputs[row].astype(np.float32)
    lesions = [c for c in range(len(task.classes)) if c != task.normal]
    likeliest = lesions[int(oof.logits[row, lesions].argmax())]
    centred = oof.evidence[row, likeliest] - oof.evidence[row].mean(0)
    heat = np.clip(resized(centred.astype(np.float32), task.side, task.side), 0, None)
    heat = heat / max(float(heat.max()), 1e-6)
    colours = np.stack([grey + 110 * heat, grey, grey], -1)
    for mask, colour in ((found[row] >= 0.5, (0, 255, 0)), (m.masks[row] > 127, (80, 120, 255))):  # noqa: PLR2004 - as drawn
        colours[edge_of(mask)] = colour
    image = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8)).resize((TILE, TILE))
    best = int(p[row].argmax())
    ImageDraw.Draw(image).text((2, 1), f"{task.classes[best][:5]} {p[row, best]:.2f}", fill=(255, 255, 0))
    return image


def edge_of(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of the mask beside one that is not."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    edge: NDArray[np.bool_] = mask & ~inner
    return edge


def sheet(tiles: list[Image.Image]) -> Image.Image:
    """Rows of `ACROSS`."""
    whole = Image.new("RGB", (ACROSS * TILE, -(-len(tiles) // ACROSS) * TILE))
    for place, one in enumerate(tiles):
        whole.paste(one, (place % ACROSS * TILE, place // ACROSS * TILE))
    return whole
