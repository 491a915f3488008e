"""How errors are planted, and that the documentation says what was measured."""

import importlib
import json
from types import ModuleType

import pytest

from services.common.settings import REPOSITORY
from services.nlp_coder.handlers import Coder
from services.nlp_coder.reading import read_note

TRAINING = REPOSITORY / "triton_models" / "icd_coder" / "training"


@pytest.fixture
def planting(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TRAINING))
    return importlib.import_module("planting")


@pytest.fixture
def audit_page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TRAINING))
    return importlib.import_module("audit_page")


def test_each_planted_error_is_of_its_kind_and_the_same_every_time(planting: ModuleType, coder: Coder) -> None:
    code_set = coder.reader.code_set
    notes = [("Lobar pneumonia. No chest pain.", ["J18.1"]), ("Hypertension and asthma.", ["I10", "j45.909"])]
    cases = [planting.case_of(read_note(text, coder.reader), {}, gold, 0, coder.reader) for text, gold in notes]
    first, second = planting.plant(cases, code_set)
    assert cases[1].gold == ("I10", "J45.909")
    assert first.unsupported in ("I10", "J45.909")
    assert first.contradicted == "R07.9"
    assert first.less_specific == ("J18.1", "J18.9")
    assert first.missing == "J18.1"
    assert second.unsupported == "J18.1"
    assert planting.plant(cases, code_set) == [first, second]


def test_the_page_says_what_the_metrics_say(audit_page: ModuleType) -> None:
    metrics = json.loads((REPOSITORY / "triton_models" / "icd_coder" / "audit_metrics.json").read_text())
    before = audit_page.PAGE.read_text()
    assert audit_page.page(before, metrics) == before
