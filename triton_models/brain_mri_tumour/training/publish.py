"""Write what is served and its figures: model.onnx, config.pbtxt, metrics.json."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph import Served, export
from network import MAP_STRIDE

if TYPE_CHECKING:
    from task import Task

REPOSITORY = Path(__file__).resolve().parents[2]
PARALLEL = 8
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
instance_group [ {{ kind: KIND_CPU, count: 2 }} ]
dynamic_batching {{ }}
{parameters}
"""


def publish(name: str, task: Task, served: Served, parameters: dict[str, str], metrics: dict[str, Any]) -> None:
    """Model, configuration and metrics of one folder. parameters: beside hash, side, preparation and scope limit."""
    folder = REPOSITORY / name
    path = folder / "1" / "model.onnx"
    export(served, served.outputs, task.side, path)
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
