"""What gRPC says while the alerts are not whole; the calls themselves are in tests/integration/test_alerting.py."""

from pathlib import Path
from typing import NoReturn

import grpc
import pytest
from vigil.v1.alerting_service_pb2 import (
    AcknowledgeAlertRequest,
    ListAlertsRequest,
    ResolveAlertRequest,
    StreamAlertsRequest,
)

from services.alerting.grpc_api import AlertingServicer
from tests.alerting.making import HIGH, after, fresh, risk
from tests.alerting.serving import served


class Aborted(Exception):  # noqa: N818 - how gRPC ends a call
    pass


class FakeContext:
    async def abort(self, status: grpc.StatusCode, sentence: str) -> NoReturn:
        raise Aborted(status, sentence)


async def test_a_part_of_the_alerts_never_passes_for_all_of_them(tmp_path: Path) -> None:
    service = served([after(fresh(), risk(1, HIGH))], tmp_path)
    api = service.api
    servicer = AlertingServicer(api.states, api.streams, api.commands, api.recovered)
    context = FakeContext()
    service.recovery.ended = False
    calls = [
        servicer.ListAlerts(ListAlertsRequest(), context),  # type: ignore[arg-type]
        servicer.AcknowledgeAlert(AcknowledgeAlertRequest(alert_id="x", reason="y"), context),  # type: ignore[arg-type]
        servicer.ResolveAlert(ResolveAlertRequest(alert_id="x", reason="y"), context),  # type: ignore[arg-type]
        anext(servicer.StreamAlerts(StreamAlertsRequest(), context)),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(Aborted, match="UNAVAILABLE"):
            await call
    service.recovery.ended = True
    assert len((await servicer.ListAlerts(ListAlertsRequest(), context)).alerts) == 1  # type: ignore[arg-type]


async def test_a_page_token_of_somebody_else_is_refused(tmp_path: Path) -> None:
    api = served([after(fresh(), risk(1, HIGH))], tmp_path).api
    servicer = AlertingServicer(api.states, api.streams, api.commands, api.recovered)
    with pytest.raises(Aborted, match="INVALID_ARGUMENT"):
        await servicer.ListAlerts(ListAlertsRequest(page_token="garbage"), FakeContext())  # type: ignore[arg-type]
