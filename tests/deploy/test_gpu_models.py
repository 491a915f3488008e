"""What a Triton with GPUs is given: the same models, with the image models by TensorRT."""

import filecmp
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from deploy.k8s.gpu_models import MODELS, write_repository
from services.image_router.scope import MODELS as IMAGE_MODELS

REPLACED = {"instance_group", "dynamic_batching", "optimization", "model_warmup"}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "gpu"
    assert write_repository(folder) == list(IMAGE_MODELS)
    return folder


def configured(folder: Path) -> ModelConfig:
    return text_format.Parse((folder / "config.pbtxt").read_text(), ModelConfig())


def fields(config: ModelConfig) -> dict[str, object]:
    return {field.name: value for field, value in config.ListFields()}


def test_every_model_is_there_with_the_same_graph(repository: Path) -> None:
    names = {path.parent.name for path in MODELS.glob("*/config.pbtxt")}
    assert {path.name for path in repository.iterdir()} == names
    for name in names:
        graph = Path(name) / "1" / "model.onnx"
        assert filecmp.cmp(MODELS / graph, repository / graph, shallow=False)
        assert (repository / name / "assets").exists() == (MODELS / name / "assets").exists()


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_an_image_model_differs_by_where_it_runs_alone(repository: Path, name: str) -> None:
    local, gpu = fields(configured(MODELS / name)), fields(configured(repository / name))
    assert {key: gpu[key] for key in gpu.keys() - REPLACED} == {key: local[key] for key in local.keys() - REPLACED}


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_an_image_model_runs_by_tensorrt_on_gpus(repository: Path, name: str) -> None:
    config = configured(repository / name)
    assert [group.kind for group in config.instance_group] == [ModelInstanceGroup.KIND_GPU]
    (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    side = config.input[0].dims[-1]
    assert accelerator.name == "tensorrt"
    assert accelerator.parameters["precision_mode"] == "FP32"
    assert accelerator.parameters["trt_profile_min_shapes"] == f"image:1x1x{side}x{side}"
    assert accelerator.parameters["trt_profile_max_shapes"] == f"image:{config.max_batch_size}x1x{side}x{side}"
    assert max(config.dynamic_batching.preferred_batch_size) <= config.max_batch_size
    assert [one.batch_size for one in config.model_warmup] == [1, config.max_batch_size]


def test_the_other_models_stay_as_they_are(repository: Path) -> None:
    others = {path.name for path in repository.iterdir()} - set(IMAGE_MODELS)
    assert others
    for name in others:
        assert filecmp.cmp(MODELS / name / "config.pbtxt", repository / name / "config.pbtxt", shallow=False)


def test_a_folder_that_holds_models_is_left_alone(repository: Path) -> None:
    with pytest.raises(FileExistsError):
        write_repository(repository)
