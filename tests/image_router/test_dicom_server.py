import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from vigil.v1.images_pb2 import ImageReceived

from services.common.bus import Publish
from services.common.clock import from_timestamp
from services.common.health import Health
from services.common.identity import PatientKeys
from services.common.outcomes import Transient
from services.common.settings import SharedSettings
from services.common.startup import CannotStart
from services.image_router.config import ImageRouterSettings
from services.image_router.dicom_server import serve_dicom
from services.image_router.intake import Intake
from services.image_router.store import ImageStore
from tests.image_router.fakes import MemoryBlobs
from tests.image_router.samples import DX_CLASS, as_file, gradient, radiograph, sample_bytes
from tests.stacks import free_ports

MOMENTS = [datetime(2026, 5, 6, 7, 8, second, tzinfo=UTC) for second in range(60)]


@dataclass
class Kafka:
    """Remembers what was published; `away` refuses it."""

    published: list[Publish] = field(default_factory=list)
    away: bool = False

    def publish(self, message: Publish) -> None:
        if self.away:
            raise Transient("Kafka did not acknowledge")
        self.published.append(message)


@dataclass
class Scp:
    """A running server and what is behind it."""

    port: int
    kafka: Kafka
    blobs: MemoryBlobs

    async def store(self, *datasets: Dataset, syntax: str = ExplicitVRLittleEndian) -> list[Dataset]:
        """Status of each C-STORE, all in one association."""
        return await asyncio.to_thread(self._store, datasets, syntax)

    def _store(self, datasets: tuple[Dataset, ...], syntax: str) -> list[Dataset]:
        def use(association: Any) -> list[Dataset]:
            return [association.send_c_store(dataset) for dataset in datasets]

        statuses: list[Dataset] = self.associated(use, {str(dataset.SOPClassUID) for dataset in datasets}, syntax)
        return statuses

    def associated(self, use: Callable[[Any], Any], classes: set[str], syntax: str) -> Any:
        entity = AE(ae_title="CT01")
        for name in classes:
            entity.add_requested_context(name, syntax)
        association = entity.associate("127.0.0.1", self.port, ae_title="VIGIL")
        assert association.is_established
        try:
            return use(association)
        finally:
            association.release()


def ticking() -> Callable[[], datetime]:
    """A clock that moves a second on each call."""
    lock, left = threading.Lock(), iter(MOMENTS)

    def now() -> datetime:
        with lock:
            return next(left)

    return now


@asynccontextmanager
async def running() -> AsyncIterator[Scp]:
    port = free_ports(1)[0]
    settings = ImageRouterSettings(
        _env_file=None, shared=SharedSettings(_env_file=None), dicom_port=port, max_instance_bytes=100_000
    )
    scp, clock = Scp(port, Kafka(), MemoryBlobs()), ticking()
    store = ImageStore(
        scp.blobs, scp.kafka.publish, Intake(PatientKeys(b"0123456789abcdef"), "HOSPITAL", UTC, clock), 5
    )
    health = Health()
    serving = asyncio.create_task(serve_dicom(settings, health, clock, store))
    while "dicom" not in health.loops or not health.loops["dicom"].started:  # noqa: ASYNC110 - no event to wait for
        await asyncio.sleep(0.01)
    try:
        yield scp
    finally:
        serving.cancel()
        await asyncio.wait([serving])


@pytest.fixture
async def scp() -> AsyncIterator[Scp]:
    async with running() as server:
        yield server


def read(dataset: Dataset) -> Dataset:
    return dcmread(DicomBytesIO(as_file(dataset)))


async def test_an_instance_is_stored_announced_and_then_acknowledged(scp: Scp) -> None:
    [status] = await scp.store(read(radiograph(gradient())))
    assert status.Status == 0x0000
    [publish] = scp.kafka.published
    image: ImageReceived = publish.message  # type: ignore[assignment]
    assert publish.key == image.meta.patient_key
    assert image.meta.source == "dicom:CT01"
    assert image.image.sop_class_uid == DX_CLASS
    assert image.image.transfer_syntax_uid == ExplicitVRLittleEndian
    kept = dcmread(DicomBytesIO(scp.blobs.contents[image.blob.sha256]))
    assert kept.PixelData == gradient().tobytes()


async def test_compressed_pixels_are_kept_as_sent(scp: Scp) -> None:
    sent = dcmread(DicomBytesIO(sample_bytes("MR_small_jpeg_ls_lossless.dcm")))
    [status] = await scp.store(sent, syntax=JPEGLSLossless)
    assert status.Status == 0x0000
    [kept] = scp.blobs.contents.values()
    assert dcmread(DicomBytesIO(kept)).PixelData == sent.PixelData


async def test_ingest_time_is_the_first_byte_of_each_instance(scp: Scp) -> None:
    first, second = read(radiograph(gradient())), read(radiograph(gradient(), SOPInstanceUID="2.25.1002"))
    await scp.store(first, second)
    earlier, later = (from_timestamp(publish.message.meta.ingest_time) for publish in scp.kafka.published)  # type: ignore[attr-defined]
    produced = from_timestamp(scp.kafka.published[0].message.meta.produced_time)  # type: ignore[attr-defined]
    assert earlier < produced < later


async def test_kafka_or_the_blob_store_being_away_is_out_of_resources(scp: Scp) -> None:
    scp.kafka.away = True
    [status] = await scp.store(read(radiograph(gradient())))
    assert status.Status == 0xA700
    scp.kafka.away, scp.blobs.full = False, True
    [status] = await scp.store(read(radiograph(gradient())))
    assert status.Status == 0xA700
    assert scp.kafka.published == []


async def test_an_instance_without_patient_is_refused_with_the_reason_and_the_next_is_taken(scp: Scp) -> None:
    nobody = read(radiograph(gradient(), PatientID=None))
    refused, taken = await scp.store(nobody, read(radiograph(gradient())))
    assert refused.Status == 0xC000
    assert refused.ErrorComment == "the instance has no patient id"
    assert taken.Status == 0x0000
    assert len(scp.blobs.contents) == 1


async def test_a_data_set_that_is_too_large_is_refused_and_the_next_is_taken(scp: Scp) -> None:
    huge = read(radiograph(gradient(400, 400)))
    refused, taken = await scp.store(huge, read(radiograph(gradient())))
    assert refused.Status == 0xA700
    assert taken.Status == 0x0000
    assert len(scp.blobs.contents) == 1


async def test_a_private_storage_class_is_taken(scp: Scp) -> None:
    [status] = await scp.store(read(radiograph(gradient(), SOPClassUID="1.2.826.0.1.3680043.9.9999.1")))
    assert status.Status == 0x0000


async def test_it_answers_c_echo(scp: Scp) -> None:
    status = await asyncio.to_thread(
        scp.associated, lambda association: association.send_c_echo(), {Verification}, ExplicitVRLittleEndian
    )
    assert status.Status == 0x0000


async def test_a_taken_port_stops_the_service(scp: Scp) -> None:
    settings = ImageRouterSettings(_env_file=None, shared=SharedSettings(_env_file=None), dicom_port=scp.port)
    with pytest.raises(CannotStart, match=r"in use.*DICOM_PORT"):
        await serve_dicom(settings, Health(), ticking(), lambda *_: None)
