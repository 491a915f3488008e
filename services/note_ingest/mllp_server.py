"""HL7 v2 over MLLP: connections stay open for weeks, messages are handled side by side, answers keep their order."""

import asyncio
import socket
from dataclasses import dataclass

import structlog

from services.common.health import Health
from services.common.outcomes import Transient
from services.common.startup import taking_port
from services.note_ingest.drafts import Parsed, Protocol
from services.note_ingest.hl7v2 import acknowledge
from services.note_ingest.hl7v2.messages import Hl7Settings, event_label, parse_hl7
from services.note_ingest.metrics import CONNECTIONS, GARBAGE_BYTES
from services.note_ingest.mllp_frames import Frame, Framer, FrameState
from services.note_ingest.reception import Letter, Reception
from services.note_ingest.refusals import MALFORMED, TOO_LARGE, Refused

log = structlog.get_logger()

START_BLOCK, END_BLOCK = b"\x0b", b"\x1c\r"
READ_BYTES = 256 * 1024
GARBAGE_LIMIT_BYTES = 1 << 20  # of a peer that speaks something else
TICK_S = 2.0


@dataclass(frozen=True, slots=True)
class MllpLimits:
    """max_message_bytes: of one message. pipeline: messages of one connection that may await their answer.

    end_pause_s: seconds without a byte after which 0x1C alone has ended a message.
    """

    max_message_bytes: int
    pipeline: int
    max_connections: int
    end_pause_s: float


class MllpServer:
    """Answers each message after Kafka has what follows from it (AA), or with the reason why not (AE, AR).

    Answers are of the original mode (AA, AE, AR) whatever MSH-15 and MSH-16 ask for, as most receivers do it.
    """

    def __init__(self, reception: Reception, hl7: Hl7Settings, limits: MllpLimits) -> None:
        self._reception = reception
        self._hl7 = hl7
        self._limits = limits
        self._open = 0

    async def serve(self, host: str, port: int, health: Health) -> None:
        """Serve until cancelled. Raises CannotStart when the port is taken."""
        progress = health.progress("mllp")
        with taking_port("mllp_port", host, port):
            server = await asyncio.start_server(self._connected, host, port, limit=READ_BYTES)
        log.info("listening", protocol="mllp", port=port)
        async with server:
            while True:
                progress.tick()
                await asyncio.sleep(TICK_S)

    async def answer(self, frame: Frame) -> bytes:
        """The acknowledgement of one frame, without marks."""
        header = acknowledge.read_header(frame.body)
        clock = self._reception.intake.clock
        letter = Letter(Protocol.HL7V2, event_label(frame.body), frame.body, frame.arrived)
        try:
            receipt = await self._reception.receive(letter, lambda: self._parse(frame))
        except Refused as refused:
            return acknowledge.refused(header, clock(), refused)
        except Transient:
            return acknowledge.busy(header, clock(), "Kafka does not answer, so the message could not be kept")
        return acknowledge.accepted(header, clock(), receipt.remark)

    def _parse(self, frame: Frame) -> Parsed:
        if frame.state is FrameState.TOO_LARGE:
            raise Refused(TOO_LARGE, f"the message is larger than {self._limits.max_message_bytes} bytes")
        if frame.state is FrameState.CUT_OFF:
            raise Refused(MALFORMED, "the frame was cut off by the beginning of another one")
        return parse_hl7(frame.body, frame.arrived, self._hl7)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= self._limits.max_connections:
            log.warning("connection refused: too many are open", protocol="mllp")
            writer.close()
            return
        _keep_alive(writer)
        self._open += 1
        try:
            with CONNECTIONS.labels(Protocol.HL7V2.value).track_inprogress():
                await self._converse(reader, writer)
        except* (ConnectionError, TimeoutError):
            log.debug("connection ended by its peer", protocol="mllp")
        finally:
            self._open -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read until the peer ends, answering what it sent. A full queue stops reading, and so the sender."""
        framer = Framer(self._limits.max_message_bytes)
        answers: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue(self._limits.pipeline)
        async with asyncio.TaskGroup() as group:
            group.create_task(_write_in_order(answers, writer))
            more = True
            while more:
                data = await self._read(reader, framer)
                before, more = framer.garbage, data != b""
                frames = framer.feed(data, self._reception.intake.clock()) if data else framer.paused()
                for frame in frames:
                    await answers.put(group.create_task(self.answer(frame)))
                GARBAGE_BYTES.inc(framer.garbage - before)
                if framer.garbage > GARBAGE_LIMIT_BYTES:
                    log.warning("connection closed: its peer does not speak MLLP", protocol="mllp")
                    break
            await answers.put(None)

    async def _read(self, reader: asyncio.StreamReader, framer: Framer) -> bytes | None:
        """What the peer sends next; None when it pauses where its message may have ended, empty when it ends."""
        pause = asyncio.timeout(self._limits.end_pause_s if framer.may_have_ended else None)
        try:
            async with pause:
                return await reader.read(READ_BYTES)
        except TimeoutError:
            if not pause.expired():  # the connection's own: its peer has vanished
                raise
            return None


async def _write_in_order(answers: "asyncio.Queue[asyncio.Task[bytes] | None]", writer: asyncio.StreamWriter) -> None:
    while (answer := await answers.get()) is not None:
        writer.write(START_BLOCK + await answer + END_BLOCK)
        await writer.drain()


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """A peer that vanished without a word is noticed, although connections may be idle for days."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
