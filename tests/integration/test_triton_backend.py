"""The Python-based onnxruntime backend of the local Triton, with a model of a few bytes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import tritonclient.grpc.aio as triton
from tritonclient.utils import InferenceServerException

from deploy.local.settings import LocalSettings
from deploy.local.status import status
from deploy.local.triton import NICENESS
from services.common.settings import SharedSettings
from services.common.triton import TritonClient
from services.common.triton_memory import PREFIX
from tests.stacks import Stack, new_stack, running_stack

pytestmark = pytest.mark.timeout(120)

# y = x @ WEIGHTS; x float32 (batch, 3), y float32 (batch, 2). Made with onnx.helper, opset 17.
WEIGHTS = np.arange(6, dtype=np.float32).reshape(3, 2)
MODEL = bytes.fromhex(
    "08083a720a110a01780a017712017922064d61744d756c120474696e792a230803080210014201774a18000000000000803f"
    "0000004000004040000080400000a0405a180a017812130a110801120d0a07120562617463680a02080362180a017912130a"
    "110801120d0a07120562617463680a02080242040a001011"
)
BATCHED = """
backend: "onnxruntime"
max_batch_size: 16
input [{ name: "x" data_type: TYPE_FP32 dims: [3] }]
output [{ name: "y" data_type: TYPE_FP32 dims: [2] }]
dynamic_batching { max_queue_delay_microseconds: 200000 }
instance_group [{ kind: KIND_CPU count: 1 }]
"""

SPLIT = 'backend: "onnxruntime" max_batch_size: 8 parameters { key: "rows_a_run" value { string_value: "2" } }'


def add_model(repository: Path, name: str, config: str, content: bytes = MODEL) -> None:
    (repository / name / "1").mkdir(parents=True)
    (repository / name / "1" / "model.onnx").write_bytes(content)
    (repository / name / "config.pbtxt").write_text(config)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSettings]:
    """Settings of a Triton that serves the tiny model by three configurations."""
    repository = tmp_path_factory.mktemp("models")
    add_model(repository, "batched", BATCHED)
    add_model(repository, "bare", 'backend: "onnxruntime"')
    add_model(repository, "split", SPLIT)
    folder = tmp_path_factory.mktemp("stack")
    with running_stack(folder, only="triton", VIGIL_MODEL_REPOSITORY=str(repository)) as stack:
        yield stack.settings


async def test_what_a_bare_configuration_leaves_out_is_read_from_the_graph(tiny: SharedSettings) -> None:
    async with triton.InferenceServerClient(tiny.triton_url) as client:
        config = (await client.get_model_config("bare", as_json=True))["config"]
    assert config["max_batch_size"] > 1
    assert (config["input"][0]["name"], config["input"][0]["data_type"], config["input"][0]["dims"]) == (
        "x",
        "TYPE_FP32",
        ["3"],
    )
    assert (config["output"][0]["name"], config["output"][0]["dims"]) == ("y", ["2"])
    assert "dynamic_batching" in config


@pytest.mark.parametrize("model", ["bare", "batched"])
async def test_the_answer_is_the_graphs(tiny: SharedSettings, model: str) -> None:
    x = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
    async with TritonClient(tiny) as client:
        answer = await client.infer(model, {"x": x}, ["y"])
    assert np.array_equal(answer["y"], x @ WEIGHTS)


@pytest.mark.parametrize("rows", [1, 2, 5])
async def test_rows_that_run_apart_come_back_together(tiny: SharedSettings, rows: int) -> None:
    x = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)
    async with TritonClient(tiny) as client:
        answer = await client.infer("split", {"x": x}, ["y"])
    assert np.array_equal(answer["y"], x @ WEIGHTS)


async def test_large_inputs_go_by_shared_memory_also_after_triton_lost_it(
    tiny: SharedSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.common.triton_memory.LEAST_BYTES", 1)
    x = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
    async with triton.InferenceServerClient(tiny.triton_url) as admin:
        async with TritonClient(tiny) as client:
            answers = [await client.infer("bare", {"x": x + step}, ["y"]) for step in range(3)]
            assert len(await regions(admin)) == 1
            await admin.unregister_system_shared_memory()  # as after a restart
            answers += [await client.infer("bare", {"x": x + step}, ["y"]) for step in range(3, 6)]
            assert len(await regions(admin)) == 1
        assert await regions(admin) == []
    for step, answer in enumerate(answers):
        assert np.array_equal(answer["y"], (x + step) @ WEIGHTS)


async def regions(admin: triton.InferenceServerClient) -> list[str]:
    return [name for name in (await admin.get_system_shared_memory_status()).regions if name.startswith(PREFIX)]


async def test_services_go_before_inference(tiny: LocalSettings) -> None:
    (pid,) = (one.pid for one in status(tiny) if one.name == "triton")
    server = psutil.Process(pid)
    assert {one.nice() for one in (server, *server.children(recursive=True))} == {NICENESS}


async def test_requests_that_wait_together_run_together_and_get_their_own_rows(tiny: SharedSettings) -> None:
    inputs = [np.full((rows, 3), rows, dtype=np.float32) for rows in (1, 2, 3, 1, 2)]
    async with TritonClient(tiny) as client, triton.InferenceServerClient(tiny.triton_url) as admin:
        before = await executions(admin)
        answers = await asyncio.gather(*(client.infer("batched", {"x": x}, ["y"]) for x in inputs))
        after = await executions(admin)
    for x, answer in zip(inputs, answers, strict=True):
        assert np.array_equal(answer["y"], x @ WEIGHTS)
    assert after[0] - before[0] == len(inputs)
    assert after[1] - before[1] < len(inputs)


async def executions(admin: triton.InferenceServerClient) -> tuple[int, int]:
    """Requests answered, and times the model ran for them."""
    statistics = (await admin.get_inference_statistics("batched", as_json=True))["model_stats"][0]
    return int(statistics["inference_stats"]["success"].get("count", 0)), int(statistics.get("execution_count", 0))


async def test_wrong_input_is_refused_with_the_reason_and_the_next_is_answered(tiny: SharedSettings) -> None:
    wrong = triton.InferInput("x", [1, 4], "FP32")
    wrong.set_data_from_numpy(np.zeros((1, 4), dtype=np.float32))
    async with triton.InferenceServerClient(tiny.triton_url) as client:
        with pytest.raises(InferenceServerException, match="unexpected shape for input 'x'"):
            await client.infer("bare", [wrong])
    async with TritonClient(tiny) as client:
        assert (await client.infer("bare", {"x": np.ones((1, 3), dtype=np.float32)}, ["y"]))["y"].shape == (1, 2)


async def test_a_model_that_has_answered_is_known_to_answer_while_triton_runs(tiny: SharedSettings) -> None:
    async with TritonClient(tiny) as client:
        assert await client.answering() == frozenset()
        await client.infer("bare", {"x": np.ones((1, 3), dtype=np.float32)}, ["y"])
        assert await client.answering() == {"bare"}


def test_a_model_that_does_not_load_is_named_with_the_reason(tmp_path: Path) -> None:
    add_model(tmp_path / "models", "whole", BATCHED)
    add_model(tmp_path / "models", "half", BATCHED, MODEL[:40])
    stack: Stack = new_stack(tmp_path / "stack", VIGIL_MODEL_REPOSITORY=str(tmp_path / "models"))
    try:
        done = stack.up("triton", check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("triton cannot load model half: ")
        assert done.stderr.count("\n") == 1
        assert stack.status()["triton"]["state"] == "not ready"
    finally:
        stack.vigil("down")
