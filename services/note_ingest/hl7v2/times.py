"""HL7 v2 times (DTM): YYYY[MM[DD[HH[MM[SS[.S{1,4}]]]]]][+/-ZZZZ]."""

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from services.note_ingest.hl7v2.er7 import Segment
from services.note_ingest.refusals import BAD_VALUE, Refused

TIME = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{1,6}))?)?)?)?)?)?(?:([+-])(\d{2})(\d{2}))?"
)
LONGEST_OFFSET_HOURS = 15


@lru_cache(maxsize=1024)  # the values of a message were measured together
def parse_time(text: str, zone: tzinfo) -> datetime | None:
    """The moment that `text` names, in UTC; what it leaves out counts as its beginning.

    zone: where `text` has none. None when it is no HL7 time.
    """
    match = TIME.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = match.groups()
    try:
        local = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            min(int(second or 0), 59),
            int((fraction or "0").ljust(6, "0")),
            tzinfo=_offset(sign, hours, minutes) if sign else zone,
        )
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_date(text: str) -> date | None:
    """The day of a DT or DTM, as written; None without one."""
    match = re.match(r"(\d{4})(\d{2})(\d{2})", text.strip())
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None


def stated_zone(header: Segment, default: tzinfo) -> tzinfo:
    """The zone of MSH-7, which holds for the whole message; `default` when it states none."""
    match = TIME.fullmatch(header.text(7))
    if match is None or match[8] is None:
        return default
    try:
        return _offset(match[8], match[9], match[10])
    except ValueError:
        return default


def first_time(zone: tzinfo, *places: tuple[Segment | None, int]) -> datetime | None:
    """The first of the fields that is filled. Raises Refused when that one is no time."""
    for segment, field in places:
        text = segment.text(field) if segment is not None else ""
        if segment is None or not text:
            continue
        moment = parse_time(text, zone)
        if moment is None:
            raise Refused(BAD_VALUE, f"{segment.label(field)} is no time of the form YYYYMMDDHHMMSS", segment.at(field))
        return moment
    return None


def _offset(sign: str, hours: str, minutes: str) -> timezone:
    if int(hours) >= LONGEST_OFFSET_HOURS:
        raise ValueError("no such time zone")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(offset if sign == "+" else -offset)
