import pytest

from services.nlp_coder.app import make_coder
from services.nlp_coder.handlers import Coder
from tests.nlp_coder.fakes import NOW, LocalInference, settings_of


@pytest.fixture(scope="session")
def coder() -> Coder:
    return make_coder(settings_of(), LocalInference(), lambda: NOW)
