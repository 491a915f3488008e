"""gRPC: one long-lived stream of notes, answered in order."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import grpc
from vigil.v1.note_ingest_service_pb2 import DESCRIPTOR, StreamNotesRequest, StreamNotesResponse
from vigil.v1.note_ingest_service_pb2_grpc import (
    NoteIngestServiceServicer,
    add_NoteIngestServiceServicer_to_server,
)

from services.common.clock import from_timestamp
from services.common.outcomes import Transient
from services.note_ingest.config import NoteIngestSettings
from services.note_ingest.drafts import Arrival, Identity, Note, Parsed, Protocol, Subject
from services.note_ingest.metrics import CONNECTIONS
from services.note_ingest.reception import Letter, Reception
from services.note_ingest.refusals import BAD_CODE, BAD_VALUE, MISSING, TOO_LARGE, Refused

SERVICE_NAME = DESCRIPTOR.services_by_name["NoteIngestService"].full_name
KINDS = {
    "nursing",
    "radiology",
    "progress",
    "discharge",
    "consult",
    "emergency",
    "operative",
    "history_and_physical",
    "clinic",
    "pathology",
    "other",
}
LONGEST_SOURCE = 64
RECEIVE_FACTOR = 2  # a note up to this much over the limit is refused alone; a larger one ends its stream


class NoteIngest(NoteIngestServiceServicer):
    """`StreamNotes`: up to `pipeline` notes of a stream await Kafka at once; then the sender waits."""

    def __init__(self, reception: Reception, settings: NoteIngestSettings) -> None:
        self._reception = reception
        self._settings = settings

    async def StreamNotes(  # noqa: N802 - the generated name
        self, request_iterator: AsyncIterator[StreamNotesRequest], _context: Any
    ) -> AsyncIterator[StreamNotesResponse]:
        """Answer each note in the order it came, after Kafka has it or with the reason it was refused."""
        answers: asyncio.Queue[asyncio.Task[StreamNotesResponse] | None] = asyncio.Queue(self._settings.pipeline)
        with CONNECTIONS.labels(Protocol.GRPC.value).track_inprogress():
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read(request_iterator, answers, group))
                try:
                    while (answer := await answers.get()) is not None:
                        yield await answer
                finally:
                    reading.cancel()

    async def _read(
        self,
        requests: AsyncIterator[StreamNotesRequest],
        answers: "asyncio.Queue[asyncio.Task[StreamNotesResponse] | None]",
        group: asyncio.TaskGroup,
    ) -> None:
        async for request in requests:
            arrived = self._reception.intake.clock()
            await answers.put(group.create_task(self._answer(request, arrived)))
        await answers.put(None)

    async def _answer(self, request: StreamNotesRequest, arrived: datetime) -> StreamNotesResponse:
        within = request.ByteSize() <= self._settings.max_message_bytes
        letter = Letter(Protocol.GRPC, "note", request.SerializeToString() if within else b"", arrived)
        answer = StreamNotesResponse(client_id=request.client_id)
        try:
            receipt = await self._reception.receive(letter, lambda: self._parse(request, arrived))
        except Refused as refused:
            answer.reason = f"{refused.location}: {refused.reason}" if refused.location else refused.reason
        except Transient:
            answer.reason = "Kafka does not answer, so the note could not be kept; send it again"
            answer.retryable = True
        else:
            answer.accepted = True
            answer.message_id = receipt.message_ids[0]
        return answer

    def _parse(self, request: StreamNotesRequest, arrived: datetime) -> Parsed:
        if request.ByteSize() > self._settings.max_message_bytes:
            raise Refused(TOO_LARGE, f"the note is larger than {self._settings.max_message_bytes} bytes")
        if not request.patient_id.strip():
            raise Refused(MISSING, "the note names no patient", "patient_id")
        if request.kind and request.kind not in KINDS:
            raise Refused(BAD_CODE, f"kind is one of {', '.join(sorted(KINDS))}", "kind")
        written = from_timestamp(request.event_time) if request.HasField("event_time") else arrived
        if written > arrived + self._settings.max_future:
            raise Refused(BAD_VALUE, "the time lies in the future", "event_time")
        visit = Identity(request.assigning_authority, request.visit_id) if request.visit_id else None
        note = Note(
            subject=Subject(Identity(request.assigning_authority, request.patient_id), visit),
            event_time=written,
            text=request.text,
            kind=request.kind or "other",
            document_id=request.document_id.strip(),
            version=request.version,
            language=request.language,
        )
        source = "".join(c for c in request.source if c.isalnum() or c in " _.-")[:LONGEST_SOURCE]
        return Parsed(Arrival(Protocol.GRPC, f"grpc:{source}".rstrip(":"), arrived, request.synthetic), (note,))


def register(reception: Reception, settings: NoteIngestSettings) -> Callable[[grpc.aio.Server], None]:
    """Adds the servicer to a server."""

    def add(server: grpc.aio.Server) -> None:
        add_NoteIngestServiceServicer_to_server(NoteIngest(reception, settings), server)

    return add
