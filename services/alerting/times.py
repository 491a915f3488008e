"""Times as JSON holds them."""

from google.protobuf.timestamp_pb2 import Timestamp


def time_of(stamp: Timestamp) -> str | None:
    """RFC 3339 in UTC; None when unset."""
    return stamp.ToJsonString() if stamp.seconds or stamp.nanos else None
