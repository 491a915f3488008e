"""FusionService."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from vigil.v1 import fusion_service_pb2
from vigil.v1.fusion_service_pb2 import (
    GetPatientRequest,
    GetPatientResponse,
    ListPatientsRequest,
    ListPatientsResponse,
    ScoreStayRequest,
    ScoreStayResponse,
)
from vigil.v1.fusion_service_pb2_grpc import FusionServiceServicer

from services.common.outcomes import Invalid, Transient
from services.fusion.score_stay import score_stay
from services.fusion.scoring import Scorer
from services.fusion.views import Patients

STAYS_AT_A_TIME = 4  # whole stays that are scored beside each other: live patients come between them

SERVICE_NAME = fusion_service_pb2.DESCRIPTOR.services_by_name["FusionService"].full_name


@asynccontextmanager
async def _or_later(context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[None]:
    """UNAVAILABLE while the patients are not there yet."""
    try:
        yield
    except Transient as error:
        await context.abort(grpc.StatusCode.UNAVAILABLE, error.reason)


class FusionServicer(FusionServiceServicer):
    """Translates; what it answers is made in `views` and `score_stay`."""

    def __init__(self, patients: Patients, scorer: Scorer) -> None:
        self._patients = patients
        self._scorer = scorer
        self._places = asyncio.Semaphore(STAYS_AT_A_TIME)

    async def GetPatient(  # noqa: N802
        self, request: GetPatientRequest, context: grpc.aio.ServicerContext[GetPatientRequest, GetPatientResponse]
    ) -> GetPatientResponse:
        async with _or_later(context):
            record = self._patients.find(request.patient_key)
        if record is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no patient has this key")
        assert record is not None
        return GetPatientResponse(patient=self._patients.as_state(record))

    async def ListPatients(  # noqa: N802
        self,
        request: ListPatientsRequest,
        context: grpc.aio.ServicerContext[ListPatientsRequest, ListPatientsResponse],
    ) -> ListPatientsResponse:
        async with _or_later(context):
            page = self._patients.page(request.page_size, request.page_token)
        return ListPatientsResponse(risks=[record.risk for record in page.records], next_page_token=page.next_token)

    async def ScoreStay(  # noqa: N802
        self, request: ScoreStayRequest, context: grpc.aio.ServicerContext[ScoreStayRequest, ScoreStayResponse]
    ) -> ScoreStayResponse:
        try:
            async with self._places:
                return await score_stay(request, self._scorer, self._patients.staleness)
        except Invalid as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.reason)
        raise AssertionError("unreachable: abort raises")
