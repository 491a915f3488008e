"""When an image was taken, from its DICOM attributes."""

import re
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo

from pydicom.dataset import Dataset

from services.image_router.tags import text

_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})")
# DICOM PS3.5 6.2, DT: YYYYMMDDHHMMSS.FFFFFF&ZZXX; everything after the year may be missing.
_DATE_TIME = re.compile(r"(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:\.(\d{1,6}))?([+-]\d{4})?")
# Nearest to the moment of exposure first.
_DATES_AND_TIMES = (
    ("AcquisitionDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
    ("SeriesDate", "SeriesTime"),
    ("StudyDate", "StudyTime"),
)


def parse_zone(offset: str) -> tzinfo:
    """Zone of "+0100" (DICOM PS3.3 C.12.1.1.8). Raises ValueError for anything else."""
    found = _OFFSET.fullmatch(offset.strip())
    if not found:
        raise ValueError("an offset from UTC looks like +0100")
    sign = -1 if found[1] == "-" else 1
    return timezone(sign * timedelta(hours=int(found[2]), minutes=int(found[3])))


def image_time(dataset: Dataset, default_zone: tzinfo) -> datetime | None:
    """The moment of acquisition in UTC, else of content, series or study; None when none is readable.

    The zone is the value's own, else (0008,0201), else `default_zone`. A date without a time is midnight.
    """
    zone = _zone(dataset, default_zone)
    moment = _parse(text(dataset, "AcquisitionDateTime"), zone)
    for date_name, time_name in _DATES_AND_TIMES:
        if moment is None and (date := text(dataset, date_name)):
            moment = _parse(date.replace(".", "") + text(dataset, time_name).replace(":", ""), zone)
    return moment


def _zone(dataset: Dataset, default: tzinfo) -> tzinfo:
    try:
        return parse_zone(text(dataset, "TimezoneOffsetFromUTC"))
    except ValueError:
        return default


def _parse(text: str, zone: tzinfo) -> datetime | None:
    found = _DATE_TIME.fullmatch(text)
    if not found or not found[3]:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        clock = time(hour, minute, min(second, 59), int((found[7] or "").ljust(6, "0")))
        own = parse_zone(found[8]) if found[8] else zone
        return datetime.combine(datetime(year, month, day, tzinfo=own), clock, own).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
