"""What every transport does with a message: understand, publish, keep what was refused, count."""

import asyncio
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol as Interface

import structlog
from vigil.v1.dead_letters_pb2 import DeadLetter

from services.common.bus import Publish
from services.common.clock import to_timestamp
from services.common.metrics import observe_stage
from services.common.outcomes import Invalid, Transient
from services.common.topics import Topic
from services.common.unstated import no_authority_stated
from services.note_ingest.drafts import Parsed, Protocol
from services.note_ingest.intake import Intake, take_in
from services.note_ingest.metrics import (
    ANSWER_SECONDS,
    DEAD_LETTERS_LOST,
    IN_FLIGHT,
    MESSAGES,
    OUT_OF_RANGE,
    RECEIVED_BYTES,
    REFUSED,
)
from services.note_ingest.refusals import BUG, TOO_LARGE, Refused

log = structlog.get_logger()

SERVICE = "note-ingest"
AUTHORITY_PLACES = {
    Protocol.HL7V2: "PID-3.4",
    Protocol.FHIR: "Patient.identifier.system",
    Protocol.GRPC: "assigning_authority",
}
INLINE_BYTES = 64 * 1024  # a larger message is read in a thread: the other senders must not wait for it
KEEP_DEADLINE_S = 2.0  # a sender must not wait longer for its refusal


class Publisher(Interface):
    """Where messages go; `services.common.bus.Producer` is one."""

    async def publish_all(self, publishes: Sequence[Publish]) -> None:
        """Return once Kafka has every message (acks=all). Raises Transient when it does not answer."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as it came, for what is said and kept about it."""

    protocol: Protocol
    kind: str
    payload: bytes
    arrived: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was made of a message, once Kafka has it."""

    message_ids: tuple[str, ...]
    remark: str


class Reception:
    """The way in. `max_in_flight` messages at most are between arrival and Kafka's answer; more wait."""

    def __init__(self, intake: Intake, publisher: Publisher, max_in_flight: int) -> None:
        self.intake = intake
        self._publisher = publisher
        self._places = asyncio.Semaphore(max_in_flight)

    async def receive(self, letter: Letter, parse: Callable[[], Parsed]) -> Receipt:
        """Return once everything that follows from the message is durable.

        parse: called once; in a thread when the message is larger than `INLINE_BYTES`.

        Raises Refused when nothing will ever come of it (it is then kept as a dead letter, as far as Kafka allows),
        Transient when Kafka does not answer and the sender shall send it again.
        """
        protocol = letter.protocol.value
        RECEIVED_BYTES.labels(protocol).inc(len(letter.payload))
        outcome = "failed"
        with IN_FLIGHT.labels(protocol).track_inprogress():
            try:
                async with self._places:
                    receipt = await self._publish(parse, len(letter.payload))
                outcome = "accepted"
            except Refused as refused:
                outcome = "refused"
                await self.refuse(letter, refused)
                raise
            except Transient:
                outcome = "unavailable"
                raise
            finally:
                MESSAGES.labels(protocol, letter.kind, outcome).inc()
                elapsed = (self.intake.clock() - letter.arrived).total_seconds()
                ANSWER_SECONDS.labels(protocol).observe(max(elapsed, 0.0))
        return receipt

    async def refuse(self, letter: Letter, refused: Refused) -> None:
        """Keep a refused message whole, best effort: its sender is told either way."""
        REFUSED.labels(letter.protocol.value, refused.fault.hl7).inc()
        log.info("refused", protocol=letter.protocol.value, kind=letter.kind, reason=refused.reason)
        kept = DeadLetter(
            service=SERVICE,
            reason=refused.reason,
            failed_at=to_timestamp(self.intake.clock()),
            stack=refused.stack,
            payload=letter.payload,
            protocol=letter.protocol.value,
        )
        try:
            async with asyncio.timeout(KEEP_DEADLINE_S):
                await self._publisher.publish_all([Publish(to=Topic.NOTE_INGEST_DLQ, key=b"", message=kept)])
        except (Transient, Invalid, TimeoutError):
            DEAD_LETTERS_LOST.inc()

    def _understand(self, parse: Callable[[], Parsed]) -> tuple[str, list[Publish]]:
        """The remark, and what follows."""
        try:
            parsed = parse()
            publishes = take_in(parsed, self.intake)
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001 - the edge's end of the ladder: a bug must not stop the other senders
            raise _bug(error) from None
        if any(not draft.subject.patient.authority.strip() for draft in parsed.drafts):
            protocol = parsed.arrival.protocol
            no_authority_stated(protocol.value, AUTHORITY_PLACES[protocol], self.intake.default_authority)
        return parsed.remark, publishes

    async def _publish(self, parse: Callable[[], Parsed], size: int) -> Receipt:
        if size > INLINE_BYTES:
            remark, publishes = await asyncio.to_thread(self._understand, parse)
        else:
            remark, publishes = self._understand(parse)
        try:
            await self._publisher.publish_all(publishes)
        except Refused:
            raise
        except Invalid as invalid:  # more than Kafka takes in one message
            raise Refused(TOO_LARGE, invalid.reason) from invalid
        for publish in publishes:
            self._count(publish)
        return Receipt(tuple(publish.message.meta.message_id for publish in publishes), remark)  # type: ignore[attr-defined]

    def _count(self, publish: Publish) -> None:
        observe_stage("received", publish.message.meta, self.intake.clock)  # type: ignore[attr-defined]
        for observation in getattr(publish.message, "observations", ()):
            if observation.out_of_range:
                OUT_OF_RANGE.labels(observation.name).inc()


def _bug(error: Exception) -> Refused:
    """A fault of ours. Files and lines are kept, no values: they may be a patient's."""
    frames = traceback.extract_tb(error.__traceback__)
    refused = Refused(BUG, "the message could not be processed because of a fault in the receiver")
    refused.stack = "\n".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    log.error("fault while reading a message", error=type(error).__name__, stack=refused.stack)
    return refused
