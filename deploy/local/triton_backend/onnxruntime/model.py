# ruff: noqa: INP001 - Triton loads this file by its path
"""Triton backend "onnxruntime" for machines without the native one: a Python-based backend, same repository.

Triton loads this file for every model whose config says `backend: "onnxruntime"`, in a process of its own,
with this folder's interpreter. It serves `<model>/<version>/model.onnx` on the CPU.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb
from numpy.typing import NDArray

Tensor = NDArray[Any]

# A model's own parameter: rows of a batch that go through the graph together. A call costs once for all its rows
# whatever they are, but rows of large pictures side by side do not fit a processor's cache.
ROWS_A_RUN = "rows_a_run"
MANY = "1000000"

ONNX_TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
    "tensor(string)": "TYPE_STRING",
}


def _session(folder: Path, parameters: dict[str, Any]) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    default = os.environ.get("VIGIL_TRITON_ONNX_THREADS", "1")
    options.intra_op_num_threads = int(parameters.get("intra_op_thread_count", {}).get("string_value", default))
    options.inter_op_num_threads = 1
    # Idle threads must not spin: every model of the machine shares its cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])


def _tensor_config(argument: Any, batched: bool) -> dict[str, Any]:
    """Triton's description of one input or output of the graph; a named or free dimension is -1."""
    dims = [size if isinstance(size, int) else -1 for size in argument.shape]
    return {
        "name": argument.name,
        "data_type": ONNX_TYPES[argument.type],
        "dims": (dims[1:] if batched else dims) or [1],
    }


class TritonPythonModel:
    """One instance of one model."""

    @staticmethod
    def auto_complete_config(config: Any) -> Any:
        """Fill in inputs, outputs and a batch size from the ONNX graph where the config leaves them out."""
        given = config.as_dict()
        if given["input"] and given["output"]:
            return config
        session = _session(Path(pb.get_model_dir()), given.get("parameters", {}))
        tensors = [*session.get_inputs(), *session.get_outputs()]
        free = all(tensor.shape and not isinstance(tensor.shape[0], int) for tensor in tensors)
        if free and given["max_batch_size"] == 0:
            config.set_max_batch_size(64)
            config.set_dynamic_batching()
        batched = free or given["max_batch_size"] > 0
        if not given["input"]:
            for tensor in session.get_inputs():
                config.add_input(_tensor_config(tensor, batched))
        if not given["output"]:
            for tensor in session.get_outputs():
                config.add_output(_tensor_config(tensor, batched))
        return config

    def initialize(self, args: dict[str, str]) -> None:
        """Load the graph. Raises pb.TritonModelException with the reason when it cannot."""
        config = json.loads(args["model_config"])
        self._batched = config["max_batch_size"] > 0
        self._rows_a_run = int(config["parameters"].get(ROWS_A_RUN, {}).get("string_value", MANY))
        try:
            self._session = _session(Path(args["model_repository"]) / args["model_version"], config["parameters"])
        except Exception as error:  # the runtime's exceptions share no base class
            raise pb.TritonModelException(f"{args['model_name']}: {error}") from error
        self._inputs = [argument.name for argument in self._session.get_inputs()]
        self._outputs = [argument.name for argument in self._session.get_outputs()]

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer each request; those whose shapes agree run as one batch."""
        responses: list[Any] = [None] * len(requests)
        groups: dict[tuple[Any, ...], list[int]] = {}
        feeds = [self._feed(request) for request in requests]
        for index, feed in enumerate(feeds):
            key = tuple((name, array.shape[1:], array.dtype.str) for name, array in feed.items())
            groups.setdefault(key if self._batched else (index,), []).append(index)
        for members in groups.values():
            answers = self._run([feeds[index] for index in members])
            for index, answer in zip(members, answers, strict=True):
                responses[index] = _response(answer, requests[index].requested_output_names())
        return responses

    def _feed(self, request: Any) -> dict[str, Tensor]:
        tensors = {name: pb.get_input_tensor_by_name(request, name) for name in self._inputs}
        return {name: _decoded(tensor.as_numpy()) for name, tensor in tensors.items() if tensor is not None}

    def _run(self, feeds: list[dict[str, Tensor]]) -> list[dict[str, Tensor] | str]:
        """Outputs by name of each feed, or the one sentence that explains why there are none."""
        try:
            if len(feeds) == 1:
                return [dict(zip(self._outputs, self._values(feeds[0]), strict=True))]
            joined = {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
            values = self._values(joined)
        except Exception as error:  # noqa: BLE001 - as above; wrong input is its sender's affair alone
            if len(feeds) == 1:
                return [str(error).splitlines()[0]]
            return [answer for feed in feeds for answer in self._run([feed])]
        sizes = [len(next(iter(feed.values()))) for feed in feeds]
        if any(value.shape[:1] != (sum(sizes),) for value in values):  # an output without a batch dimension
            return [answer for feed in feeds for answer in self._run([feed])]
        splits = [np.split(value, np.cumsum(sizes)[:-1]) for value in values]
        return [dict(zip(self._outputs, parts, strict=True)) for parts in zip(*splits, strict=True)]

    def _values(self, feed: dict[str, Tensor]) -> list[Tensor]:
        """The graph's outputs."""
        rows = len(next(iter(feed.values()))) if self._batched else 1
        if rows <= self._rows_a_run:
            return list(self._session.run(self._outputs, feed))
        firsts = range(0, rows, self._rows_a_run)
        parts = ({name: array[first : first + self._rows_a_run] for name, array in feed.items()} for first in firsts)
        runs = [self._session.run(self._outputs, part) for part in parts]
        return [np.concatenate(values) for values in zip(*runs, strict=True)]


def _decoded(array: Tensor) -> Tensor:
    """Triton hands strings over as bytes; onnxruntime wants text."""
    if array.dtype != np.object_:
        return array
    return np.array([item.decode() for item in array.ravel()], dtype=np.object_).reshape(array.shape)


def _response(answer: dict[str, Tensor] | str, wanted: Sequence[str]) -> Any:
    if isinstance(answer, str):
        return pb.InferenceResponse(output_tensors=[], error=pb.TritonError(answer))
    tensors = [pb.Tensor(name, np.ascontiguousarray(answer[name])) for name in wanted if name in answer]
    return pb.InferenceResponse(output_tensors=tensors)
