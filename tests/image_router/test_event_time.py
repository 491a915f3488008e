from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from services.image_router.event_time import image_time, parse_zone
from tests.image_router.samples import header

UTC_PLUS_1 = timezone(timedelta(hours=1))


def taken(zone: timezone = UTC, **attributes: str) -> datetime | None:
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return image_time(dataset, zone)


def test_the_offset_of_the_value_itself_comes_first() -> None:
    moment = taken(AcquisitionDateTime="20260102030405.5-0200", TimezoneOffsetFromUTC="+0100")
    assert moment == datetime(2026, 1, 2, 5, 4, 5, 500_000, UTC)


def test_then_the_offset_of_the_instance_then_the_sites() -> None:
    assert taken(AcquisitionDateTime="20260102030405", TimezoneOffsetFromUTC="+0100") == datetime(
        2026, 1, 2, 2, 4, 5, tzinfo=UTC
    )
    assert taken(UTC_PLUS_1, StudyDate="20260102", StudyTime="0304") == datetime(2026, 1, 2, 2, 4, tzinfo=UTC)


def test_the_moment_nearest_to_the_exposure_is_taken() -> None:
    moment = taken(AcquisitionDate="20260103", StudyDate="20260101", StudyTime="0900", ContentDate="20260102")
    assert moment == datetime(2026, 1, 3, tzinfo=UTC)


def test_an_unreadable_date_falls_back_to_the_next() -> None:
    assert taken(AcquisitionDate="20261399", ContentDate="20260102") == datetime(2026, 1, 2, tzinfo=UTC)
    assert taken() is None


def test_the_old_form_of_dates_and_times_is_read() -> None:
    assert taken(StudyDate="2026.01.02", StudyTime="03:04:05") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("offset", ["", "0100", "+1", "+01:00", "+9900x", "UTC"])
def test_what_is_no_offset_is_refused(offset: str) -> None:
    with pytest.raises(ValueError, match="offset"):
        parse_zone(offset)


@given(st.text(max_size=26), st.text(max_size=6))
def test_any_text_gives_a_time_or_none(value: str, offset: str) -> None:
    dataset = header()
    dataset._dict.clear()
    dataset.AcquisitionDateTime = value
    dataset.TimezoneOffsetFromUTC = offset
    moment = image_time(dataset, UTC)
    assert moment is None or moment.tzinfo is UTC
