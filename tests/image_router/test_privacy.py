import logging
import warnings

import pytest

from services.image_router.intake import read_header
from services.image_router.pixels import read_dicom
from services.image_router.privacy import keep_values_out_of_logs
from services.image_router.tags import image_tags
from tests.image_router.samples import as_file, gradient, radiograph


def test_odd_values_of_a_header_reach_no_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    content = as_file(radiograph(gradient(), StudyInstanceUID="2.25.777")).replace(b"2.25.777", b"Smith-77")
    logging.captureWarnings(capture=True)  # as the logs of every service are configured
    try:
        keep_values_out_of_logs()
        with caplog.at_level(logging.DEBUG), warnings.catch_warnings():
            warnings.simplefilter("always")
            image_tags(read_dicom(content))
            header = read_header(content)
            assert [str(element.value) for element in header]
    finally:
        logging.captureWarnings(capture=False)
        for name in ("py.warnings", "pydicom"):
            logging.getLogger(name).setLevel(logging.NOTSET)
    said = caplog.text + "".join(capsys.readouterr())
    assert "Smith" not in said
