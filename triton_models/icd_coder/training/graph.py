"""The ONNX graph: from term occurrences to calibrated probabilities, and to the occurrences each code rests on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from calibration import FLOOR, Calibration
from linear import EDGES, Linear
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from rows import UNSEEN, not_found
from trees import Trees

from services.nlp_coder.ranking import EVIDENCE, Hits

TOP_CODES = 100
TOP_POSITIONS = 3
EVIDENCE_WIDTH = len(EVIDENCE)
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

    def scalar(self, value: int) -> str:
        return self.constant(f"scalar_{len(self.constants)}", np.array(value, dtype=np.int64))

    def add(self, operator: str, *inputs: str, output: str = "", outputs: int = 1, **attributes: object) -> str:
        names = [output or f"{operator.lower()}_{len(self.nodes)}"]
        names += [f"{names[0]}_{index}" for index in range(1, outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0]

    def filled(self, shape: str, value: float) -> str:
        return self.add("ConstantOfShape", shape, value=numpy_helper.from_array(np.array([value], dtype=np.float32)))

    def by_batch(self, *dimensions: int) -> str:
        """Shape [B, *dimensions]."""
        batch = self.add("Slice", self.add("Shape", "token_ids"), self.integers(0), self.integers(1))
        return self.add("Concat", batch, self.integers(*dimensions), axis=0)

    def logit(self, value: str) -> str:
        clipped = self.add("Clip", value, self.number(FLOOR), self.number(1.0 - FLOOR))
        odds = self.add("Div", clipped, self.add("Sub", self.number(1.0), clipped))
        return self.add("Log", odds)

    def weighted(self, parts: list[str], calibration: Calibration, output: str) -> str:
        total = self.number(calibration.intercept)
        for part, coefficient in zip(parts, calibration.coefficients, strict=True):
            total = self.add("Add", total, self.add("Mul", part, self.number(float(coefficient))))
        return self.add("Sigmoid", total, output=output)


def build(linear: Linear, codes: Calibration, trees: Trees, hits: Hits, path: Path) -> None:
    """Write the model. Inputs and outputs are described in MODEL_CARD.md."""
    graph = _Builder()
    graph.constant("not_found", not_found(linear.codes, hits))
    columns, categories = len(linear.codes), len(linear.categories)
    gathered = _gathered(graph, linear)
    products = graph.add("MatMul", graph.add("Unsqueeze", "weights", graph.integers(1)), gathered)
    scores = graph.add("Squeeze", products, graph.integers(1))
    scores = graph.add("Add", scores, graph.constant("bias", linear.bias))
    code_score = graph.add("Slice", scores, graph.integers(0), graph.integers(columns), graph.integers(1))
    category_score = graph.add(
        "Slice", scores, graph.integers(columns), graph.integers(columns + categories), graph.integers(1)
    )
    shares, targets = _lexicon(graph, linear)
    maxima = _maxima(graph, shares, targets, columns)
    category_of = np.array([linear.categories.index(code[:3]) for code in linear.codes], dtype=np.int64)
    own_category = graph.add("Gather", category_score, graph.constant("category_of", category_of), axis=1)
    found = graph.add("Cast", graph.add("Greater", maxima, graph.number(0.0)), to=TensorProto.FLOAT)
    prior = graph.logit(graph.constant("code_prior", linear.priors[:columns]))
    parts = [code_score, graph.logit(code_score), own_category, graph.logit(own_category), found,
             graph.add("Mul", found, graph.logit(maxima)), prior]  # fmt: skip
    support = graph.weighted(parts, codes, "text_support")
    all_codes, all_categories = _considered(graph, support, columns, categories)
    sources = {"score": (code_score, UNSEEN), "lexicon": (maxima, 0.0), "category": (category_score, UNSEEN)}
    rows = _rows(graph, linear, sources, (all_codes, all_categories))
    _probability(graph, trees, rows)
    graph.add("GatherElements", _widened(graph, support, 0.0), all_codes, output="support", axis=1)
    _attribution(graph, gathered, (shares, targets), all_codes, columns)
    _save(graph, path)


def _widened(graph: _Builder, values: str, of_unseen: float) -> str:
    """[B, N + 1]: a last column for what training has not seen."""
    return graph.add("Concat", values, graph.filled(graph.by_batch(1), of_unseen), axis=1)


def _columns(graph: _Builder, name: str, unseen: int) -> str:
    """Columns of the candidates, with that of the unseen where there is none (-1)."""
    is_seen = graph.add("GreaterOrEqual", name, graph.integers(0))
    return graph.add("Where", is_seen, name, graph.integers(unseen))


def _considered(graph: _Builder, support: str, columns: int, categories: int) -> tuple[str, str]:
    """Columns of the candidates and then of the other codes that the text supports most: codes, and categories."""
    candidates = _columns(graph, "candidate_codes", columns)
    taken = graph.filled(graph.add("Shape", candidates), -1.0)
    free = graph.add("ScatterElements", _widened(graph, support, -1.0), candidates, taken, axis=1)
    graph.add("TopK", free, graph.integers(TOP_CODES), output="top_support", outputs=2, axis=1)
    top = graph.add("Identity", "top_support_1", output="top_codes")
    top_category = graph.add("Gather", "category_of", top, axis=0)
    codes = graph.add("Concat", candidates, top, axis=1)
    of_candidates = _columns(graph, "candidate_categories", categories)
    return codes, graph.add("Concat", of_candidates, top_category, axis=1)


def _rows(graph: _Builder, linear: Linear, sources: dict[str, tuple[str, float]], columns: tuple[str, str]) -> str:
    """Feature rows of all considered codes, [B, M + T, features], in the order of `rows.FEATURES`."""
    codes, categories = columns
    parts = [graph.add("GatherElements", _widened(graph, *sources[name]), at, axis=1)
             for name, at in (("score", codes), ("category", categories), ("lexicon", codes))]  # fmt: skip
    for name, at, counts in (("code_counts", codes, linear.code_counts),
                             ("category_counts", categories, linear.category_counts)):  # fmt: skip
        parts.append(graph.add("Gather", graph.constant(name, np.array([*counts, 0], dtype=np.float32)), at))
    parts.append(_named_beside(graph, linear, categories))
    columns_of_text = [graph.add("Unsqueeze", part, graph.integers(2)) for part in parts]
    of_proposed = graph.add("Gather", "not_found", "top_codes", axis=0)
    return graph.add("Concat", *columns_of_text, graph.add("Concat", "evidence", of_proposed, axis=1), axis=2)


def _named_beside(graph: _Builder, linear: Linear, categories: str) -> str:
    """How many other codes of each code's category are mentioned, [B, M + T]; 0 for unseen categories."""
    width = len(linear.categories)
    mentions = graph.add("Slice", "evidence", graph.integers(0), graph.integers(1), graph.integers(2))
    is_named = graph.add("Cast", graph.add("Greater", mentions, graph.number(0.0)), to=TensorProto.FLOAT)
    named = graph.add("Squeeze", is_named, graph.integers(2))
    zeros = graph.filled(graph.by_batch(width + 1), 0.0)
    own = _columns(graph, "candidate_categories", width)
    counts = graph.add("ScatterElements", zeros, own, named, axis=1, reduction="add")
    is_seen = graph.constant("category_is_seen", np.array([1.0] * width + [0.0], dtype=np.float32))
    in_category = graph.add("GatherElements", graph.add("Mul", counts, is_seen), categories, axis=1)
    itself = graph.add("Concat", named, graph.filled(graph.by_batch(TOP_CODES), 0.0), axis=1)
    beside = graph.add("Sub", in_category, itself)
    return graph.add("Max", beside, graph.number(0.0))


