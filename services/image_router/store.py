"""Make one received instance safe: blob store first, then Kafka; only then may the sender be answered."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from typing import Any, Protocol

from vigil.v1.images_pb2 import ImageReceived
from vigil.v1.meta_pb2 import Blob

from services.common.bus import Publish
from services.common.metrics import observe_stage
from services.common.outcomes import Transient
from services.common.topics import Topic
from services.common.unstated import no_authority_stated
from services.image_router.intake import Arrival, Intake, read_header, received_image
from services.image_router.metrics import INSTANCE_BYTES
from services.image_router.tags import patient_identifier

DICOM = "application/dicom"
BLOB_WRITES = 16  # at a time; those that hang keep their place, and their content in memory


class Blobs(Protocol):
    """The part of `services.common.blobs.BlobStore` that image-router needs. Methods block."""

    def put(self, content: bytes, media_type: str) -> Blob:
        """Raises Transient."""

    def get(self, blob: Blob) -> bytes:
        """Raises Invalid, Transient."""


@dataclass(frozen=True, slots=True)
class ImageStore:
    """publish: returns once Kafka has the message, raises Transient otherwise; safe to call from any thread.

    deadline_s: seconds for the blob store.
    """

    blobs: Blobs
    publish: Callable[[Publish], None]
    intake: Intake
    deadline_s: float
    places: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(BLOB_WRITES))

    def __call__(self, content: bytes, arrival: Arrival) -> None:
        """Return once the instance is in the blob store and announced.

        content: a DICOM file, kept byte for byte. Raises Invalid: not understood; Transient: not stored. Blocks.
        """
        header = read_header(content)
        image = received_image(header, arrival, self.intake)
        if not patient_identifier(header).authority:
            no_authority_stated("dicom", "Issuer of Patient ID (0010,0021)", self.intake.default_authority)
        image.blob.CopyFrom(self._put(content))
        self.publish(announced(image))
        INSTANCE_BYTES.inc(len(content))
        observe_stage("image_received", image.meta, self.intake.clock)

    def _put(self, content: bytes) -> Blob:
        """In a thread of its own, which neither the sender nor the end of the process waits for when it hangs."""
        if not self.places.acquire(timeout=self.deadline_s):
            raise Transient("the blob store is busy")
        pending: Future[Blob] = Future()

        def write() -> None:
            try:
                pending.set_result(self.blobs.put(content, DICOM))
            except BaseException as error:  # noqa: BLE001 - the waiting thread raises it
                pending.set_exception(error)
            finally:
                self.places.release()

        threading.Thread(target=write, name="blob-write", daemon=True).start()
        try:
            return pending.result(self.deadline_s)
        except FutureTimeoutError as error:
            raise Transient("the blob store did not answer in time") from error


def announced(image: ImageReceived) -> Publish:
    """As it goes to Kafka."""
    return Publish(to=Topic.IMAGES_RECEIVED, key=image.meta.patient_key, message=image)


def from_threads(
    publish: Callable[[Publish], Coroutine[Any, Any, None]], loop: asyncio.AbstractEventLoop, deadline_s: float
) -> Callable[[Publish], None]:
    """Call the coroutine function `publish` from other threads; wait for `deadline_s` seconds at most.

    The returned function raises what `publish` raises, and Transient after the deadline or when the loop stopped.
    """

    def call(message: Publish) -> None:
        publishing = publish(message)
        try:
            pending = asyncio.run_coroutine_threadsafe(publishing, loop)
        except RuntimeError as error:
            publishing.close()
            raise Transient("Vigil is stopping") from error
        try:
            pending.result(deadline_s)
        except (FutureTimeoutError, CancelledError) as error:
            raise Transient("Kafka did not acknowledge in time") from error

    return call
