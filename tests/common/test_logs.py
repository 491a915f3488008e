import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from services.common.logs import configure_logs


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    logging.captureWarnings(capture=False)


def logged(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    line: dict[str, object] = json.loads(capsys.readouterr().err.strip().splitlines()[-1])
    return line


def refuse() -> None:
    raise ValueError("MRN 4711")


def fail() -> None:
    try:
        refuse()
    except ValueError as error:
        raise KeyError("John Smith") from error


def test_an_error_is_logged_by_class_and_place_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("fusion", "INFO")
    try:
        fail()
    except KeyError:
        structlog.get_logger().critical("crashed", exc_info=True)
    line = logged(capsys)
    assert (line["event"], line["service"], line["level"]) == ("crashed", "fusion", "critical")
    assert "KeyError" in str(line["exception"])
    assert "ValueError" in str(line["exception"])
    assert "test_logs.py" in str(line["exception"])
    assert "Smith" not in str(line)
    assert "4711" not in str(line)


def test_errors_of_libraries_are_logged_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("fusion", "INFO")
    try:
        fail()
    except KeyError:
        logging.getLogger("grpc").exception("unhandled")
    line = logged(capsys)
    assert line["event"] == "unhandled"
    assert "KeyError" in str(line["exception"])
    assert "Smith" not in str(line)


def test_a_warning_of_a_library_is_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logs("fusion", "INFO")
        warnings.warn("soon gone", DeprecationWarning, stacklevel=1)
        line = logged(capsys)
        logging.captureWarnings(capture=False)
    assert (line["logger"], line["level"]) == ("py.warnings", "warning")
    assert "soon gone" in str(line["event"])
