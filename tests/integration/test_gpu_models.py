"""The repository for GPUs in a real Triton, which has none: all that its configurations say but where they run."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from deploy.k8s.gpu_models import write_repository
from services.common.triton import TritonClient
from tests.stacks import running_stack

pytestmark = pytest.mark.timeout(240)


async def test_triton_loads_and_warms_up_every_model_and_answers_as_the_graph_does(tmp_path: Path) -> None:
    models = tmp_path / "models"
    on_gpus = write_repository(models)
    for name in on_gpus:
        config = models / name / "config.pbtxt"
        config.write_text(config.read_text().replace("KIND_GPU", "KIND_CPU"))
    with running_stack(tmp_path / "stack", only="triton", VIGIL_MODEL_REPOSITORY=str(models)) as stack:
        async with TritonClient(stack.settings) as client:
            for name in on_gpus:
                graph = onnxruntime.InferenceSession(models / name / "1" / "model.onnx")
                shape = [1, *graph.get_inputs()[0].shape[1:]]
                image = np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
                outputs = [output.name for output in graph.get_outputs()]
                answer = await client.infer(name, {"image": image}, outputs)
                for output, expected in zip(outputs, graph.run(outputs, {"image": image}), strict=True):
                    np.testing.assert_allclose(answer[output], expected, rtol=1e-4, atol=1e-4)
