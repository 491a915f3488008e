"""gRPC of alerting, for other systems."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc
from vigil.v1.alerting_service_pb2 import (
    DESCRIPTOR,
    AcknowledgeAlertRequest,
    AcknowledgeAlertResponse,
    ListAlertsRequest,
    ListAlertsResponse,
    ResolveAlertRequest,
    ResolveAlertResponse,
    StreamAlertsRequest,
    StreamAlertsResponse,
)
from vigil.v1.alerting_service_pb2_grpc import AlertingServiceServicer
from vigil.v1.alerts_pb2 import Alert, AlertCommandKind, PatientAlerts

from services.alerting.commands import (
    ACKNOWLEDGE,
    RESOLVE,
    AlreadyOver,
    Commands,
    Malformed,
    Refused,
    UnknownAlert,
    parse_action,
)
from services.alerting.directory import DEFAULT_PAGE, MAX_PAGE, Recovered, check_recovered, is_page, page_of
from services.alerting.metrics import STREAMS
from services.alerting.streams import Streams
from services.common.outcomes import Transient
from services.common.stateful import States

SERVICE_NAME = DESCRIPTOR.services_by_name["AlertingService"].full_name
STATUS = {
    Malformed: grpc.StatusCode.INVALID_ARGUMENT,
    UnknownAlert: grpc.StatusCode.NOT_FOUND,
    AlreadyOver: grpc.StatusCode.FAILED_PRECONDITION,
}
Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class AlertingServicer(AlertingServiceServicer):
    """Translates to the calls that HTTP makes too."""

    states: States[PatientAlerts]
    streams: Streams
    commands: Commands
    recovered: Recovered

    async def ListAlerts(self, request: ListAlertsRequest, context: Context) -> ListAlertsResponse:  # noqa: N802
        """A page of alerts, last opened first."""
        await self._whole(context)
        if request.page_size > MAX_PAGE:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"page_size is at most {MAX_PAGE}")
        if not is_page(request.page_token):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "page_token is none of ours")
        size = request.page_size or DEFAULT_PAGE
        page = page_of(self.states, frozenset(request.states), size, request.page_token)
        return ListAlertsResponse(alerts=page.alerts, next_page_token=page.next_token)

    async def StreamAlerts(  # noqa: N802
        self, _: StreamAlertsRequest, context: Context
    ) -> AsyncIterator[StreamAlertsResponse]:
        """The alerts as they are, then every change."""
        await self._whole(context)
        with STREAMS.labels("grpc").track_inprogress():
            async for _at, alert in self.streams.alerts(None):
                yield StreamAlertsResponse(alert=alert)

    async def AcknowledgeAlert(  # noqa: N802
        self, request: AcknowledgeAlertRequest, context: Context
    ) -> AcknowledgeAlertResponse:
        """Answers once it is applied; DEADLINE_EXCEEDED when it is written and not applied yet."""
        return AcknowledgeAlertResponse(alert=await self._command(request, ACKNOWLEDGE, context))

    async def ResolveAlert(self, request: ResolveAlertRequest, context: Context) -> ResolveAlertResponse:  # noqa: N802
        """As AcknowledgeAlert."""
        return ResolveAlertResponse(alert=await self._command(request, RESOLVE, context))

    async def _whole(self, context: Context) -> None:
        """UNAVAILABLE until the states are whole."""
        try:
            check_recovered(self.recovered)
        except Transient as error:
            await _abort(context, grpc.StatusCode.UNAVAILABLE, error.reason)

    async def _command(
        self,
        request: AcknowledgeAlertRequest | ResolveAlertRequest,
        kind: AlertCommandKind.ValueType,
        context: Context,
    ) -> Alert:
        await self._whole(context)
        try:
            action = parse_action({"reason": request.reason, "by": request.by, "comment": request.comment})
            answer = await self.commands.submit(request.alert_id, kind, action)
        except Refused as error:
            await _abort(context, next(c for k, c in STATUS.items() if isinstance(error, k)), str(error))
        except Transient as error:
            await _abort(context, grpc.StatusCode.UNAVAILABLE, error.reason)
        if not answer.applied:
            await _abort(context, grpc.StatusCode.DEADLINE_EXCEEDED, "written, and not applied yet")
        return answer.alert


async def _abort(context: Context, status: grpc.StatusCode, sentence: str) -> NoReturn:
    await context.abort(status, sentence)
    raise AssertionError("unreachable: abort raises")
