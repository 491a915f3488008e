"""The text of coded notes, read from where it lies in Kafka when somebody opens it."""

import asyncio
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from vigil.v1.alerts_pb2 import NotePlace
from vigil.v1.notes_pb2 import NoteCoded

from services.common.bus import MAX_MESSAGE_BYTES, connected, decode
from services.common.outcomes import Invalid, Transient
from services.common.settings import SharedSettings
from services.common.topics import Topic


class NoteReader:
    """Reads single messages of notes-coded by their place. Use as an async context manager."""

    def __init__(self, settings: SharedSettings, deadline_s: float) -> None:
        self._bootstrap = settings.kafka_bootstrap
        self._deadline_s = deadline_s
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            client_id="alerting-notes",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
            metadata_max_age_ms=30_000,
        )
        await connected(self._consumer)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def read(self, place: NotePlace) -> NoteCoded:
        """The note that lies there.

        Raises:
            Invalid: it is no longer kept.
            Transient: Kafka did not answer in time.
        """
        partition = TopicPartition(Topic.NOTES_CODED, place.partition)
        try:
            async with asyncio.timeout(self._deadline_s), self._one_at_a_time:
                if self._consumer.assignment() != {partition}:
                    self._consumer.assign([partition])
                first = (await self._consumer.beginning_offsets([partition]))[partition]
                if place.offset < first:
                    raise Invalid("the text of this note is no longer kept")
                self._consumer.seek(partition, place.offset)
                record = await self._consumer.getone(partition)
        except (TimeoutError, KafkaError) as error:
            raise Transient("Kafka did not answer with the text of the note") from error
        note = decode(Topic.NOTES_CODED, record.value)
        if not isinstance(note, NoteCoded) or note.meta.message_id != place.coded_message_id:
            raise Invalid("the text of this note is no longer kept")
        return note
