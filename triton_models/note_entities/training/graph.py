"""The network as ONNX: half-precision rows, eight-bit products with fixed scales."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from network import Served
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from services.nlp_coder.entity_features import COLUMNS

OPSET = 18


def _scatter_reduce(g, base, axis, where, values, reduce, include_self):  # noqa: ANN001, ANN202, ARG001, PLR0917 - torch calls it
    """The exporter's own asks at run time whether the tensor has a dimension."""
    return g.op("ScatterElements", base, where, values, axis_i=1, reduction_s="max")


torch.onnx.register_custom_op_symbolic("aten::scatter_reduce", _scatter_reduce, OPSET)


def build(served: Served, calibration: Iterable[Mapping[str, NDArray[np.generic]]], path: Path) -> None:
    """Write the graph.

    Scales of activations come from `calibration` and not from what is asked: the answer to a note must not depend on
    the notes beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        plain, eight = Path(folder) / "plain.onnx", Path(folder) / "eight.onnx"
        _export(served, plain)
        quantize_dynamic(plain, eight, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul"])
        model = onnx.load(eight)
        _fix_scales(model, _ranges(onnx.load(plain), model, list(calibration)))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _export(served: Served, path: Path) -> None:
    length = 64
    ids = torch.zeros((2, length, COLUMNS), dtype=torch.int32)
    same = torch.arange(length, dtype=torch.int32).repeat(2, 1)
    axes = {name: {0: "notes", 1: "words"} for name in ("ids", "same", "mask", "states", "scores")} | {
        "kinds": {0: "notes"}
    }
    torch.onnx.export(
        served,
        (ids, same, torch.ones((2, length))),
        str(path),
        input_names=["ids", "same", "mask"],
        output_names=["states", "scores", "kinds"],
        dynamic_axes=axes,
        opset_version=OPSET,
        dynamo=False,
    )


def _ranges(
    plain: onnx.ModelProto, eight: onnx.ModelProto, calibration: list[Mapping[str, NDArray[np.generic]]]
) -> dict[str, tuple[float, float]]:
    """Least and greatest value of every tensor that is quantised."""
    names = [node.input[0] for node in eight.graph.node if node.op_type == "DynamicQuantizeLinear"]
    known = {value.name for value in plain.graph.output}
    for name in names:
        if name not in known:
            plain.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(plain.SerializeToString())
    found = dict.fromkeys(names, (0.0, 0.0))
    for inputs in calibration:
        for name, values in zip(names, session.run(names, dict(inputs)), strict=True):
            low, high = found[name]
            found[name] = min(low, float(values.min())), max(high, float(values.max()))
    return found


def _fix_scales(model: onnx.ModelProto, ranges: Mapping[str, tuple[float, float]]) -> None:
    for node in list(model.graph.node):
        if node.op_type == "DynamicQuantizeLinear":
            low, high = ranges[node.input[0]]
            scale = max(high - low, 1e-6) / 255
            zero = np.uint8(np.clip(round(-low / scale), 0, 255))
            quantised, scale_name, zero_name = node.output
            model.graph.initializer.append(numpy_helper.from_array(np.float32(scale), scale_name))
            model.graph.initializer.append(numpy_helper.from_array(zero, zero_name))
            fixed = helper.make_node("QuantizeLinear", [node.input[0], scale_name, zero_name], [quantised])
            index = list(model.graph.node).index(node)
            model.graph.node.remove(node)
            model.graph.node.insert(index, fixed)
