import importlib.util

from services.common.settings import REPOSITORY


def test_the_topics_page_shows_the_registry() -> None:
    spec = importlib.util.spec_from_file_location("topics_page", REPOSITORY / "docs" / "topics_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text() == module.page(), "run make docs"
