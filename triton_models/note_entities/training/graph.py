"""The network as ONNX: rows and products in eight bits, with fixed scales.

Written node by node, so that each product is one node with its bias and its rectifier, and what is put side by side
for a convolution has one byte a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import torch
from network import Network
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from services.nlp_coder.entity_features import COLUMNS, PLACES

OPSET, CONTRIB = 18, "com.microsoft"
_EPSILON = 1e-5
# Scores further below the greatest one than this are all as bad.
SPAN_OF_SCORES = 40.0
_FAR = np.iinfo(np.int64).max


@dataclass(slots=True)
class _Graph:
    """Nodes and constants of a graph that is being written; each method gives the name of its result."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def constant(self, value: NDArray[np.generic] | np.generic) -> str:
        """The same for equal values."""
        array = np.asarray(value)
        name = f"constant_{array.dtype}_{array.shape}_{hash(array.tobytes()) & 0xFFFFFFFFFFFF:x}"
        name = "".join(character if character.isalnum() else "_" for character in name)
        self.constants.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def add(self, kind: str, *inputs: str, output: str = "", domain: str = "", **attributes: object) -> str:
        name = output or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, domain=domain, **attributes))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class _Scale:
    """Eight bits: value = (number - zero) * step."""

    step: float
    zero: int

    @classmethod
    def of(cls, low: float, high: float) -> _Scale:
        low, high = min(low, 0.0), max(high, 0.0)
        step = max(high - low, 1e-6) / 255
        return cls(step, int(np.clip(round(-low / step), 0, 255)))

    def names(self, graph: _Graph) -> tuple[str, str]:
        return graph.constant(np.float32(self.step)), graph.constant(np.uint8(self.zero))


def build(network: Network, calibration: Iterable[Mapping[str, NDArray[np.generic]]], path: Path) -> None:
    """Write the graph.

    Scales of activations come from `calibration` and not from what is asked: the answer to a note must not depend on
    the notes beside it.
    """
    ranges = _ranges(network.eval(), calibration)
    graph = _Graph()
    unit = _embedded(graph, network)
    _bodies(graph, network, ranges, unit)
    shapes = {
        "ids": (TensorProto.INT32, ["notes", "words", COLUMNS]),
        "same": (TensorProto.INT32, ["notes", "words", PLACES]),
        "mask": (TensorProto.FLOAT, ["notes", "words"]),
        "scores": (TensorProto.UINT8, ["notes", "words", network.heads.out_features]),
        "kinds": (TensorProto.FLOAT, ["notes", network.kinds.out_features]),
    }
    values = {name: helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in shapes.items()}
    made = helper.make_graph(
        graph.nodes,
        "note_entities",
        [values[name] for name in ("ids", "same", "mask")],
        [values[name] for name in ("scores", "kinds")],
        list(graph.constants.values()),
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=9, producer_name="vigil")
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def _embedded(graph: _Graph, network: Network) -> float:
    """The rows of each word added up, as "h" in units of the table's step, which is returned."""
    rows = network.table_served().numpy()
    unit = float(np.abs(rows).max()) / 127
    first = network.offsets[3]
    words = graph.constant(np.round(rows[:first] / unit).astype(np.int8))
    forms = graph.constant(np.round(rows[first:] / unit))
    columns = [graph.add("Gather", "ids", graph.constant(np.int64(column)), axis=2) for column in range(COLUMNS)]
    parts = [graph.add("Cast", graph.add("Gather", words, column), to=TensorProto.FLOAT) for column in columns[:2]]
    # Fewer and met by every word; in the size that they are added up in.
    first_form = graph.constant(np.int32(first))
    for column in columns[2:]:
        place = graph.add("Max", graph.add("Sub", column, first_form), graph.constant(np.int32(0)))
        parts.append(graph.add("Gather", forms, place))
    graph.add("Sum", *parts, output="h")
    return unit


