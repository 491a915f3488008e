"""The model repository for a Triton with GPUs: `python -m deploy.k8s.gpu_models FOLDER`.

FOLDER gets the models of `triton_models/`, without what they were trained by. Image models run by TensorRT, as
`gpu.pbtxt` says. What TensorRT does not take (trees, the entity model's int8, the coder's lookups) stays on the CPU as
configured. The graphs, and what services read from the configurations, are the same.
"""

import argparse
import shutil
import sys
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from services.common.settings import REPOSITORY
from services.image_router.scope import MODELS as IMAGE_MODELS

MODELS = REPOSITORY / "triton_models"
GPU = Path(__file__).with_name("gpu.pbtxt")
CONFIG = "config.pbtxt"


def gpu_config(config: ModelConfig) -> ModelConfig:
    """The same model on GPUs. Its inputs must have whole dims."""
    gpu = ModelConfig()
    gpu.CopyFrom(config)
    for replaced in ("instance_group", "dynamic_batching", "optimization"):
        gpu.ClearField(replaced)
    text_format.Parse(GPU.read_text(encoding="utf-8"), gpu)
    batches = {"min": 1, "opt": min(gpu.dynamic_batching.preferred_batch_size), "max": gpu.max_batch_size}
    (accelerator,) = gpu.optimization.execution_accelerators.gpu_execution_accelerator
    for bound, batch in batches.items():
        shapes = (f"{one.name}:{'x'.join(map(str, (batch, *one.dims)))}" for one in gpu.input)
        accelerator.parameters[f"trt_profile_{bound}_shapes"] = ",".join(shapes)
    for batch in (1, gpu.max_batch_size):
        # The engine is built before the model says that it is ready.
        warm_up = gpu.model_warmup.add(name=f"a batch of {batch}", batch_size=batch)
        for one in gpu.input:
            first = warm_up.inputs[one.name]
            first.data_type, first.zero_data = one.data_type, True
            first.dims.extend(one.dims)
    return gpu


def write_repository(folder: Path) -> list[str]:
    """Copy the models there; returns the names of those on GPUs. Raises FileExistsError for what is there already."""
    on_gpus = []
    for source in sorted(MODELS.glob(f"*/{CONFIG}")):
        model, target = source.parent, folder / source.parent.name
        shutil.copytree(model, target, ignore=shutil.ignore_patterns("training", "__pycache__", "*.png", "*.jpg"))
        if model.name in IMAGE_MODELS:
            config = text_format.Parse(source.read_text(encoding="utf-8"), ModelConfig())
            (target / CONFIG).write_text(text_format.MessageToString(gpu_config(config)), encoding="utf-8")
            on_gpus.append(model.name)
    return on_gpus


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(prog="deploy.k8s.gpu_models", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder, for Triton's --model-repository")
    folder = parser.parse_args().folder
    try:
        on_gpus = write_repository(folder)
    except FileExistsError as error:
        sys.exit(f"{error.filename} is there already; name a new folder.")
    sys.stdout.write(f"{folder}: on GPUs {', '.join(on_gpus)}; the others on the CPU.\n")


if __name__ == "__main__":
    main()
