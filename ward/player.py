"""Plays a ward in event order through the real protocols, as a hospital's interface engine would.

One lane a protocol, each in order and one message at a time. A message whose connection broke, or that was refused
because the receiver cannot keep it now, is sent again; a message refused for good is recorded and left behind.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from cli.senders import MllpClient, SendError, fhir_client, post_fhir
from ward.events import Event, Protocol
from ward.modality import Modality

GIVE_UP_AFTER_S = 90.0  # an interface engine tries for days; a demonstration that long without a receiver has failed
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 1.0
ANSWER_TIMEOUT_S = 15.0
HTTP_RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
DICOM_OUT_OF_RESOURCES = 0xA7  # high byte of status 0xA7xx, PS3.4 B.2.3
DICOM_WARNING = 0xB  # highest digit of status 0xBxxx: stored, with a remark


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a stack listens."""

    host: str
    mllp_port: int
    fhir_port: int
    dicom_port: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said. `retryable`: the same message may be sent again."""

    accepted: bool
    retryable: bool
    said: str


@dataclass(slots=True)
class Sent:
    """A message and what became of sending it. Times are seconds since the epoch."""

    event: Event
    first_byte_at: float
    acknowledged_at: float | None = None
    attempts: int = 0
    said: str = ""


Deliver = Callable[[bytes], Awaitable[Answer]]
OnSent = Callable[[Sent], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """The compressed clock: `speed` seconds of the ward pass in one second from `began` (epoch seconds) on."""

    start: datetime
    began: float
    speed: float

    def due(self, at: datetime) -> float:
        """When a moment of the ward is played, in seconds since the epoch."""
        return self.began + (at - self.start).total_seconds() / self.speed

    async def wait(self, at: datetime) -> None:
        """Return when `at` is due; at once when it has passed."""
        await asyncio.sleep(max(0.0, self.due(at) - time.time()))


@dataclass(slots=True)
class Ledger:
    """Everything that was handed to a receiver, in order of the first byte."""

    sent: list[Sent] = field(default_factory=list)

    def refused(self) -> list[Sent]:
        """Messages that were never acknowledged."""
        return [one for one in self.sent if one.acknowledged_at is None]


async def play(
    events: Iterable[Event], delivers: Mapping[Protocol, Deliver], pace: Pace, ledger: Ledger, on_sent: OnSent
) -> None:
    """Send every event when it is due, and return when each was acknowledged or given up."""
    lanes: dict[Protocol, list[Event]] = {protocol: [] for protocol in Protocol}
    for event in events:
        lanes[event.protocol].append(event)
    async with asyncio.TaskGroup() as group:
        for protocol, lane in lanes.items():
            group.create_task(_lane(lane, delivers[protocol], pace, ledger, on_sent))


async def _lane(events: Sequence[Event], deliver: Deliver, pace: Pace, ledger: Ledger, on_sent: OnSent) -> None:
    for event in events:
        await pace.wait(event.at)
        sent = Sent(event, first_byte_at=time.time())
        ledger.sent.append(sent)
        await send(sent, deliver)
        on_sent(sent)


async def send(sent: Sent, deliver: Deliver) -> None:
    """Deliver one message, again and again while that may help; writes into `sent` how it went."""
    pause = FIRST_PAUSE_S
    while True:
        sent.attempts += 1
        answer = await deliver(sent.event.payload)
        sent.said = answer.said
        if answer.accepted:
            sent.acknowledged_at = time.time()
            return
        if not answer.retryable or time.time() - sent.first_byte_at > GIVE_UP_AFTER_S:
            return
        await asyncio.sleep(pause)  # the receiver is away; it is asked less and less often
        pause = min(pause * 2, LONGEST_PAUSE_S)


@asynccontextmanager
async def connect(to: Endpoints) -> AsyncIterator[dict[Protocol, Deliver]]:
    """A way to deliver by each protocol, each with one connection that is opened again when it breaks."""
    async with (
        MllpClient(to.host, to.mllp_port, timeout_s=ANSWER_TIMEOUT_S) as mllp,
        fhir_client(f"http://{to.host}:{to.fhir_port}/fhir", timeout_s=ANSWER_TIMEOUT_S) as fhir,
        Modality(to.host, to.dicom_port) as modality,
    ):

        async def by_mllp(payload: bytes) -> Answer:
            try:
                ack = await mllp.send(payload)
            except SendError as error:
                return Answer(accepted=False, retryable=True, said=str(error))
            return Answer(ack.accepted, ack.code in {"AE", "CE"}, f"{ack.code} {ack.text}".strip())

        async def by_fhir(payload: bytes) -> Answer:
            try:
                said = await post_fhir(fhir, payload)
            except SendError as error:
                return Answer(accepted=False, retryable=True, said=str(error))
            return Answer(said.accepted, said.status in HTTP_RETRYABLE, f"{said.status} {said.text}")

        async def by_dicom(payload: bytes) -> Answer:
            status, said = await modality.store(payload)
            away = status is None or status >> 8 == DICOM_OUT_OF_RESOURCES
            return Answer(status is not None and (status == 0 or status >> 12 == DICOM_WARNING), away, said)

        yield {Protocol.MLLP: by_mllp, Protocol.FHIR: by_fhir, Protocol.DICOM: by_dicom}
