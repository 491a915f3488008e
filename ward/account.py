"""Holds what was sent against what came out: one result for every message, each visible exactly once."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from services.common.identity import PatientKeys
from ward.events import Event, Kind
from ward.follow import Follower, Identity, Seen, identity
from ward.people import AUTHORITY
from ward.player import Sent

DERIVED = {Kind.NOTE: "coded", Kind.IMAGE: "read"}


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one sent message.

    stages: seconds from the sender's first byte, by stage ("received", "coded", "read", "risk"), as far as it came.
    missing: the stage that was not reached; empty when all were. duplicates: results beyond the first with another
    id. replays: the same result published again under its id, which consumers pass over.
    """

    sent: Sent
    stages: dict[str, float]
    missing: str
    duplicates: int
    replays: int


@dataclass(slots=True)
class _Trail:
    """Follows one message from topic to topic."""

    seen: Seen
    began: float
    stages: dict[str, float] = field(default_factory=dict)
    duplicates: int = 0
    replays: int = 0

    def step(self, stage: str, found: Counter[str] | None) -> str:
        """Note one stage; the id that was found, empty when none was."""
        if not found:
            return ""
        self.duplicates += len(found) - 1
        self.replays += found.total() - len(found)
        first = min(found, key=lambda ident: self.seen.times[ident])
        self.stages[stage] = self.seen.times[first] - self.began
        return first


def expected_identity(event: Event, keys: PatientKeys) -> Identity:
    """How the message of an event looks on its first topic."""
    what = event.document
    if event.kind in {Kind.OBSERVATIONS, Kind.ENCOUNTER}:
        what = f"{what} {event.at.isoformat(timespec='seconds')}".strip()
    return identity(event.kind, keys.key(AUTHORITY, event.mrn), what)


def account(sent: Sent, seen: Seen, keys: PatientKeys) -> Result:
    """What has come of one message so far."""
    trail = _Trail(seen, sent.first_byte_at)
    ident = trail.step("received", seen.received.get(expected_identity(sent.event, keys)))
    missing = "" if ident else "received"
    derived = DERIVED.get(sent.event.kind)
    if ident and derived:
        ident = trail.step(derived, getattr(seen, derived).get(ident))
        missing = "" if ident else derived
    if ident and not trail.step("risk", seen.risks.get(ident)):
        missing = "risk"
    return Result(sent, trail.stages, missing, trail.duplicates, trail.replays)


def accounts(sent: Iterable[Sent], seen: Seen, keys: PatientKeys) -> list[Result]:
    """What has come of every message so far."""
    return [account(one, seen, keys) for one in sent]


async def all_out(sent: Sequence[Sent], follower: Follower, keys: PatientKeys, patience_s: float) -> None:
    """Return when every acknowledged message has its result, or when that lasts longer than `patience_s` seconds."""
    waiting = [one for one in sent if one.acknowledged_at is not None]
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            while waiting := [one for one in waiting if account(one, follower.seen, keys).missing]:
                await heard(follower)


async def heard(follower: Follower) -> None:
    """Wait for anything new on the topics."""
    follower.changed.clear()
    await follower.changed.wait()


def end_to_end(results: Iterable[Result]) -> Iterator[float]:
    """Seconds from first byte to risk of the messages that came out."""
    return (result.stages["risk"] for result in results if "risk" in result.stages)


def quantiles(values: Iterable[float]) -> dict[str, float]:
    """p50, p95, p99 and max (nearest rank); empty without values."""
    ordered = sorted(values)
    if not ordered:
        return {}
    at = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in at.items()}
