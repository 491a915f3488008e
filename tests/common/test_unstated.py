import pytest
from structlog.testing import capture_logs

from services.common import unstated


def test_a_feed_without_an_authority_is_counted_each_time_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unstated, "_told", set())
    before = unstated.WITHOUT_AUTHORITY.labels("dicom")._value.get()
    with capture_logs() as told:
        for _ in range(3):
            unstated.no_authority_stated("dicom", "Issuer of Patient ID (0010,0021)", "VIGIL")
    assert unstated.WITHOUT_AUTHORITY.labels("dicom")._value.get() == before + 3
    [hint] = told
    assert "VIGIL_DEFAULT_AUTHORITY" in hint["event"]
    assert (hint["place"], hint["default_authority"]) == ("Issuer of Patient ID (0010,0021)", "VIGIL")
