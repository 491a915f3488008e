"""One ONNX graph: features in; calibrated probability with its interval out. Trees and networks read the same row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import trees
from blend import Model
from calibration import LEAST_WIDTH, Bent, Platt, Width
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, ML_OPSET = 17, 3
IR_VERSION = 9
OUTPUTS = ("probability", "low", "high")


@dataclass(slots=True)
class Graph:
    """Nodes and constants of a graph in the making; a result is named by what it is."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output


def build(model: Model, curve: Platt | Bent, interval: Width, features: int, name: str) -> onnx.ModelProto:
    """Input `features` [batch, features] float32, NaN not measured; outputs `probability`, `low`, `high` [batch, 1]."""
    graph = Graph()
    part = model.recipe.trees_part
    terms = {_trees(graph, model.ensemble(), "by_trees"): part}
    if model.members:
        terms[_networks(graph, model)] = 1 - part
    blended = _sum(graph, terms, "blended")
    if isinstance(curve, Bent):
        _bent(graph, curve, interval, blended)
    else:
        _straight(graph, curve, interval, blended)
    row = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", features])
    outputs = [
        helper.make_tensor_value_info(one, TensorProto.FLOAT, ["batch", 1]) for one in ("probability", "low", "high")
    ]
    made = helper.make_model(
        helper.make_graph(graph.nodes, name, [row], outputs, list(graph.constants.values())),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
        ir_version=IR_VERSION,
        producer_name="vigil",
    )
    onnx.checker.check_model(made)
    return made


def save(made: onnx.ModelProto, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(made.SerializeToString(deterministic=True))


def _straight(graph: Graph, curve: Platt, interval: Width, blended: str) -> None:
    early = _early(graph)
    slope = _sum(graph, {early: curve.early_slope}, "slope", curve.slope)
    shift = _sum(graph, {early: curve.early}, "shift_of_hour", curve.offset)
    said = graph.node("Add", [graph.node("Mul", [slope, blended], "scaled_blended"), shift], "said")
    width = graph.node("Mul", [slope, _raw_width(graph, interval)], "width")
    graph.node("Sigmoid", [said], "probability")
    graph.node("Sigmoid", [graph.node("Sub", [said, width], "lower")], "low")
    graph.node("Sigmoid", [graph.node("Add", [said, width], "upper")], "high")


def _bent(graph: Graph, curve: Bent, interval: Width, blended: str) -> None:
    """The ends of the interval go through the same curve, so it is not even."""
    width = _raw_width(graph, interval)
    ends = {
        "probability": blended,
        "low": graph.node("Sub", [blended, width], "lower"),
        "high": graph.node("Add", [blended, width], "upper"),
    }
    for name, end in ends.items():
        over = graph.node("Softplus", [_sum(graph, {end: 1.0}, f"{name}_from_bend", -curve.at)], f"{name}_over")
        terms = {end: curve.below, over: curve.above - curve.below}
        said = _sum(graph, terms, f"{name}_said", curve.offset)
        graph.node("Sigmoid", [said], name)


def _raw_width(graph: Graph, interval: Width) -> str:
    """Half of the interval, in log-odds before calibration, [batch, 1] or one for all."""
    if interval.difficulty is None:
        return graph.constant("raw_width", np.float32(interval.factor))
    difficulty = _trees(graph, trees.of_lightgbm(interval.difficulty), "difficulty")
    least = graph.constant("least_width", np.float32(LEAST_WIDTH))
    root = graph.node("Sqrt", [graph.node("Max", [difficulty, least], "known_difficulty")], "root")
    return _sum(graph, {root: interval.factor}, "raw_width")


def _trees(graph: Graph, ensemble: trees.Ensemble, name: str) -> str:
    attributes = trees.attributes(ensemble)
    return graph.node("TreeEnsembleRegressor", ["features"], name, domain="ai.onnx.ml", **attributes)


def _networks(graph: Graph, model: Model) -> str:
    """Mean of the members' log-odds, [batch, 1]."""
    hidden = graph.node("Unsqueeze", [_inputs(graph, model), graph.constant("at_0", np.array([0]))], "network_inputs")
    last = len(model.members[0]) - 1
    for at in range(last + 1):
        weight = graph.constant(f"weight_{at}", np.stack([one[at][0] for one in model.members]))
        bias = graph.constant(f"bias_{at}", np.stack([one[at][1] for one in model.members])[:, None, :])
        summed = graph.node("Add", [graph.node("MatMul", [hidden, weight], f"product_{at}"), bias], f"summed_{at}")
        gate = graph.node("Sigmoid", [summed], f"gate_{at}") if at < last else ""
        hidden = graph.node("Mul", [summed, gate], f"hidden_{at}") if gate else summed
    return graph.node("ReduceMean", [hidden], "by_networks", axes=[0], keepdims=0)


def _inputs(graph: Graph, model: Model) -> str:
    read, zero = model.inputs, graph.constant("zero", np.float32(0))
    taken = graph.node("Gather", ["features", graph.constant("column", read.column)], "taken", axis=1)
    missing = graph.node("IsNaN", [taken], "missing")
    known = graph.node("Where", [missing, zero, taken], "known")
    shifted = graph.node(
        "Add", [graph.node("Max", [known, zero], "positive"), graph.constant("shift", np.float32(0.1))], "shifted"
    )
    values = graph.node(
        "Where", [graph.constant("logged", read.logged), graph.node("Log", [shifted], "log"), known], "values"
    )
    centred = graph.node("Sub", [values, graph.constant("centre", read.centre)], "centred")
    scaled = graph.node("Div", [centred, graph.constant("scale", read.scale)], "scaled")
    limits = [graph.constant("lowest", np.float32(-3)), graph.constant("highest", np.float32(3))]
    clipped = graph.node("Clip", [scaled, *limits], "clipped")
    filled = graph.node("Where", [missing, zero, clipped], "filled")
    flagged = graph.node("Gather", ["features", graph.constant("flag_column", read.flags)], "flagged", axis=1)
    flags = graph.node("Cast", [graph.node("IsNaN", [flagged], "flagged_missing")], "flags", to=TensorProto.FLOAT)
    return graph.node("Concat", [filled, flags], "read", axis=1)


def _early(graph: Graph) -> str:
    """exp(-hours / 12) of the first feature, the stay's clock."""
    hours = graph.node("Gather", ["features", graph.constant("clock_column", np.array([0]))], "hours", axis=1)
    return graph.node("Exp", [graph.node("Div", [hours, graph.constant("minus_12", np.float32(-12))], "aged")], "early")


def _sum(graph: Graph, terms: Mapping[str, float], name: str, offset: float = 0.0) -> str:
    total = graph.constant(f"{name}_offset", np.float32(offset))
    for at, (term, factor) in enumerate(terms.items()):
        product = graph.node("Mul", [term, graph.constant(f"{name}_{at}", np.float32(factor))], f"{name}_part_{at}")
        last = at == len(terms) - 1
        total = graph.node("Add", [total, product], name if last else f"{name}_sum_{at}")
    return total
