"""What alerts rest on: note texts and pictures, only of patients and messages that are known here."""

import asyncio
from dataclasses import dataclass

from vigil.v1.alerts_pb2 import PatientAlerts
from vigil.v1.fusion_service_pb2 import GetPatientResponse
from vigil.v1.images_pb2 import ImageFindings
from vigil.v1.meta_pb2 import Blob

from services.alerting.entity_rendering import timeline_json
from services.alerting.fusion import FusionClient, find_image
from services.alerting.medications import timeline_of
from services.alerting.metrics import EVIDENCE
from services.alerting.notes import NoteReader
from services.alerting.rendering import Json, comparisons_json, image_json, note_json
from services.common.blobs import BlobStore
from services.common.outcomes import Invalid, Transient
from services.common.stateful import States


class Missing(Exception):  # noqa: N818 - an answer, not a fault
    """There is no such thing here; the sentence says what."""


class Unavailable(Exception):  # noqa: N818 - as Missing
    """It is known, and cannot be shown now; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Evidences:
    """Opens evidence."""

    states: States[PatientAlerts]
    notes: NoteReader
    fusion: FusionClient
    blobs: BlobStore

    async def note(self, patient_key: str, message_id: str) -> Json:
        """A coded note with its text. Raises Missing, Unavailable."""
        state = self.states.get(patient_key) or PatientAlerts()
        place = next((at for at in state.notes if message_id in {at.note_message_id, at.coded_message_id}), None)
        if place is None:
            EVIDENCE.labels("note", "missing").inc()
            raise Missing("this note is not known for this patient")
        try:
            note = await self.notes.read(place)
        except Invalid as error:
            EVIDENCE.labels("note", "missing").inc()
            raise Missing(error.reason) from error
        except Transient as error:
            EVIDENCE.labels("note", "unavailable").inc()
            raise Unavailable(error.reason) from error
        EVIDENCE.labels("note", "shown").inc()
        return note_json(note)

    async def medications(self, patient_key: str) -> Json:
        """What the standing notes say of medications. Raises Missing."""
        state = self.states.get(patient_key)
        if state is None:
            EVIDENCE.labels("medications", "missing").inc()
            raise Missing("no patient with this key is known here")
        EVIDENCE.labels("medications", "shown").inc()
        # A long stay has thousands of statements; nothing else waits for them.
        return await asyncio.to_thread(lambda: timeline_json(patient_key, timeline_of(state)))

    async def image(self, patient_key: str, message_id: str) -> Json:
        """What was read in an image, beside what the report of its study says. Raises Missing, FusionSilentError."""
        answer, found = await self._findings(patient_key, message_id)
        return image_json(found) | {"comparisons": comparisons_json(answer.patient.risk, found)}

    async def picture(self, patient_key: str, message_id: str, *, heatmap: bool) -> tuple[bytes, str]:
        """Preview or heat map of an image, its SHA-256 checked, and its media type.

        Raises Missing, Unavailable, FusionSilentError.
        """
        _, findings = await self._findings(patient_key, message_id)
        field = "heatmap" if heatmap else "preview"
        blob: Blob = findings.heatmap if heatmap else findings.preview
        if not blob.uri:
            raise Missing(f"this image has no {field}")
        try:
            content = await asyncio.to_thread(self.blobs.get, blob)
        except (Invalid, Transient) as error:
            EVIDENCE.labels(field, "unavailable").inc()
            raise Unavailable(error.reason) from error
        EVIDENCE.labels(field, "shown").inc()
        return content, blob.media_type or "image/png"

    async def _findings(self, patient_key: str, message_id: str) -> tuple[GetPatientResponse, ImageFindings]:
        answer = await self.fusion.patient(patient_key)
        found = find_image(answer, message_id)
        if answer is None or found is None:
            EVIDENCE.labels("image", "missing").inc()
            raise Missing("this image is not known for this patient")
        return answer, found
