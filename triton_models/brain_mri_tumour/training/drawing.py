"""Pictures for a reader: reliability, contact sheets, and the page of a model card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from measures import softmax
from PIL import Image, ImageDraw
from publish import REPOSITORY
from task import Material, OutOfFold, Task, outlines

from services.image_router.preprocessing import resized

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

mpl.use("Agg")
from matplotlib import pyplot as plt

TILE, ACROSS = 160, 10
KINDS = 50  # pictures of each kind on the contact sheets


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


def draw_sheets(task: Task, m: Material, oof: OutOfFold, folder: Path) -> None:
    """Contact sheets, out of fold: right and wrong pictures of each class, as JPEG in `folder`.

    Heat is red, the outline found green, the one drawn blue; above is the class found with its probability.
    """
    folder.mkdir(parents=True, exist_ok=True)
    p, found = softmax(oof.logits), outlines(oof.outline, task.side)
    random = np.random.default_rng(7)
    for label, name in enumerate(task.classes):
        for kind, chosen in (("right", p.argmax(1) == label), ("wrong", p.argmax(1) != label)):
            rows = random.permutation(np.flatnonzero((m.labels == label) & chosen))[:KINDS]
            tiles = [tile(task, m, oof, p, found, int(row)) for row in rows]
            if tiles:
                sheet(tiles).save(folder / f"{name}_{kind}.jpg", quality=80)


def draw_page(task: Task, m: Material, oof: OutOfFold, refused: list[NDArray[np.float32]]) -> None:
    """pictures.jpg of the model's folder: a row of right and one of wrong pictures a class, a last row of refused ones.

    Colours as on the sheets. refused: inputs, (side, side), foreign or wrongly refused.
    """
    p, found = softmax(oof.logits), outlines(oof.outline, task.side)
    random = np.random.default_rng(11)
    rows: list[list[Image.Image]] = []
    for label in range(len(task.classes)):
        called = p.argmax(1) == label
        for chosen in (called & (m.labels == label), called & (m.labels != label)):
            some = random.permutation(np.flatnonzero(chosen))[:ACROSS]
            rows.append([tile(task, m, oof, p, found, int(row)) for row in some])
    levels = [np.round(one * 255).astype(np.uint8) for one in refused[:ACROSS]]
    rows.append([Image.fromarray(one).convert("RGB").resize((TILE, TILE)) for one in levels])
    whole = Image.new("RGB", (ACROSS * TILE, len(rows) * TILE))
    for down, tiles in enumerate(rows):
        for across, one in enumerate(tiles):
            whole.paste(one, (across * TILE, down * TILE))
    whole.resize((whole.width * 2 // 3, whole.height * 2 // 3)).save(
        REPOSITORY / task.name / "pictures.jpg", quality=70
    )


def tile(  # noqa: PLR0917 - what a tile shows
    task: Task, m: Material, oof: OutOfFold, p: NDArray[np.float64], found: NDArray[np.float32], row: int
) -> Image.Image:
    """One picture with what was found in it."""
    grey = m.inputs[row] * 255
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
