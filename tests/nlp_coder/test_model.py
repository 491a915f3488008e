"""The committed model itself, and how it is called."""

import hashlib
import json

import numpy as np
import pytest

from services.common.settings import REPOSITORY
from services.common.triton import ModelUnavailable
from services.nlp_coder.features import LENGTHS, Occurrences, load_vocabulary, padded
from services.nlp_coder.models import OUTPUTS, IcdCoder
from services.nlp_coder.outage import Outage
from tests.nlp_coder.fakes import LocalInference

FOLDER = REPOSITORY / "triton_models" / "icd_coder"


def occurrences(count: int, seed: int = 0) -> Occurrences:
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, len(load_vocabulary(FOLDER / "assets").ids), count)
    weights = rng.random(count, dtype=np.float32) / 10
    return Occurrences(ids, weights, [(index, index + 1) for index in range(count)])


def test_configuration_vocabulary_and_file_name_the_same_model() -> None:
    digest = hashlib.sha256((FOLDER / "1" / "model.onnx").read_bytes()).hexdigest()
    assert digest in (FOLDER / "config.pbtxt").read_text()
    assert load_vocabulary(FOLDER / "assets").model_sha256 == digest


def test_the_card_says_what_the_metrics_say() -> None:
    card = (FOLDER / "MODEL_CARD.md").read_text()
    metrics = json.loads((FOLDER / "metrics.json").read_text())
    for part in ("cross_validation", "dev"):
        for system, figures in metrics[part].items():
            row = f"{figures['map']['value']:.3f} | {figures['micro_f1']['value']:.3f}"
            assert row in card, (part, system, row)


async def test_padding_and_company_in_a_batch_change_nothing() -> None:
    inference = LocalInference()
    short, long = (padded([occurrences(count, seed)]) for count, seed in ((40, 1), (60, 2)))
    alone = await inference.infer("icd_coder", {"token_ids": short[0], "weights": short[1]}, OUTPUTS)
    wide = [np.pad(tensor, ((0, 0), (0, 192))) for tensor in short]
    spacious = await inference.infer("icd_coder", {"token_ids": wide[0], "weights": wide[1]}, OUTPUTS)
    both = {
        "token_ids": np.concatenate([short[0], long[0]]),
        "weights": np.concatenate([short[1], long[1]]),
    }
    together = await inference.infer("icd_coder", both, OUTPUTS)
    np.testing.assert_allclose(spacious["probability"], alone["probability"], rtol=1e-4)
    np.testing.assert_allclose(together["probability"][:1], alone["probability"], rtol=1e-4)


async def test_without_words_the_model_gives_its_priors_and_no_position() -> None:
    token_ids, weights = padded([Occurrences(np.array([], dtype=np.int64), np.array([], dtype=np.float32), [])])
    answer = await LocalInference().infer("icd_coder", {"token_ids": token_ids, "weights": weights}, OUTPUTS)
    assert token_ids.shape == (1, LENGTHS[0])
    assert (answer["probability"] < 0.5).all()
    assert (answer["contributions"] == 0).all()


async def test_another_model_than_the_vocabulary_names_is_not_used() -> None:
    coder = IcdCoder(LocalInference(sha256="f" * 64), load_vocabulary(FOLDER / "assets"), Outage(0))
    with pytest.raises(ModelUnavailable, match="another model"):
        await coder.predict([occurrences(5)])
    with pytest.raises(ModelUnavailable, match="another model"):
        await coder.probe()


async def test_readiness_is_a_real_inference() -> None:
    vocabulary = load_vocabulary(FOLDER / "assets")
    await IcdCoder(LocalInference(), vocabulary, Outage(0)).probe()
    with pytest.raises(ModelUnavailable):
        await IcdCoder(LocalInference(failures=1), vocabulary, Outage(0)).probe()
