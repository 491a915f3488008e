"""The last step of a task: write the models' folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from card import write_tables
from drawing import draw_page, draw_reliability, draw_sheets
from graph import Served
from measures import temperature_of
from points import parameters_of
from publish import REPOSITORY, publish
from task import WORK, refused_inputs

if TYPE_CHECKING:
    from scope import ScopeCheck
    from task import Material, OutOfFold, Task


def finish(  # noqa: PLR0917 - what publishing needs
    task: Task, m: Material, oof: OutOfFold, check: ScopeCheck, metrics: dict[str, Any], outliner: str
) -> None:
    """The network of the first judged fold is served: the one whose figures are known. check: its scope check.

    outliner: name of a second model that only outlines, for who wants no more; empty for none.
    """
    network = oof.runs[min(oof.runs)].network
    temperature = temperature_of(oof.logits, m.labels[np.isin(m.folds, list(oof.runs))])
    points, questions = metrics["operating_points"], dict(metrics["questions"])
    del questions["default"]
    named = {
        "labels": ",".join(task.classes),
        "thresholds": ",".join(str(points[name]["high"]) for name in task.classes),
        "lows": ",".join(str(points[name]["low"]) for name in task.classes),
        **parameters_of({name: (one["thresholds"], one["lows"]) for name, one in questions.items()}),
        "interval_logit": str(metrics["interval"]["half_width_logit"]),
    }
    outlining = {"region": task.region, "outline_threshold": str(metrics["outlines"]["threshold"])}
    served = Served(network, temperature, task.normal, check, ["probability", "heatmap", "outline", "scope_distance"])
    publish(task.name, task, served, named | outlining, metrics | {"temperature": temperature})
    seen = m.part(np.flatnonzero(np.isin(m.folds, list(oof.runs))))
    draw_reliability(task.name, metrics["reliability"])
    draw_page(task, seen, oof, refused_inputs(task, m, oof.runs[min(oof.runs)], check))
    draw_sheets(task, seen, oof, WORK / task.name / "sheets")
    if outliner:
        served = Served(network, temperature, task.normal, check, ["outline", "scope_distance"])
        publish(outliner, task, served, outlining, {name: metrics[name] for name in ("outlines", "scope")})
    for name in (task.name, *([outliner] if outliner else [])):
        write_tables(REPOSITORY / name)
