from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.note_ingest.hl7v2.times import parse_date, parse_time

LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20260701120000+0200", datetime(2026, 7, 1, 10, 0, tzinfo=UTC)),
        ("20260701120000.1234-0500", datetime(2026, 7, 1, 17, 0, 0, 123400, tzinfo=UTC)),
        ("202607011200", datetime(2026, 7, 1, 11, 0, tzinfo=UTC)),
        ("202601011200", datetime(2026, 1, 1, 12, 0, tzinfo=UTC)),
        ("2026", datetime(2026, 1, 1, 0, 0, tzinfo=UTC)),
        ("20260701120060", datetime(2026, 7, 1, 11, 0, 59, tzinfo=UTC)),
        ("20261340", None),
        ("noon", None),
        ("99991231235959-1200", None),
        ("", None),
    ],
)
def test_times_are_read_in_their_zone_or_the_sites(text: Any, moment: Any) -> None:
    assert parse_time(text, LONDON) == moment


def test_a_birth_date_is_the_day_as_written() -> None:
    assert parse_date("19500315233000-0800") == date(1950, 3, 15)
    assert parse_date("1950") is None
    assert parse_date("19501399") is None
