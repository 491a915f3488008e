"""Write what is served and what is read about it: model.onnx, config.pbtxt, assets, metrics.json, reliability.png."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import blend
import graph
import matplotlib as mpl
import numpy as np
from calibration import LEAST_WIDTH, Bent, Platt, Width
from numpy.typing import NDArray

from services.fusion.deterioration.drift import bins_of
from services.fusion.deterioration.scope import outside

mpl.use("Agg")
from matplotlib import pyplot as plt

CONFIG = """\
name: "{name}"
backend: "onnxruntime"
max_batch_size: 256
input [ {{ name: "features" data_type: TYPE_FP32 dims: [ {features} ] }} ]
output [
  {{ name: "probability" data_type: TYPE_FP32 dims: [ 1 ] }},
  {{ name: "low" data_type: TYPE_FP32 dims: [ 1 ] }},
  {{ name: "high" data_type: TYPE_FP32 dims: [ 1 ] }}
]
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
dynamic_batching {{ max_queue_delay_microseconds: 0 }}
parameters {{ key: "intra_op_thread_count" value {{ string_value: "1" }} }}
parameters {{ key: "sha256" value {{ string_value: "{sha256}" }} }}
"""
RANGE = (0.0005, 0.9995)
WATCHED = (".last", ".age", ".n24")  # what drift is watched in


@dataclass(frozen=True, slots=True)
class Published:
    """A model as it is put out. x: rows that ranges and bins are of. chances: out of fold, of those rows."""

    name: str
    names: Sequence[str]
    model: blend.Model
    curve: Platt | Bent
    width: Width
    points: Sequence[Mapping[str, Any]]
    x: NDArray[np.float32]
    chances: NDArray[np.float64]


def publish(folder: Path, made: Published, metrics: Mapping[str, Any]) -> None:
    """Everything of the model's folder but its card."""
    path = folder / "1" / "model.onnx"
    graph.save(graph.build(made.model, made.curve, made.width, len(made.names), made.name), path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "config.pbtxt").write_text(CONFIG.format(name=made.name, features=len(made.names), sha256=sha256))
    assets = folder / "assets"
    assets.mkdir(exist_ok=True)
    (assets / "features.json").write_text(json.dumps(_features(made, sha256), indent=1) + "\n")
    _save_arrays(assets / "model.npz", blend.arrays(made.model))
    (folder / "metrics.json").write_text(json.dumps({**metrics, "sha256": sha256}, indent=1) + "\n")


def _features(made: Published, sha256: str) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")  # a feature that nobody had measured has no range
        low, high = np.nanquantile(made.x, RANGE, axis=0).astype(np.float32)
    strange = np.array([len(outside(row, low, high)) / max(np.count_nonzero(~np.isnan(row)), 1) for row in made.x[::5]])
    watched = [at for at, name in enumerate(made.names) if name.endswith(WATCHED)]
    return {
        "model": made.name,
        "sha256": sha256,
        "names": list(made.names),
        "low": [_number(one) for one in low],
        "high": [_number(one) for one in high],
        "stranger_share": round(float(np.quantile(strange, 0.999)), 3),
        "operating_points": list(made.points),
        "calibration": {**asdict(made.curve), "interval_factor": made.width.factor, "least_width": LEAST_WIDTH},
        "drift": {made.names[at]: _bins(made.x[:, at]) for at in watched},
        "drift_of_probability": _bins(made.chances.astype(np.float32)),
    }


def _number(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(f"{value:.6g}")


def _bins(values: NDArray[np.float32]) -> dict[str, list[float]]:
    bins = bins_of(values)
    return {"edges": [float(f"{one:.6g}") for one in bins.edges], "shares": [round(one, 4) for one in bins.shares]}


def _save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """As `numpy.savez_compressed`, but the same bytes from the same arrays."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            held = io.BytesIO()
            np.lib.format.write_array(held, np.asanyarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), held.getvalue(), zipfile.ZIP_DEFLATED)


def draw_reliability(path: Path, panels: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]) -> None:
    """One panel a kind of group, one line a group: predicted against observed."""
    figure, axes = plt.subplots(1, len(panels), figsize=(4 * len(panels), 4), squeeze=False)
    for axis, (title, lines) in zip(axes[0], panels.items(), strict=True):
        top = max(point["true"] for line in lines.values() for point in line)
        axis.plot([0, top], [0, top], color="grey", linewidth=1)
        for name, line in lines.items():
            axis.plot([p["said"] for p in line], [p["true"] for p in line], marker="o", markersize=3, label=name)
        axis.set(xlabel="predicted", ylabel="observed", title=title)
        axis.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=90, metadata={"Software": None})
    plt.close(figure)