def _bodies(graph: _Graph, network: Network, ranges: Mapping[str, tuple[float, float]], unit: float) -> None:
    """Layers, heads and kinds."""
    width = network.project.out_features
    keep = graph.add("Unsqueeze", "mask", graph.ints(2))
    shape = graph.add("Shape", "mask")
    like_h = graph.add("Concat", shape, graph.ints(width), axis=0)
    h = "h"
    for number, (layer, dilation) in enumerate(zip(network.layers, network.dilations, strict=True)):
        is_last = number == len(network.layers) - 1
        given = _Scale.of(*ranges[f"z{number}"])
        z = graph.add("Mul", _normed(graph, h, network.norms[number], unit), keep)
        step, zero = given.names(graph)
        q = graph.add("QuantizeLinear", z, step, zero)
        pads = graph.ints(0, dilation, 0, 0, dilation, 0)
        padded = graph.add("Pad", q, pads, zero)
        before = graph.add("Slice", padded, graph.ints(0), graph.ints(-2 * dilation), graph.ints(1))
        after = graph.add("Slice", padded, graph.ints(2 * dilation), graph.ints(_FAR), graph.ints(1))
        around, weight = [before, q, after], layer.weight.detach().clone()
        if is_last:
            # What is remembered is put on the scale of what it stands beside.
            low, high = ranges["said"]
            stretch = min(given.step * (255 - given.zero) / max(high, 1e-6), given.step * given.zero / max(-low, 1e-6))
            said = _product(
                graph, q, given, (network.remember.weight * stretch, network.remember.bias * stretch), given
            )
            memory = network.remember.out_features
            weight[:, 3 * width :] /= stretch
            said = graph.add("Reshape", said, graph.add("Concat", shape, graph.ints(memory), axis=0))
            places = graph.add("Unsqueeze", graph.add("Cast", "same", to=TensorProto.INT64), graph.ints(3))
            found = graph.add("GatherND", said, places, batch_dims=1)
            around.append(graph.add("Reshape", found, graph.add("Concat", shape, graph.ints(PLACES * memory), axis=0)))
        beside = graph.add("Concat", *around, axis=2)
        made = _Scale.of(0.0, ranges[f"y{number}"][1])
        y = _product(graph, beside, given, (weight, layer.bias), made)
        y = graph.add("Reshape", y, like_h)
        loose = graph.add("DequantizeLinear", y, graph.constant(np.float32(made.step / unit)), made.names(graph)[1])
        h = graph.add("Add", h, loose)
    last = _normed(graph, h, network.last, unit)
    given = _Scale.of(*ranges["last"])
    high = ranges["scores"][1]
    made = _Scale(min(high - ranges["scores"][0], SPAN_OF_SCORES) / 255, 0)
    # Only differences count, so the least score that is told apart is zero.
    bias = network.heads.bias + (made.step * 255 - high)
    q = graph.add("QuantizeLinear", last, *given.names(graph))
    scores = _product(graph, q, given, (network.heads.weight, bias), made)
    graph.add(
        "Reshape", scores, graph.add("Concat", shape, graph.ints(network.heads.out_features), axis=0), output="scores"
    )
    share = graph.add("Div", "mask", graph.add("ReduceSum", "mask", graph.ints(1), keepdims=1))
    pooled = graph.add("MatMul", graph.add("Unsqueeze", share, graph.ints(1)), last)
    kinds = graph.add(
        "MatMul", graph.add("Squeeze", pooled, graph.ints(1)), graph.constant(_array(network.kinds.weight).T.copy())
    )
    graph.add("Softmax", graph.add("Add", kinds, graph.constant(_array(network.kinds.bias))), output="kinds", axis=-1)


def _normed(graph: _Graph, h: str, norm: torch.nn.LayerNorm, unit: float) -> str:
    weight, bias = graph.constant(_array(norm.weight)), graph.constant(_array(norm.bias))
    return graph.add("LayerNormalization", h, weight, bias, axis=-1, epsilon=_EPSILON / unit**2)


def _product(graph: _Graph, given: str, scale: _Scale, layer: tuple[Tensor, Tensor], made: _Scale) -> str:
    """[words, out] in eight bits: what is given times the weights, and the bias."""
    array, bias = map(_array, layer)
    steps = np.maximum(np.abs(array).max(axis=1), 1e-9) / 127
    rows = np.round(array / steps[:, None]).astype(np.int8)
    whole = np.round(bias / (steps * scale.step)).astype(np.int32)
    flat = graph.add("Reshape", given, graph.ints(-1, array.shape[1]))
    return graph.add(
        "QGemm",
        flat,
        *scale.names(graph),
        graph.constant(rows.T.copy()),
        graph.constant(steps.astype(np.float32)),
        graph.constant(np.zeros(len(steps), dtype=np.int8)),
        graph.constant(whole),
        *made.names(graph),
        domain=CONTRIB,
    )


def _array(value: Tensor) -> NDArray[np.float32]:
    return value.detach().numpy().astype(np.float32)


def _ranges(
    network: Network, calibration: Iterable[Mapping[str, NDArray[np.generic]]]
) -> dict[str, tuple[float, float]]:
    """Least and greatest value of everything that is put in eight bits."""
    found: dict[str, tuple[float, float]] = {}

    def note(name: str, values: Tensor) -> None:
        low, high = found.get(name, (0.0, 0.0))
        found[name] = min(low, float(values.min())), max(high, float(values.max()))

    watched = {network.remember: "said", network.last: "last", network.heads: "scores"}
    watched |= {norm: f"z{number}" for number, norm in enumerate(network.norms)}
    watched |= {layer: f"y{number}" for number, layer in enumerate(network.layers)}
    hooks = [
        module.register_forward_hook(lambda _module, _given, values, name=name: note(name, values))
        for module, name in watched.items()
    ]
    with torch.inference_mode():
        for inputs in calibration:
            given = {name: torch.tensor(value) for name, value in inputs.items()}
            network(given["ids"].long(), given["same"].long(), given["mask"])
    for hook in hooks:
        hook.remove()
    return found