def _probability(graph: _Builder, trees: Trees, rows: str) -> None:
    width = graph.constant("row_width", np.array([-1, trees.features], dtype=np.int64))
    flat = graph.add("Reshape", rows, width)
    raw = f"trees_{len(graph.nodes)}"
    graph.nodes.append(helper.make_node("TreeEnsembleRegressor", [flat], [raw], domain="ai.onnx.ml",
                                        **trees.attributes()))  # fmt: skip
    shape = graph.add("Slice", graph.add("Shape", rows), graph.integers(0), graph.integers(2))
    graph.add("Sigmoid", graph.add("Reshape", raw, shape), output="probability")


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
    flat = graph.integers(0, -1)
    filled = graph.add("ScatterElements", graph.filled(graph.by_batch(columns + 1), 0.0),
                       graph.add("Reshape", targets, flat), graph.add("Reshape", shares, flat),
                       axis=1, reduction="max")  # fmt: skip
    return graph.add("Slice", filled, graph.integers(0), graph.integers(columns), graph.integers(1))


def _attribution(graph: _Builder, gathered: str, lexicon: tuple[str, str], codes: str, columns: int) -> None:
    """For each considered code, the occurrences with the largest linear part plus lexicon share."""
    is_seen = graph.add("Less", codes, graph.integers(columns))
    row = graph.add("Unsqueeze", graph.add("Where", is_seen, codes, graph.integers(0)), graph.integers(1))
    considered = graph.add("Slice", graph.add("Shape", codes), graph.integers(1), graph.integers(2))
    shape = graph.add("Concat", graph.add("Shape", "token_ids"), considered, axis=0)
    chosen = graph.add("GatherElements", gathered, graph.add("Expand", row, shape), axis=2)
    part = graph.add("Mul", chosen, graph.add("Unsqueeze", "weights", graph.integers(2)))
    total = _with_shares(graph, part, lexicon, (codes, considered), columns)
    seen = graph.add("Unsqueeze", graph.add("Cast", is_seen, to=TensorProto.FLOAT), graph.integers(1))
    total = graph.add("Mul", total, seen)
    graph.add("TopK", total, graph.integers(TOP_POSITIONS), output="largest", outputs=2, axis=1)
    graph.add("Transpose", "largest", output="contributions", perm=[0, 2, 1])
    graph.add("Transpose", "largest_1", output="positions", perm=[0, 2, 1])


