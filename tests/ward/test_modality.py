from collections.abc import Iterator
from typing import Any

import pytest
from pynetdicom import AE, AllStoragePresentationContexts, evt

from ward.events import Kind
from ward.generate import Ward
from ward.modality import AE_TITLE, Modality

OUT_OF_RESOURCES = 0xA700


class Receiver:
    """An SCP on a port of its own that remembers what came."""

    def __init__(self, port: int = 0) -> None:
        self.status = 0x0000
        self.stored: list[str] = []
        self.entity: Any = AE(ae_title=AE_TITLE)
        self.entity.supported_contexts = AllStoragePresentationContexts
        server: Any = self.entity.start_server(
            ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)]
        )
        self.port: int = server.socket.getsockname()[1]

    def _store(self, event: Any) -> int:
        self.stored.append(str(event.request.AffectedSOPInstanceUID))
        return self.status

    def associations(self) -> int:
        return len(self.entity.active_associations)

    def leave(self) -> None:
        """Abort what is open, and listen no more."""
        self.entity.shutdown()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.leave()


async def test_several_images_travel_over_one_association(ward: Ward, receiver: Receiver) -> None:
    images = [event for event in ward.events if event.kind is Kind.IMAGE][:3]
    async with Modality("127.0.0.1", receiver.port) as modality:
        assert [await modality.store(image.payload) for image in images] == [(0, "status 0x0000")] * 3
        assert receiver.associations() == 1
    assert receiver.stored == [image.document for image in images]


async def test_the_receivers_refusal_is_reported_with_its_status(ward: Ward, receiver: Receiver) -> None:
    image = next(event for event in ward.events if event.kind is Kind.IMAGE)
    receiver.status = OUT_OF_RESOURCES
    async with Modality("127.0.0.1", receiver.port) as modality:
        assert (await modality.store(image.payload))[0] == OUT_OF_RESOURCES


async def test_after_the_receiver_was_away_the_next_image_is_stored_again(ward: Ward, receiver: Receiver) -> None:
    image = next(event for event in ward.events if event.kind is Kind.IMAGE)
    async with Modality("127.0.0.1", receiver.port) as modality:
        assert (await modality.store(image.payload))[0] == 0
        receiver.leave()
        assert (await modality.store(image.payload))[0] is None
        again = Receiver(receiver.port)
        assert (await modality.store(image.payload))[0] == 0
        again.leave()
    assert again.stored == [image.document]
