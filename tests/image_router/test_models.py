"""The committed model agrees with its configuration, its metrics and its own explanation."""

import hashlib
import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from services.image_router.models import ImageModel, load_model
from services.image_router.preprocessing import model_input
from services.image_router.scope import MODELS as NAMES
from tests.image_router.fakes import MODELS, LocalModels, model_config
from tests.image_router.samples import ward_film

MAX_BYTES = 30 * 1024 * 1024


@pytest.mark.parametrize("name", NAMES)
async def test_the_declared_hash_is_the_files(name: str) -> None:
    content = (MODELS / name / "1" / "model.onnx").read_bytes()
    model = await load_model(LocalModels(), name)
    assert hashlib.sha256(content).hexdigest() == model.version.sha256
    assert len(content) < MAX_BYTES


@pytest.mark.parametrize("name", NAMES)
async def test_the_metrics_are_those_of_this_model(name: str) -> None:
    metrics = json.loads((MODELS / name / "metrics.json").read_text())
    declared = {key: value.string_value for key, value in model_config(name).parameters.items()}
    assert metrics["parameters"] == declared


@pytest.mark.parametrize("name", NAMES)
def test_the_tables_of_a_card_are_those_of_its_metrics(name: str, tmp_path: Path) -> None:
    shutil.copytree(MODELS / name, tmp_path / name, ignore=shutil.ignore_patterns("*.onnx"))
    of = "cxr_findings" if name == "cxr_findings" else "brain_mri_tumour"
    write_tables = runpy.run_path(str(MODELS / of / "training" / "card.py"))["write_tables"]
    write_tables(tmp_path / name)
    assert (tmp_path / name / "MODEL_CARD.md").read_text() == (MODELS / name / "MODEL_CARD.md").read_text()


async def test_the_heat_map_adds_up_to_the_logit() -> None:
    model: ImageModel = await load_model(LocalModels(), "cxr_findings")
    bias = float(model_config("cxr_findings").parameters["bias"].string_value)
    session = onnxruntime.InferenceSession(str(MODELS / "cxr_findings" / "1" / "model.onnx"))
    names = ("chest_pneumonia.jpg", "chest_clear_a.jpg")
    tensors = np.stack([model_input(ward_film(name).astype(np.float32), model.side) for name in names])
    probability, heatmap = session.run(["probability", "heatmap"], {"image": tensors})
    logit = heatmap.mean((1, 2)) + bias
    np.testing.assert_allclose(1 / (1 + np.exp(-logit)), probability[:, 0], atol=1e-4)
    inner = np.zeros(heatmap.shape[1:], bool)
    inner[2:-2, 2:-2] = True
    assert not heatmap[:, ~inner].any(), "the outermost tenth is context alone"


@pytest.mark.parametrize(
    ("name", "picture", "normal"),
    [
        ("brain_mri_tumour", "brain_glioma.jpg", "no_tumour"),
        ("breast_us_lesion", "chest_clear_a.jpg", "normal"),  # what it holds for any picture
    ],
)
async def test_the_heat_map_of_a_lesion_adds_up_to_its_log_probability(name: str, picture: str, normal: str) -> None:
    model = await load_model(LocalModels(), name)
    session = onnxruntime.InferenceSession(str(MODELS / name / "1" / "model.onnx"))
    tensor = model_input(ward_film(picture).astype(np.float32), model.side, model.preparation)[np.newaxis]
    probability, heatmap = session.run(["probability", "heatmap"], {"image": tensor})
    log_p = np.log(probability[0])
    likeliest = max(p for p, label in zip(log_p, model.labels, strict=True) if label != normal)
    assert heatmap.mean() == pytest.approx(likeliest - log_p.mean(), abs=1e-3)


async def test_a_configuration_without_its_operating_points_is_an_error() -> None:
    class Silent(LocalModels):
        async def model_parameters(self, model: str) -> dict[str, str]:  # noqa: ARG002 - as Triton is asked
            return {"sha256": "", "side": "320"}

    with pytest.raises(ValueError, match="lacks the parameter"):
        await load_model(Silent(), "cxr_findings")
