import asyncio
from datetime import UTC, datetime

import pytest
from vigil.v1 import encounters_pb2, images_pb2, meta_pb2, notes_pb2, observations_pb2, risk_pb2

from services.common.clock import to_timestamp
from services.common.identity import PatientKeys
from services.common.topics import Topic
from ward.account import account, all_out, quantiles
from ward.events import Event, Kind, Protocol
from ward.follow import Seen
from ward.people import AUTHORITY
from ward.player import Sent

KEYS = PatientKeys(b"0123456789abcdef0123")
AT = datetime(2026, 11, 22, 9, 0, 2, tzinfo=UTC)
BEGAN = AT.timestamp() + 3600


def meta(ident: str) -> meta_pb2.Meta:
    return meta_pb2.Meta(
        message_id=ident,
        patient_key=KEYS.key(AUTHORITY, "SYNX01"),
        event_time=to_timestamp(AT),
        ingest_time=to_timestamp(AT),
        produced_time=to_timestamp(AT),
    )


def sent(kind: Kind, document: str = "") -> Sent:
    event = Event(1, AT, Protocol.MLLP, kind, 1, "SYNX01", document, b"")
    return Sent(event, first_byte_at=BEGAN, acknowledged_at=BEGAN + 0.01)


def with_risk(seen: Seen, cause: str, risk: str = "r1", after: float = 0.3) -> Seen:
    seen.take(Topic.PATIENT_RISK, risk_pb2.PatientRisk(meta=meta(risk), caused_by=[cause]), BEGAN + after)
    return seen


def test_a_vital_sign_that_reached_the_risk_is_complete() -> None:
    seen = Seen()
    seen.take(Topic.OBSERVATIONS_RECEIVED, observations_pb2.ObservationsReceived(meta=meta("o1")), BEGAN + 0.1)
    result = account(sent(Kind.OBSERVATIONS), with_risk(seen, "o1"), KEYS)
    assert (result.missing, result.duplicates, result.replays) == ("", 0, 0)
    assert result.stages == pytest.approx({"received": 0.1, "risk": 0.3}, abs=1e-6)


def test_a_message_that_nobody_saw_is_missing_at_its_first_stage() -> None:
    assert account(sent(Kind.OBSERVATIONS), Seen(), KEYS).missing == "received"


def test_a_note_needs_its_coding_and_the_risk_that_took_the_coding_in() -> None:
    seen = Seen()
    seen.take(Topic.NOTES_RECEIVED, notes_pb2.NoteReceived(meta=meta("n1"), document_id="D1"), BEGAN + 0.1)
    one = sent(Kind.NOTE, "D1")
    assert account(one, seen, KEYS).missing == "coded"
    seen.take(Topic.NOTES_CODED, notes_pb2.NoteCoded(meta=meta("c1"), note_message_id="n1"), BEGAN + 0.2)
    assert account(one, seen, KEYS).missing == "risk"
    assert account(one, with_risk(seen, "c1"), KEYS).missing == ""


def test_an_image_needs_its_findings_and_a_movement_its_trigger() -> None:
    seen = Seen()
    image = images_pb2.ImageReceived(meta=meta("i1"), image=images_pb2.ImageIdentity(sop_instance_uid="2.25.1"))
    seen.take(Topic.IMAGES_RECEIVED, image, BEGAN)
    assert account(sent(Kind.IMAGE, "2.25.1"), seen, KEYS).missing == "read"
    seen.take(Topic.ENCOUNTERS, encounters_pb2.Encounter(meta=meta("e1"), trigger="A02"), BEGAN)
    assert account(sent(Kind.ENCOUNTER, "A01"), seen, KEYS).missing == "received"
    assert account(sent(Kind.ENCOUNTER, "A02"), with_risk(seen, "e1"), KEYS).missing == ""


def test_the_same_id_twice_is_a_replay_and_another_id_is_a_duplicate() -> None:
    seen = Seen()
    group = observations_pb2.ObservationsReceived(meta=meta("o1"))
    seen.take(Topic.OBSERVATIONS_RECEIVED, group, BEGAN)
    seen.take(Topic.OBSERVATIONS_RECEIVED, group, BEGAN)
    with_risk(seen, "o1", "r1")
    with_risk(seen, "o1", "r2", after=0.9)
    result = account(sent(Kind.OBSERVATIONS), seen, KEYS)
    assert (result.duplicates, result.replays) == (1, 1)
    assert result.stages["risk"] == pytest.approx(0.3, abs=1e-6)


def test_quantiles_are_the_nearest_ranks() -> None:
    assert quantiles(range(100)) == {"p50": 50, "p95": 95, "p99": 99, "max": 99}
    assert quantiles([]) == {}


async def test_a_follower_of_nothing_is_not_waited_for_longer_than_asked() -> None:
    class Silent:
        seen = Seen()
        changed = asyncio.Event()

    await all_out([sent(Kind.OBSERVATIONS)], Silent(), KEYS, patience_s=0.05)  # type: ignore[arg-type]
