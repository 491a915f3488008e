"""Made-up patients for tests of the board, and what is sent of them."""

import asyncio
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from PIL import Image
from vigil.v1.encounters_pb2 import Encounter, EncounterStatus
from vigil.v1.images_pb2 import ImageFinding, ImageFindings, ImageIdentity, Region, ReportSentence, Scope
from vigil.v1.meta_pb2 import Meta, ModelVersion, Span
from vigil.v1.notes_pb2 import Assertion, AuditVerdict, Experiencer, NoteCode, NoteCoded, Temporality
from vigil.v1.observations_pb2 import Observation, ObservationsReceived, ObservationStatus
from vigil.v1.risk_pb2 import PatientRisk

from services.common.blobs import BlobStore
from services.common.bus import Producer, Publish
from services.common.clock import to_timestamp
from services.common.topics import Topic
from tests.stacks import Stack

TEXT = (
    "Seen after the line. There is a right pneumothorax, 3 cm. Température normale 🙂. No effusion. "
    "Mother with breast cancer."
)
WORDS = "right pneumothorax"
WELL = {"resp_rate": 16, "spo2": 97, "sbp": 122, "heart_rate": 74, "temperature": 36.8, "gcs": 15}
ILL = WELL | {"resp_rate": 27, "spo2": 88, "heart_rate": 124}
UNITS = {"spo2": "%", "sbp": "mm[Hg]", "temperature": "Cel", "gcs": "{score}"}

UNSURE = ImageFinding(label="pneumonia", probability=0.4, threshold=0.5, verdict="cannot_tell")

Message = Encounter | ObservationsReceived | NoteCoded | ImageFindings | PatientRisk


class Patient:
    """One made-up patient in a bed of a test's own."""

    def __init__(self, stack: Stack, bed: str) -> None:
        self.stack, self.bed, self.key = stack, bed, bed.encode().hex().rjust(32, "0")
        self.sent = 0

    def meta(self) -> Meta:
        self.sent += 1
        now = to_timestamp(datetime.now(UTC) - timedelta(minutes=20) + timedelta(seconds=self.sent))
        return Meta(
            message_id=f"{self.bed}-{self.sent}",
            event_time=now,
            ingest_time=to_timestamp(datetime.now(UTC)),
            patient_key=self.key,
            encounter_key=self.key,
            schema_version=1,
            synthetic=True,
        )

    def send(self, topic: Topic, messages: Sequence[Message]) -> None:
        async def publish() -> None:
            async with Producer(self.stack.settings, "test") as producer:
                await producer.publish_all([Publish(topic, self.key, message) for message in messages])

        # Playwright has a loop of its own in this thread.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, publish()).result()

    def admit(self) -> None:
        status = EncounterStatus.ENCOUNTER_STATUS_IN_PROGRESS
        admitted = Encounter(meta=self.meta(), status=status, ward="ICU", bed=self.bed, age_years=61)
        self.send(Topic.ENCOUNTERS, [admitted])

    def measure(self, values: dict[str, float]) -> None:
        meta = self.meta()
        measured = [
            Observation(
                observation_id=f"{meta.message_id}-{name}",
                name=name,
                value=value,
                unit=UNITS.get(name, "/min"),
                event_time=meta.event_time,
                status=ObservationStatus.OBSERVATION_STATUS_FINAL,
            )
            for name, value in (values | {"fio2": 21}).items()
        ]
        for one in measured:
            one.unit = "%" if one.name == "fio2" else one.unit
        self.send(Topic.OBSERVATIONS_RECEIVED, [ObservationsReceived(meta=meta, observations=measured)])

    def write_note(self) -> None:
        pneumothorax = NoteCode(
            code="J93.9",
            display="Pneumothorax, unspecified",
            score=0.91,
            selected=True,
            spans=[span_of(WORDS)],
            assertion=Assertion.ASSERTION_PRESENT,
            temporality=Temporality.TEMPORALITY_CURRENT,
            experiencer=Experiencer.EXPERIENCER_PATIENT,
            billable=True,
        )
        family = NoteCode(
            code="Z80.3",
            display="Family history of malignant neoplasm of breast",
            score=0.4,
            selected=True,
            spans=[span_of("Mother"), span_of("breast cancer")],
            rationale="breast cancer, of a relative",
            assertion=Assertion.ASSERTION_PRESENT,
            temporality=Temporality.TEMPORALITY_CURRENT,
            experiencer=Experiencer.EXPERIENCER_FAMILY,
        )
        effusion = NoteCode(
            code="J90", display="Pleural effusion", score=0.2, spans=[span_of("effusion")], withheld="denied"
        )
        meta = self.meta()
        codes = [pneumothorax, family, effusion]
        note = NoteCoded(meta=meta, note_message_id=f"note-{meta.message_id}", kind="radiology", text=TEXT, codes=codes)
        note.audit.add(
            code="J90", display="Pleural effusion", verdict=AuditVerdict.AUDIT_VERDICT_CONTRADICTED
        ).spans.append(span_of("effusion"))
        self.send(Topic.NOTES_CODED, [note])

    def take_image(self, pneumonia: ImageFinding = UNSURE) -> None:
        blobs = BlobStore(self.stack.settings.blob_url)
        meta = self.meta()
        image = ImageFindings(
            meta=meta,
            image=ImageIdentity(
                study_instance_uid="1.2.3", sop_instance_uid="1.2.3.4", modality="DX", body_part="CHEST"
            ),
            image_message_id=f"image-{meta.message_id}",
            scope=Scope(in_scope=True),
            findings=[
                ImageFinding(label="pneumothorax", probability=0.93, positive=True, threshold=0.5, verdict="positive"),
                pneumonia,
            ],
            regions=[Region(label="lung_lesion", x0=0.25, y0=0.25, x1=0.5, y1=0.75, length_mm=23, width_mm=18)],
            report=[ReportSentence(text="Outlined: largest 23 x 18 mm.", label="lung_lesion")],
            preview=blobs.put(grey(60), "image/png"),
            heatmap=blobs.put(grey(200), "image/png"),
            model=ModelVersion(name="cxr_findings", version="1", sha256="ab" * 32),
        )
        self.send(Topic.IMAGE_FINDINGS, [image])


def span_of(words: str, text: str = TEXT) -> Span:
    start = text.index(words)
    return Span(start=start, end=start + len(words))


def grey(level: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (64, 48), level).save(out, "PNG")
    return out.getvalue()
