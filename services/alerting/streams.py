"""Server-sent events: alerts for any client, and the board's own stream."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace

from sse_starlette import JSONServerSentEvent, ServerSentEvent
from vigil.v1.alerts_pb2 import Alert, PatientAlerts

from services.alerting.directory import all_alerts, all_patients
from services.alerting.live import Cursor, Live
from services.alerting.metrics import STREAMS
from services.alerting.patient_alerts import is_here
from services.alerting.rendering import Json, alert_json, patient_json
from services.common.clock import Clock
from services.common.health import Health
from services.common.stateful import States

BOARD_PAUSE_S = 0.2  # the board is told at most so often; a patient's changes in between become one


@dataclass(frozen=True, slots=True)
class Streams:
    """What the streams are made from."""

    states: States[PatientAlerts]
    live: Live
    health: Health
    clock: Clock
    heartbeat_s: float

    async def alerts(self, cursor: Cursor | None) -> AsyncIterator[tuple[Cursor, Alert]]:
        """Changes after `cursor`; without one, or with one that is too old, the alerts as they are, then changes."""
        while True:
            missed, cursor = self._missed(cursor)
            for at, alert in missed:
                yield at, alert
            await self.live.alerts.wait(cursor, self.heartbeat_s)

    def _missed(self, cursor: Cursor | None) -> tuple[list[tuple[Cursor, Alert]], Cursor]:
        """What a follower at `cursor` has not seen, and how far it is after that."""
        now = self.live.alerts.now()
        changes = None if cursor is None else self.live.alerts.since(cursor)
        if cursor is None or changes is None:
            return _snapshot(all_alerts(self.states), now), now
        if not cursor.told:
            return changes, now
        # Cut off within the alerts as they were: what changed of those it has, then the others as they are.
        changed = [(replace(at, told=cursor.told), alert) for at, alert in changes if alert.id <= cursor.told]
        others = (alert for alert in all_alerts(self.states) if alert.id > cursor.told)
        return [*changed, *_snapshot(others, now)], now

    async def alert_events(self, cursor: Cursor | None) -> AsyncIterator[ServerSentEvent]:
        """Events named "alert"; the id can be given back as Last-Event-ID."""
        with STREAMS.labels("alerts").track_inprogress():
            async for at, alert in self.alerts(cursor):
                yield ServerSentEvent(json.dumps(alert_json(alert)), event="alert", id=str(at))

    async def board_events(self) -> AsyncIterator[ServerSentEvent]:
        """A "snapshot" of all patients, then each "patient" that changed, and a "heartbeat" all the while."""
        with STREAMS.labels("board").track_inprogress():
            changes = self.live.patients
            number = changes.now()
            everyone = [patient_json(state) for state in all_patients(self.states) if is_here(state)]
            yield self._event("snapshot", {"patients": everyone})
            beaten = float("-inf")
            while True:
                if asyncio.get_running_loop().time() - beaten >= self.heartbeat_s:
                    beaten = asyncio.get_running_loop().time()
                    # A feed that lives says nothing about its inputs: what keeps them away is told with it.
                    yield self._event("heartbeat", {"problems": await self.health.unready()})
                await changes.wait(number, self.heartbeat_s)
                since, number = number, changes.now()
                for key in changes.since(since):
                    state = self.states.get(key)
                    if state is not None:
                        yield self._event("patient", {"patient": patient_json(state)})
                await asyncio.sleep(BOARD_PAUSE_S)

    def _event(self, name: str, content: Json) -> ServerSentEvent:
        return JSONServerSentEvent({"now": self.clock().isoformat(), **content}, event=name)


def _snapshot(alerts: Iterable[Alert], now: Cursor) -> list[tuple[Cursor, Alert]]:
    """The alerts by id. The cursor of each says how far the follower has come; only with the last it has them all."""
    in_order = sorted(alerts, key=lambda alert: alert.id)
    told = [*(replace(now, told=alert.id) for alert in in_order[:-1]), now]
    return list(zip(told, in_order, strict=False))
