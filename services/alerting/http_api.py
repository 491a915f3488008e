"""HTTP of alerting: the board, alerts, patients, evidence and event streams."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from vigil.v1.alerts_pb2 import AlertCommandKind, AlertState, PatientAlerts

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
from services.alerting.directory import (
    DEFAULT_PAGE,
    MAX_PAGE,
    Recovered,
    check_recovered,
    find_alert,
    is_page,
    listed_patients,
    page_of,
)
from services.alerting.evidence import Evidences, Missing, Unavailable
from services.alerting.fusion import FusionSilentError
from services.alerting.live import parse_cursor
from services.alerting.policy import ACKNOWLEDGE_REASONS, Policy
from services.alerting.rendering import alert_json, history_json, patient_json
from services.alerting.security import SecurityHeaders
from services.alerting.streams import Streams
from services.common.outcomes import Transient
from services.common.stateful import States

BOARD = Path(__file__).parent / "board"
STATUS = {Malformed: 400, UnknownAlert: 404, AlreadyOver: 409, Missing: 404, Unavailable: 503}
ALERT_STATES = {name.removeprefix("ALERT_STATE_").lower(): number for name, number in AlertState.items() if number}
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Api:
    """What the routes answer from."""

    states: States[PatientAlerts]
    streams: Streams
    commands: Commands
    evidence: Evidences
    policy: Policy
    recovered: Recovered

    def from_states(self, handler: Handler) -> Handler:
        """The handler for a route that answers from the states; 503 until they are whole."""

        async def handle(request: Request) -> Response:
            check_recovered(self.recovered)
            return await handler(request)

        return handle

    async def index(self, _: Request) -> Response:
        return FileResponse(BOARD / "index.html")

    async def list_alerts(self, request: Request) -> Response:
        """`?state=firing,acknowledged&limit=100&next=TOKEN`; `after` is another name of `next`."""
        size = _whole_number(request, "limit", DEFAULT_PAGE, MAX_PAGE)
        page = page_of(self.states, _wanted_states(request), size, _page(request))
        body = {"alerts": [alert_json(alert) for alert in page.alerts]}
        return JSONResponse(body | ({"next": page.next_token} if page.next_token else {}))

    async def one_alert(self, request: Request) -> Response:
        alert = find_alert(self.states, request.path_params["alert_id"])
        if alert is None:
            raise UnknownAlert("there is no alert with this id")
        return JSONResponse(alert_json(alert))

    async def stream_alerts(self, request: Request) -> Response:
        cursor = parse_cursor(request.headers.get("last-event-id") or request.query_params.get("last_event_id"))
        return EventSourceResponse(self.streams.alert_events(cursor), ping=self._ping())

    async def stream_board(self, _: Request) -> Response:
        return EventSourceResponse(self.streams.board_events(), ping=self._ping())

    async def acknowledge(self, request: Request) -> Response:
        return await self._command(request, ACKNOWLEDGE)

    async def resolve(self, request: Request) -> Response:
        return await self._command(request, RESOLVE)

    async def list_patients(self, _: Request) -> Response:
        patients = listed_patients(self.states, self.streams.clock())
        return JSONResponse({"patients": [patient_json(state) for state in patients]})

    async def one_patient(self, request: Request) -> Response:
        """Measurements of the last day and the images read, from fusion."""
        answer = await self.evidence.fusion.patient(request.path_params["patient_key"])
        if answer is None:
            raise Missing("fusion knows no patient with this key")
        return JSONResponse(history_json(answer))

    async def medications(self, request: Request) -> Response:
        """What the notes of a patient say of medications, over time."""
        return JSONResponse(await self.evidence.medications(request.path_params["patient_key"]))

    async def note(self, request: Request) -> Response:
        return JSONResponse(await self.evidence.note(_patient(request), request.path_params["message_id"]))

    async def image(self, request: Request) -> Response:
        return JSONResponse(await self.evidence.image(_patient(request), request.path_params["message_id"]))

    async def picture(self, request: Request) -> Response:
        wanted = request.path_params
        content, media_type = await self.evidence.picture(
            _patient(request), wanted["message_id"], heatmap=wanted["picture"] == "heatmap"
        )
        return Response(content, media_type=media_type)

    async def show_policy(self, _: Request) -> Response:
        rules = [
            {"rule": rule.name, "subject": rule.subject, "threshold": rule.threshold, "basis": rule.basis}
            for rule in self.policy.rules
        ]
        return JSONResponse({"rules": rules, "acknowledge_reasons": ACKNOWLEDGE_REASONS})

    async def _command(self, request: Request, kind: AlertCommandKind.ValueType) -> Response:
        try:
            body = await request.json()
        except (JSONDecodeError, UnicodeDecodeError):
            raise Malformed('the body must be a JSON object with a "reason"') from None
        answer = await self.commands.submit(request.path_params["alert_id"], kind, parse_action(body))
        shown = alert_json(answer.alert)
        return JSONResponse(shown, status_code=200 if answer.applied else 202)

    def _ping(self) -> int:
        return max(1, round(self.streams.heartbeat_s))


def create_routes(api: Api) -> list[BaseRoute]:
    """Routes beside those that every service has."""
    whole = api.from_states
    app = Starlette(
        routes=[
            Route("/", api.index),
            Mount("/board/files", StaticFiles(directory=BOARD)),
            Route("/board/stream", whole(api.stream_board)),
            Route("/alerts", whole(api.list_alerts)),
            Route("/alerts/stream", whole(api.stream_alerts)),
            Route("/alerts/{alert_id}", whole(api.one_alert)),
            Route("/alerts/{alert_id}/ack", whole(api.acknowledge), methods=["POST"]),
            Route("/alerts/{alert_id}/resolve", whole(api.resolve), methods=["POST"]),
            Route("/patients", whole(api.list_patients)),
            Route("/patients/{patient_key}", api.one_patient),
            Route("/patients/{patient_key}/medications", whole(api.medications)),
            Route("/evidence/notes/{message_id}", whole(api.note)),
            Route("/evidence/images/{message_id}", api.image),
            Route("/evidence/images/{message_id}/{picture:str}", api.picture),
            Route("/policy", api.show_policy),
        ],
        exception_handlers={
            Refused: _refused,
            Missing: _refused,
            Unavailable: _refused,
            FusionSilentError: _away,
            Transient: _away,
            HTTPException: _http,
        },
    )
    return [Mount("/", SecurityHeaders(app))]


async def _refused(_: Request, error: Exception) -> Response:
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    return JSONResponse({"error": str(error)}, status_code=status)


async def _away(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=503, headers={"Retry-After": "2"})


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail).lower()}, status_code=error.status_code)


def _patient(request: Request) -> str:
    key = request.query_params.get("patient", "")
    if not key:
        raise Malformed('say whose it is: "?patient=" and the patient key')
    return key


def _whole_number(request: Request, name: str, default: int, largest: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= largest:
        raise Malformed(f'"{name}" must be a whole number from 1 to {largest}')
    return int(text)


def _page(request: Request) -> str:
    token = request.query_params.get("next") or request.query_params.get("after", "")
    if not is_page(token):
        raise Malformed('"next" must be the "next" of an earlier answer')
    return token


def _wanted_states(request: Request) -> frozenset[AlertState.ValueType]:
    names = [name for name in request.query_params.get("state", "").split(",") if name]
    unknown = [name for name in names if name not in ALERT_STATES]
    if unknown:
        raise Malformed(f'"{unknown[0][:40]}" is no state; known are {", ".join(ALERT_STATES)}')
    return frozenset(ALERT_STATES[name] for name in names)
