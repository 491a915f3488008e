"""The tables of docs/few-labels.md, between its markers."""

from __future__ import annotations

from collections.abc import Sequence

from bench.few_labels.results import FIGURES, METHODS, PLAIN, Point
from bench.few_labels.shares import SEEDS, SHARES
from docs.tables import between
from services.common.settings import REPOSITORY

PAGE = REPOSITORY / "docs" / "few-labels.md"
FIGURE = REPOSITORY / "docs" / "few-labels.png"
BEGIN, END = "<!-- tables: made by `make few-labels` -->", "<!-- end of tables -->"
LABELS = {
    "supervised": "supervised, from nothing",
    "transfer": "transfer from ImageNet",
    "fixmatch": "FixMatch, from nothing",
    "generated": "supervised, with generated images",
}
TASKS = {"breast": "breast ultrasound, malignant or benign", "brain": "brain MRI, three kinds of tumour"}
NAMES = {"auroc": "AUROC", "accuracy": "accuracy"}


def tables(points: Sequence[Point]) -> str:
    """One table of values and one of differences for each task and figure."""
    parts = []
    for task, figures in FIGURES.items():
        for figure in figures:
            own = [point for point in points if (point.task, point.figure) == (task, figure)]
            macro = "macro " if task == "brain" and figure == "auroc" else ""
            parts += [
                f"**{TASKS[task].capitalize()}: {macro}{NAMES[figure]}.** Mean of the seeds (least to most).",
                _values(own),
                "Difference from supervised, mean of the seeds, with its 95 % interval over test patients.",
                _differences(own),
            ]
    return "\n\n".join(parts).replace("Brain mri", "Brain MRI")


def _values(points: Sequence[Point]) -> str:
    pictures = {point.share: point.pictures for point in points if point.method == "supervised"}
    heads = [f"{share} % ({pictures[share]:.0f} images)" for share in SHARES if share in pictures]
    return _table(["", *heads], [(LABELS[method], [_value(points, method, share) for share in SHARES])
                                 for method in METHODS if _has(points, method)])  # fmt: skip


def _differences(points: Sequence[Point]) -> str:
    return _table(
        ["", *(f"{share} %" for share in SHARES)],
        [
            (LABELS[method], [_difference(points, method, share) for share in SHARES])
            for method in METHODS
            if method != PLAIN and _has(points, method)
        ],
    )


def _has(points: Sequence[Point], method: str) -> bool:
    return any(point.method == method for point in points)


def _table(heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows)])


def _at(points: Sequence[Point], method: str, share: int) -> Point | None:
    return next((point for point in points if (point.method, point.share) == (method, share)), None)


def _value(points: Sequence[Point], method: str, share: int) -> str:
    point = _at(points, method, share)
    if point is None:
        return "not run"
    mean = f"{sum(point.values) / len(point.values):.3f}"
    if len(point.values) == 1:
        return f"{mean} (1 seed)"
    seeds = "" if len(point.values) == len(SEEDS) else f", {len(point.values)} seeds"
    return f"{mean} ({min(point.values):.3f} to {max(point.values):.3f}{seeds})"


def _difference(points: Sequence[Point], method: str, share: int) -> str:
    point = _at(points, method, share)
    if point is None or point.difference is None:
        return "not run"
    value, low, high = point.difference
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f})"


def with_tables(page: str, made: str) -> str:
    """The page with `made` between its markers. Raises ValueError when they are not there."""
    return between(page, BEGIN, END, made)


def write_page(points: Sequence[Point]) -> None:
    """Put the tables into docs/few-labels.md."""
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), tables(points)), encoding="utf-8")
