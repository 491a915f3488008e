from datetime import UTC, datetime

from vigil.v1.meta_pb2 import Meta

from services.common.clock import from_timestamp, to_timestamp
from services.common.meta import child_trace_parent, derived_meta, new_trace_parent

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ONE = datetime(2026, 3, 1, 13, tzinfo=UTC)


def cause() -> Meta:
    return Meta(
        message_id="a",
        event_time=to_timestamp(NOON),
        ingest_time=to_timestamp(NOON),
        source="hl7v2:MONITOR",
        patient_key="k" * 32,
        revision=2,
        trace_parent=new_trace_parent(),
        synthetic=True,
    )


def test_what_follows_carries_its_causes_times_patient_and_trace() -> None:
    derived = derived_meta(cause(), "coded", lambda: ONE)
    assert from_timestamp(derived.event_time) == from_timestamp(derived.ingest_time) == NOON
    assert from_timestamp(derived.produced_time) == ONE
    assert (derived.patient_key, derived.synthetic, derived.revision) == ("k" * 32, True, 2)


def test_a_replay_gives_the_same_id_and_another_kind_another() -> None:
    assert (
        derived_meta(cause(), "coded", lambda: NOON).message_id
        == derived_meta(cause(), "coded", lambda: ONE).message_id
    )
    assert (
        derived_meta(cause(), "coded", lambda: NOON).message_id
        != derived_meta(cause(), "risk", lambda: NOON).message_id
    )


def test_a_child_span_stays_in_its_trace() -> None:
    parent = new_trace_parent()
    child = child_trace_parent(parent)
    assert child.split("-")[1] == parent.split("-")[1]
    assert child != parent
    assert len(child_trace_parent("rubbish").split("-")) == 4
