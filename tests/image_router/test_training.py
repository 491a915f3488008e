"""What the trainings of the image models share with the service: inputs and operating points. No torch is needed."""

import io
import json
import tarfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import JPEG2000Lossless

from services.image_router.models import POINTS, load_model, prepared
from services.image_router.pixels import dicom_picture, file_picture, is_dicom, read_dicom
from tests.image_router.fakes import MODELS, LocalModels
from tests.image_router.samples import WARD_PICTURES, as_file, as_picture, as_stored, radiograph

MANY = 10**9
PICTURES = {
    "brain_mri_tumour": "brain_glioma.jpg",
    "breast_us_lesion": "chest_clear_a.jpg",  # any picture will do
    "cxr_findings": "chest_pneumonia.jpg",
}
NAMING = sorted(PICTURES)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Any]:
    """Modules of the training code, which is no package, by model and name."""

    def module(model: str, name: str) -> Any:
        monkeypatch.syspath_prepend(str(MODELS / model / "training"))
        return import_module(name)

    return module


def input_of_training(
    training: Callable[[str, str], Any], model: str, content: bytes, side: int, folder: Path
) -> NDArray[np.float32]:
    """As the model's training makes it of one file of its data."""
    with tarfile.open(folder / "data.tar", "w") as tar:
        member = tarfile.TarInfo("one.file")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    samples = training("brain_mri_tumour", "samples")
    (grey,) = samples.pictures(folder / "data.tar").values()
    if model == "cxr_findings":
        (made,) = training(model, "films").inputs([grey], side)
    else:
        preparation = {"brain_mri_tumour": "head_slice", "breast_us_lesion": "ultrasound"}[model]
        ((made,), _) = samples.squares([samples.Sample("one", grey, 0, None, 0, "one")], side, preparation)
    tensor: NDArray[np.float32] = made
    return tensor


@pytest.mark.parametrize("name", NAMING)
async def test_training_feeds_what_serving_feeds_for_the_same_picture(
    name: str, training: Callable[[str, str], Any], tmp_path: Path
) -> None:
    model = await load_model(LocalModels(), name)
    jpeg = (WARD_PICTURES / PICTURES[name]).read_bytes()
    with Image.open(io.BytesIO(jpeg)) as image:
        pixels = np.asarray(image.convert("L"), np.uint8)
    png = as_picture(pixels, "PNG")
    sent = [jpeg, png, as_file(radiograph(pixels)), as_stored(pixels, JPEG2000Lossless)]
    fed = [input_of_training(training, name, content, model.side, tmp_path) for content in (jpeg, png)]
    for content in sent:
        picture = dicom_picture(read_dicom(content), MANY) if is_dicom(content) else file_picture(content, MANY)
        for one in fed:
            np.testing.assert_allclose(prepared(model, picture.grey).tensor[0], one, atol=1e-6)


def test_a_set_is_read_in_grey_levels_as_the_service_shows_them(
    training: Callable[[str, str], Any], tmp_path: Path
) -> None:
    coloured = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))
    buffer = io.BytesIO()
    coloured.save(buffer, "PNG")
    with tarfile.open(tmp_path / "data.tar", "w") as tar:
        member = tarfile.TarInfo("folder/a.b.png")
        member.size = len(buffer.getvalue())
        tar.addfile(member, io.BytesIO(buffer.getvalue()))
    ((name, grey),) = training("brain_mri_tumour", "samples").pictures(tmp_path / "data.tar").items()
    assert name == "folder/a.b"
    np.testing.assert_array_equal(grey, file_picture(buffer.getvalue(), MANY).grey)


@pytest.mark.parametrize("name", ["brain_mri_tumour", "breast_us_lesion"])
async def test_the_points_that_are_served_are_those_of_the_metrics(name: str) -> None:
    model = await load_model(LocalModels(), name)
    questions = json.loads((MODELS / name / "metrics.json").read_text())["questions"]
    assert set(model.points) == set(POINTS) == set(questions) - {"default"}
    for point, (thresholds, lows) in {"default": (model.thresholds, model.lows), **model.points}.items():
        assert (list(thresholds), list(lows)) == (questions[point]["thresholds"], questions[point]["lows"])


@pytest.mark.parametrize("name", ["brain_mri_tumour", "breast_us_lesion"])
async def test_no_point_calls_two_labels_positive(name: str) -> None:
    model = await load_model(LocalModels(), name)
    p = np.random.default_rng(0).dirichlet(np.full(len(model.labels), 0.4), 20_000)
    for thresholds, lows in ((model.thresholds, model.lows), *model.points.values()):
        assert (np.array(lows) <= np.array(thresholds)).all()
        assert ((p >= thresholds).sum(1) <= 1).all()


@given(seed=st.integers(0, 1000), sought=st.sampled_from([(0,), (2,), (0, 1), (1, 2, 3)]))
def test_ruling_out_and_confirming_keep_what_they_promise(seed: int, sought: tuple[int, ...]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(MODELS / "brain_mri_tumour" / "training"))
        points = import_module("points")
    random = np.random.default_rng(seed)
    truth = random.integers(0, 4, 400)
    logits = random.normal(size=(400, 4)) + 1.5 * np.eye(4)[truth]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    aim = points.Aim(sought, sensitivity=0.95, specificity=0.9)
    figures = points.point_figures(p, truth, aim, ((0.5,) * 4, (0.2,) * 4), tuple("abcd"), np.arange(400) % 5)
    out, sure = figures["high_sensitivity"], figures["high_specificity"]
    assert out["sought"]["own_called_negative"] <= 0.05
    for label in sought:
        assert sure["by_label"]["abcd"[label]]["specificity"] >= 0.9
    if len(sought) == 1:
        assert out["sought"]["sensitivity"] >= 0.95
        assert out["sought"]["cannot_tell"] == 0
    for one in figures.values():
        assert ((p >= one["thresholds"]).sum(1) <= 1).all()
