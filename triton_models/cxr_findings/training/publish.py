"""Write what is served and what is read about it: model.onnx, config.pbtxt, metrics.json, reliability.png."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from network import SIDE, Findings, export

mpl.use("Agg")
from matplotlib import pyplot as plt

MODEL = Path(__file__).resolve().parents[1]
OUTPUTS = ["probability", "heatmap", "scope_distance"]
CONFIG = """\
name: "cxr_findings"
backend: "onnxruntime"
max_batch_size: 8
input [ {{ name: "image", data_type: TYPE_FP32, dims: [ 1, {side}, {side} ] }} ]
output [
  {{ name: "probability", data_type: TYPE_FP32, dims: [ 2 ] }},
  {{ name: "heatmap", data_type: TYPE_FP32, dims: [ 20, 20 ] }},
  {{ name: "scope_distance", data_type: TYPE_FP32, dims: [ 1 ] }}
]
# No dynamic batching, and films of one call run one by one: eight side by side take a fifth more of the processor each
# (docs/benchmarks.md).
instance_group [ {{ kind: KIND_CPU, count: 2 }} ]
{parameters}
"""


Point = tuple[tuple[float, ...], tuple[float, ...]]  # thresholds and lows, of pneumonia and no_finding


def default_point(thresholds: tuple[float, float]) -> Point:
    """Between the two points neither is stated: below the other label's point each is negative."""
    pneumonia, no_finding = thresholds
    return thresholds, (round(1 - no_finding, 4), round(1 - pneumonia, 4))


def point_parameters(points: dict[str, Point]) -> dict[str, str]:
    """As the service reads them from the configuration."""
    return {
        f"{kind}_{name}": ",".join(map(str, numbers))
        for name, point in points.items()
        for kind, numbers in zip(("thresholds", "lows"), point, strict=True)
    }


def widest_interval() -> float:
    """Half-width in log-odds that `intervals.py` has measured, of the population with the wider one."""
    measured = json.loads((MODEL / "intervals.json").read_text())
    return max(float(measured[population]["half_width_logit"]) for population in ("adult", "child"))


def publish(
    module: Findings, thresholds: tuple[float, float], points: dict[str, Point], metrics: dict[str, Any]
) -> None:
    """Everything of the model's folder but its card. thresholds: of pneumonia and no_finding. points: the others."""
    path = MODEL / "1" / "model.onnx"
    path.parent.mkdir(exist_ok=True)
    export(module, path, OUTPUTS)
    parameters = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "side": str(SIDE),
        "labels": "pneumonia,no_finding",
        "preparation": "chest_film",
        "thresholds": ",".join(map(str, thresholds)),
        "lows": ",".join(map(str, default_point(thresholds)[1])),
        **point_parameters(points),
        "interval_logit": str(widest_interval()),
        "scope_limit": "1.0",
        "rows_a_run": "1",
        "bias": str(module.bias),
    }
    lines = [f'parameters {{ key: "{k}" value {{ string_value: "{v}" }} }}' for k, v in parameters.items()]
    (MODEL / "config.pbtxt").write_text(CONFIG.format(side=SIDE, parameters="\n".join(lines)))
    (MODEL / "metrics.json").write_text(json.dumps(metrics | {"parameters": parameters}, indent=1) + "\n")
    _draw(metrics)


def _draw(metrics: dict[str, Any]) -> None:
    figure, axes = plt.subplots(figsize=(4, 4))
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for population in ("adult", "child"):
        means, shares, _ = zip(*metrics[f"reliability_{population}"], strict=True)
        axes.plot(means, shares, marker="o", label=population)
    axes.set(xlabel="predicted", ylabel="observed", title="Pneumonia, out of fold")
    axes.legend()
    figure.tight_layout()
    figure.savefig(MODEL / "reliability.png", dpi=100)
