"""The ONNX graph: from term occurrences to calibrated probabilities, and to the occurrences each code rests on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from calibration import FLOOR, Calibration
from linear import EDGES, Linear
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

TOP_CODES = 100
TOP_POSITIONS = 3
OPSET = 18
IR_VERSION = 9


class _Builder:
    """Collects nodes and constants under short names."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def number(self, value: float) -> str:
        return self.constant(f"number_{len(self.constants)}", np.array(value, dtype=np.float32))

    def integers(self, *values: int) -> str:
        return self.constant(f"integers_{len(self.constants)}", np.array(values, dtype=np.int64))

    def add(self, operator: str, *inputs: str, output: str = "", outputs: int = 1, **attributes: object) -> str:
        names = [output or f"{operator.lower()}_{len(self.nodes)}"]
        names += [f"{names[0]}_{index}" for index in range(1, outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0]

    def logit(self, value: str) -> str:
        clipped = self.add("Clip", value, self.number(FLOOR), self.number(1.0 - FLOOR))
        odds = self.add("Div", clipped, self.add("Sub", self.number(1.0), clipped))
        return self.add("Log", odds)

    def weighted(self, parts: list[str], calibration: Calibration, output: str) -> str:
        total = self.number(calibration.intercept)
        for part, coefficient in zip(parts, calibration.coefficients, strict=True):
            total = self.add("Add", total, self.add("Mul", part, self.number(float(coefficient))))
        return self.add("Sigmoid", total, output=output)


def build(linear: Linear, codes: Calibration, categories: Calibration, path: Path) -> None:
    """Write the model. Inputs and outputs are described in MODEL_CARD.md."""
    graph = _Builder()
    columns = len(linear.codes)
    gathered = _gathered(graph, linear)
    products = graph.add("MatMul", graph.add("Unsqueeze", "weights", graph.integers(1)), gathered)
    scores = graph.add("Squeeze", products, graph.integers(1))
    scores = graph.add("Add", scores, graph.constant("bias", linear.bias))
    code_score = graph.add("Slice", scores, graph.integers(0), graph.integers(columns), graph.integers(1))
    category_score = graph.add(
        "Slice", scores, graph.integers(columns), graph.integers(columns + len(linear.categories)), graph.integers(1)
    )
    category_of = np.array([linear.categories.index(code[:3]) for code in linear.codes], dtype=np.int64)
    own_category = graph.add("Gather", category_score, graph.constant("category_of", category_of), axis=1)
    shares, targets = _lexicon(graph, linear)
    maxima = _maxima(graph, shares, targets, columns)
    found = graph.add("Cast", graph.add("Greater", maxima, graph.number(0.0)), to=TensorProto.FLOAT)
    code_prior = graph.logit(graph.constant("code_prior", linear.priors[:columns]))
    category_prior = graph.logit(graph.constant("category_prior", linear.priors[columns:]))
    parts = [code_score, graph.logit(code_score), own_category, graph.logit(own_category), found,
             graph.add("Mul", found, graph.logit(maxima)), code_prior]  # fmt: skip
    graph.weighted(parts, codes, "probability")
    graph.weighted([category_score, graph.logit(category_score), category_prior], categories, "category_probability")
    _attribution(graph, gathered, shares, targets)
    _save(graph, linear, path)


def _gathered(graph: _Builder, linear: Linear) -> str:
    """Weights of each occurrence, [B, L, C + K]; terms that only the lexicon knows take the zero row."""
    graph.constant("term_weights", linear.weights.astype(np.float16))
    inside = graph.add("Less", "token_ids", graph.integers(len(linear.weights)))
    rows = graph.add("Where", inside, "token_ids", graph.integers(0))
    return graph.add("Cast", graph.add("Gather", "term_weights", rows, axis=0), to=TensorProto.FLOAT)


def _lexicon(graph: _Builder, linear: Linear) -> tuple[str, str]:
    """Shares and code columns that each occurrence points to, [B, L, EDGES]; column C takes what points nowhere."""
    column = {code: index for index, code in enumerate(linear.codes)}
    shares = np.zeros((len(linear.ids) + 1, EDGES), dtype=np.float32)
    targets = np.full((len(linear.ids) + 1, EDGES), len(linear.codes), dtype=np.int64)
    for term, edges in linear.lexicon.items():
        known = [(code, share) for code, share in edges.items() if code in column]
        for place, (code, share) in enumerate(known):
            shares[linear.ids[term], place], targets[linear.ids[term], place] = share, column[code]
    return (
        graph.add("Gather", graph.constant("lexicon_shares", shares), "token_ids", axis=0),
        graph.add("Gather", graph.constant("lexicon_targets", targets), "token_ids", axis=0),
    )


def _maxima(graph: _Builder, shares: str, targets: str, columns: int) -> str:
    batch = graph.add("Slice", graph.add("Shape", "token_ids"), graph.integers(0), graph.integers(1))
    shape = graph.add("Concat", batch, graph.integers(columns + 1), axis=0)
    zeros = graph.add("ConstantOfShape", shape, value=numpy_helper.from_array(np.zeros(1, dtype=np.float32)))
    flat = graph.integers(0, -1)
    filled = graph.add("ScatterElements", zeros, graph.add("Reshape", targets, flat),
                       graph.add("Reshape", shares, flat), axis=1, reduction="max")  # fmt: skip
    return graph.add("Slice", filled, graph.integers(0), graph.integers(columns), graph.integers(1))


def _attribution(graph: _Builder, gathered: str, shares: str, targets: str) -> None:
    """For the likeliest codes, the occurrences with the largest linear part plus lexicon share."""
    graph.add("TopK", "probability", graph.integers(TOP_CODES), output="top_probability", outputs=2, axis=1)
    top = graph.add("Identity", "top_probability_1", output="top_codes")
    top_row = graph.add("Unsqueeze", top, graph.integers(1))
    shape = graph.add("Concat", graph.add("Shape", "token_ids"), graph.integers(TOP_CODES), axis=0)
    chosen = graph.add("GatherElements", gathered, graph.add("Expand", top_row, shape), axis=2)
    part = graph.add("Mul", chosen, graph.add("Unsqueeze", "weights", graph.integers(2)))
    same = graph.add("Equal", graph.add("Unsqueeze", targets, graph.integers(3)),
                     graph.add("Unsqueeze", top_row, graph.integers(2)))  # fmt: skip
    share = graph.add(
        "Mul", graph.add("Cast", same, to=TensorProto.FLOAT), graph.add("Unsqueeze", shares, graph.integers(3))
    )
    total = graph.add("Add", part, graph.add("ReduceMax", share, graph.integers(2), keepdims=0))
    graph.add("TopK", total, graph.integers(TOP_POSITIONS), output="largest", outputs=2, axis=1)
    graph.add("Transpose", "largest", output="contributions", perm=[0, 2, 1])
    graph.add("Transpose", "largest_1", output="positions", perm=[0, 2, 1])


def _save(graph: _Builder, linear: Linear, path: Path) -> None:
    value = helper.make_tensor_value_info
    inputs = [value("token_ids", TensorProto.INT64, ["batch", "length"]),
              value("weights", TensorProto.FLOAT, ["batch", "length"])]  # fmt: skip
    outputs = [
        value("probability", TensorProto.FLOAT, ["batch", len(linear.codes)]),
        value("category_probability", TensorProto.FLOAT, ["batch", len(linear.categories)]),
        value("top_codes", TensorProto.INT64, ["batch", TOP_CODES]),
        value("positions", TensorProto.INT64, ["batch", TOP_CODES, TOP_POSITIONS]),
        value("contributions", TensorProto.FLOAT, ["batch", TOP_CODES, TOP_POSITIONS]),
    ]
    made = helper.make_graph(graph.nodes, "icd_coder", inputs, outputs, graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
