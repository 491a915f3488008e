"""Time comes in by argument: domain code is given a `Clock`, never the system's."""

from collections.abc import Callable
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The system's clock, aware, in UTC."""
    return datetime.now(UTC)


def to_timestamp(moment: datetime) -> Timestamp:
    """Protobuf time of an aware datetime. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone is ambiguous")
    stamp = Timestamp()
    stamp.FromDatetime(moment.astimezone(UTC))
    return stamp


def from_timestamp(stamp: Timestamp) -> datetime:
    """Aware datetime in UTC, microseconds kept."""
    return stamp.ToDatetime(tzinfo=UTC)
