"""The `Meta` of messages: fresh at the edge, carried on by everything derived."""

import secrets

from vigil.v1.meta_pb2 import Meta

from services.common.clock import Clock, to_timestamp
from services.common.identity import message_id

SCHEMA_VERSION = 1


def new_trace_parent() -> str:
    """W3C trace context of a new, sampled trace."""
    digits = secrets.token_hex(24)
    return f"00-{digits[:32]}-{digits[32:]}-01"


def child_trace_parent(parent: str) -> str:
    """The same trace with a new span; a new trace when `parent` is empty or malformed."""
    parts = parent.split("-")
    if len(parts) != 4:  # noqa: PLR2004 - version, trace, span, flags
        return new_trace_parent()
    return f"{parts[0]}-{parts[1]}-{secrets.token_hex(8)}-{parts[3]}"


def derived_meta(cause: Meta, kind: str, clock: Clock, *, revision: int | None = None) -> Meta:
    """Meta of what follows from `cause`: its patient, times, source and trace; an id made from `kind` and its id."""
    meta = Meta()
    meta.CopyFrom(cause)
    meta.message_id = message_id(kind, cause.message_id)
    if revision is not None:
        meta.revision = revision
    meta.schema_version = SCHEMA_VERSION
    meta.trace_parent = child_trace_parent(cause.trace_parent)
    meta.produced_time.CopyFrom(to_timestamp(clock()))
    return meta
