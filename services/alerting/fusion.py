"""What fusion knows about a patient, asked by gRPC."""

from types import TracebackType
from typing import Self

import grpc
from vigil.v1.fusion_service_pb2 import GetPatientRequest, GetPatientResponse
from vigil.v1.fusion_service_pb2_grpc import FusionServiceStub
from vigil.v1.images_pb2 import ImageFindings

CHANNEL = (("grpc.initial_reconnect_backoff_ms", 200), ("grpc.max_reconnect_backoff_ms", 2000))


class FusionSilentError(Exception):
    """Fusion does not answer."""


class FusionClient:
    """Use as an async context manager."""

    def __init__(self, url: str, deadline_s: float) -> None:
        self._url = url
        self._deadline_s = deadline_s

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(self._url, options=CHANNEL)
        self._stub = FusionServiceStub(self._channel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close(grace=None)

    async def patient(self, patient_key: str) -> GetPatientResponse | None:
        """Everything fusion keeps for a patient; None when it never saw one. Raises FusionSilentError."""
        try:
            return await self._stub.GetPatient(GetPatientRequest(patient_key=patient_key), timeout=self._deadline_s)
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return None
            raise FusionSilentError("fusion does not answer") from error


def find_image(answer: GetPatientResponse | None, message_id: str) -> ImageFindings | None:
    """The newest reading of an image, by the id of the image, of the reading, or its SOP instance UID."""
    if answer is None or not message_id:
        return None
    for image in reversed(answer.patient.images):
        names = {image.image_message_id, image.meta.message_id, image.image.sop_instance_uid}
        if message_id in names:
            return image
    return None