def _with_shares(
    graph: _Builder, part: str, lexicon: tuple[str, str], considered: tuple[str, str], columns: int
) -> str:
    """Linear parts [B, L, M + T] plus the lexicon's shares, each added at the place of its code.

    considered: code columns [B, M + T], and M + T. A share whose code is not among them goes to a place after the last,
    which is cut off again: few terms are in the lexicon, so this costs a fifth of comparing each with every code.
    """
    (shares, targets), (codes, width) = lexicon, considered
    count = graph.add("Squeeze", width)
    numbers = graph.add("Range", graph.scalar(0), count, graph.scalar(1))
    places = graph.add("Expand", numbers, graph.add("Shape", codes))
    nowhere = graph.add("Expand", count, graph.by_batch(columns + 1))
    place_of = graph.add("ScatterElements", nowhere, codes, places, axis=1)
    flat = graph.add("Reshape", targets, graph.integers(0, -1))
    at = graph.add("Reshape", graph.add("GatherElements", place_of, flat, axis=1), graph.add("Shape", targets))
    wider = graph.add("Pad", part, graph.integers(0, 0, 0, 0, 0, 1))
    added = graph.add("ScatterElements", wider, at, shares, axis=2, reduction="add")
    return graph.add("Slice", added, graph.integers(0), width, graph.integers(2))


def _save(graph: _Builder, path: Path) -> None:
    value = helper.make_tensor_value_info
    inputs = [
        value("token_ids", TensorProto.INT64, ["batch", "length"]),
        value("weights", TensorProto.FLOAT, ["batch", "length"]),
        value("candidate_codes", TensorProto.INT64, ["batch", "candidates"]),
        value("candidate_categories", TensorProto.INT64, ["batch", "candidates"]),
        value("evidence", TensorProto.FLOAT, ["batch", "candidates", EVIDENCE_WIDTH]),
    ]
    outputs = [
        value("probability", TensorProto.FLOAT, ["batch", "considered"]),
        value("support", TensorProto.FLOAT, ["batch", "considered"]),
        value("top_codes", TensorProto.INT64, ["batch", TOP_CODES]),
        value("positions", TensorProto.INT64, ["batch", "considered", TOP_POSITIONS]),
        value("contributions", TensorProto.FLOAT, ["batch", "considered", TOP_POSITIONS]),
    ]
    made = helper.make_graph(graph.nodes, "icd_coder", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
