"""What the service reads of a model's folder, and how it asks Triton."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.common.triton import ModelUnavailable
from services.fusion.deterioration.drift import Bins
from services.fusion.deterioration.explanation import log_odds
from services.fusion.deterioration.features import FEATURES_MORTALITY
from services.fusion.models import ROWS_AT_A_TIME, ask, load_models
from tests.fusion.models_of import MODELS, FakeTriton, arrays, model

DECLARED: dict[str, Any] = {
    "model": "icu_mortality",
    "sha256": "ab" * 32,
    "names": list(FEATURES_MORTALITY),
    "low": [None, *[0.5] * (len(FEATURES_MORTALITY) - 1)],
    "high": [None, *[9.5] * (len(FEATURES_MORTALITY) - 1)],
    "stranger_share": 0.12,
    "operating_points": [{"name": "alarm", "probability": 0.34}],
    "drift": {"lactate.last": {"edges": [1.0, 2.0], "shares": [0.2, 0.3, 0.4, 0.1]}},
    "drift_of_probability": {"edges": [0.1], "shares": [0.7, 0.3, 0.0]},
}


def repository(folder: Path, **declared: Any) -> Path:
    assets = folder / "icu_mortality" / "assets"
    assets.mkdir(parents=True)
    (assets / "features.json").write_text(json.dumps(DECLARED | declared))
    np.savez(assets / "model.npz", **arrays(FEATURES_MORTALITY))
    return folder


def test_a_model_is_what_its_folder_declares(tmp_path: Path) -> None:
    (known,) = load_models(repository(tmp_path))
    assert (known.name, known.model, known.sha256) == ("mortality", "icu_mortality", "ab" * 32)
    assert (known.operating_point, known.stranger_share) == (0.34, 0.12)
    assert np.isnan(known.low[0])
    assert known.high[1] == np.float32(9.5)
    assert known.bins == {"lactate.last": Bins((1.0, 2.0), (0.2, 0.3, 0.4, 0.1))}
    assert known.score_bins.edges == (0.1,)
    row = np.full(len(FEATURES_MORTALITY), np.nan, np.float32)
    assert log_odds(known.explanation, row) == pytest.approx(log_odds(MODELS[0].explanation, row))
    assert "lactate" in known.measured
    assert not {"clock", "sofa", "icu_type"} & set(known.measured)


def test_a_repository_without_the_models_has_none(tmp_path: Path) -> None:
    assert load_models(tmp_path) == ()


def test_a_model_of_other_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="train it again"):
        load_models(repository(tmp_path, names=["clock.hours"]))


async def test_many_rows_are_asked_about_in_parts() -> None:
    triton = FakeTriton()
    rows = np.zeros((ROWS_AT_A_TIME + 3, len(FEATURES_MORTALITY)), np.float32)
    rows[-1, FEATURES_MORTALITY.index("lactate.last")] = 9
    answers = await ask(triton, MODELS[0], rows)
    assert [count for _, count in triton.calls] == [ROWS_AT_A_TIME, 3]
    assert answers.probability.shape == answers.low.shape == answers.high.shape == (len(rows),)
    assert answers.probability[-1] > answers.probability[-2]


async def test_a_triton_that_is_away_or_serves_another_model_gives_no_answer() -> None:
    row = np.zeros((1, len(FEATURES_MORTALITY)), np.float32)
    with pytest.raises(ModelUnavailable, match="gone"):
        await ask(FakeTriton(away="gone"), MODELS[0], row)
    with pytest.raises(ModelUnavailable, match="another model"):
        await ask(FakeTriton(), model("mortality", sha256="another"), row)
