"""The committed model itself, and how it is called."""

import hashlib
import json

import numpy as np
import pytest

from services.common.settings import REPOSITORY
from services.common.triton import ModelUnavailable
from services.nlp_coder.features import NO_COLUMN, OCCURRENCES_STEP, ModelInput, Occurrences, load_vocabulary, padded
from services.nlp_coder.models import OUTPUTS, IcdCoder
from services.nlp_coder.outage import Outage
from services.nlp_coder.ranking import EVIDENCE
from tests.nlp_coder.fakes import LocalInference

FOLDER = REPOSITORY / "triton_models" / "icd_coder"


def occurrences(count: int, seed: int = 0) -> Occurrences:
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, len(load_vocabulary(FOLDER / "assets").ids), count)
    weights = rng.random(count, dtype=np.float32) / 10
    return Occurrences(ids, weights, np.array([(index, index + 1) for index in range(count)]).reshape(-1, 2))


def test_configuration_vocabulary_and_file_name_the_same_model() -> None:
    digest = hashlib.sha256((FOLDER / "1" / "model.onnx").read_bytes()).hexdigest()
    assert digest in (FOLDER / "config.pbtxt").read_text()
    assert load_vocabulary(FOLDER / "assets").model_sha256 == digest


def test_the_card_says_what_the_metrics_say() -> None:
    card = (FOLDER / "MODEL_CARD.md").read_text()
    metrics = json.loads((FOLDER / "metrics.json").read_text())
    systems = {name: figures for name, figures in metrics.items() if isinstance(figures, dict) and "map" in figures}
    assert len(systems) >= 6
    for name, figures in systems.items():
        row = f"{figures['map']['value']:.3f} | {figures['micro_f1']['value']:.3f}"
        assert row in card, (name, row)


def question(count: int, candidates: int, seed: int = 0) -> ModelInput:
    rng = np.random.default_rng(seed)
    vocabulary = load_vocabulary(FOLDER / "assets")
    columns = rng.permutation(len(vocabulary.codes))[:candidates]
    evidence = rng.integers(0, 3, (candidates, len(EVIDENCE))).astype(np.float32)
    return ModelInput(occurrences(count, seed), columns, np.full(candidates, NO_COLUMN), evidence)


async def test_padding_and_company_in_a_batch_change_nothing() -> None:
    inference = LocalInference()
    short, long = question(40, 5, seed=1), question(60, 40, seed=2)
    [alone] = (await inference.infer("icd_coder", padded([short]), OUTPUTS))["probability"]
    together = (await inference.infer("icd_coder", padded([short, long]), OUTPUTS))["probability"][0]
    spacious = padded([short])
    spacious["token_ids"] = np.pad(spacious["token_ids"], ((0, 0), (0, 192)))
    spacious["weights"] = np.pad(spacious["weights"], ((0, 0), (0, 192)))
    [wide] = (await inference.infer("icd_coder", spacious, OUTPUTS))["probability"]
    np.testing.assert_allclose(wide, alone, rtol=1e-4)
    for own in (slice(0, 5), slice(-100, None)):
        np.testing.assert_allclose(together[own], alone[own], rtol=1e-4)


async def test_without_words_the_model_gives_its_priors_and_no_position() -> None:
    inputs = padded([question(0, 0)])
    answer = await LocalInference().infer("icd_coder", inputs, OUTPUTS)
    assert inputs["token_ids"].shape == (1, OCCURRENCES_STEP)
    assert (answer["probability"] < 0.5).all()
    assert (answer["contributions"] == 0).all()


async def test_another_model_than_the_vocabulary_names_is_not_used() -> None:
    coder = IcdCoder(LocalInference(sha256="f" * 64), load_vocabulary(FOLDER / "assets"), Outage(0))
    with pytest.raises(ModelUnavailable, match="another model"):
        await coder.predict([], [question(5, 0)])
    with pytest.raises(ModelUnavailable, match="another model"):
        await coder.probe()


async def test_readiness_is_a_real_inference() -> None:
    vocabulary = load_vocabulary(FOLDER / "assets")
    await IcdCoder(LocalInference(), vocabulary, Outage(0)).probe()
    with pytest.raises(ModelUnavailable):
        await IcdCoder(LocalInference(failures=1), vocabulary, Outage(0)).probe()
