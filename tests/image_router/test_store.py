import asyncio
import threading
from datetime import UTC, datetime

import pytest
from google.protobuf.message import Message
from vigil.v1.images_pb2 import ImageReceived
from vigil.v1.meta_pb2 import Blob

from services.common.bus import Publish
from services.common.identity import PatientKeys
from services.common.outcomes import Transient
from services.common.topics import Topic
from services.image_router.intake import Arrival, Intake
from services.image_router.store import ImageStore, from_threads
from tests.image_router.fakes import MemoryBlobs
from tests.image_router.samples import INSTANCE_UID, as_file, gradient, radiograph

MESSAGE: Message = ImageReceived()
ANNOUNCED = Publish(to=Topic.IMAGES_RECEIVED, key="k", message=MESSAGE)


async def test_a_thread_gets_the_answer_of_the_loop() -> None:
    seen = []

    async def publish(message: Publish) -> None:
        seen.append(message)

    await asyncio.to_thread(from_threads(publish, asyncio.get_running_loop(), 5), ANNOUNCED)
    assert seen == [ANNOUNCED]


async def test_a_thread_gets_the_outcome_of_the_loop() -> None:
    async def publish(_: Publish) -> None:
        raise Transient("Kafka is away")

    with pytest.raises(Transient, match="Kafka is away"):
        await asyncio.to_thread(from_threads(publish, asyncio.get_running_loop(), 5), ANNOUNCED)


async def test_no_answer_in_time_is_not_stored() -> None:
    async def publish(_: Publish) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Transient, match="in time"):
        await asyncio.to_thread(from_threads(publish, asyncio.get_running_loop(), 0.05), ANNOUNCED)


def test_a_loop_that_has_stopped_is_not_stored() -> None:
    loop = asyncio.new_event_loop()
    loop.close()

    async def publish(_: Publish) -> None:
        return

    with pytest.raises(Transient, match="stopping"):
        from_threads(publish, loop, 1)(ANNOUNCED)


async def test_a_publish_that_is_cancelled_at_shutdown_is_not_stored() -> None:
    started = asyncio.Event()

    async def publish(_: Publish) -> None:
        started.set()
        raise asyncio.CancelledError

    with pytest.raises(Transient, match="in time"):
        await asyncio.to_thread(from_threads(publish, asyncio.get_running_loop(), 5), ANNOUNCED)
    assert started.is_set()


class HangingBlobs(MemoryBlobs):
    """Answers once `answer` is set."""

    answer = threading.Event()

    def put(self, content: bytes, media_type: str) -> Blob:
        self.answer.wait()
        return super().put(content, media_type)


def test_a_blob_store_that_hangs_is_not_waited_for_longer_than_the_deadline() -> None:
    now = datetime(2026, 5, 6, tzinfo=UTC)
    published: list[Publish] = []
    intake = Intake(PatientKeys(b"0123456789abcdef"), "HOSPITAL", UTC, lambda: now)
    store = ImageStore(HangingBlobs(), published.append, intake, 0.05, threading.Semaphore(1))
    content, arrival = as_file(radiograph(gradient())), Arrival("dicom:CT01", INSTANCE_UID, now)
    try:
        for reason in ("did not answer in time", "is busy"):
            with pytest.raises(Transient, match=reason):
                store(content, arrival)
        assert published == []
    finally:
        HangingBlobs.answer.set()
