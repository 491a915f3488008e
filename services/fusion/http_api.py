"""GET /patients and GET /patients/{key}."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.common.outcomes import Transient
from services.fusion.views import Patients, summary

Handler = Callable[[Request], Awaitable[Response]]

BAD_REQUEST = 400
NOT_FOUND = 404
UNAVAILABLE = 503
RETRY_AFTER_S = "2"


def create_routes(patients: Patients) -> Sequence[BaseRoute]:
    """Routes of fusion."""

    async def list_patients(request: Request) -> Response:
        """`?page_size=100&next=TOKEN`; `page_token` is another name of `next`."""
        size = request.query_params.get("page_size", "0")
        if not size.isdecimal():
            return JSONResponse({"error": "page_size must be a whole number"}, status_code=BAD_REQUEST)
        token = request.query_params.get("next") or request.query_params.get("page_token", "")
        page = patients.page(int(size), token)
        listed: dict[str, object] = {"patients": [summary(record) for record in page.records]}
        return JSONResponse(listed | ({"next": page.next_token} if page.next_token else {}))

    async def get_patient(request: Request) -> Response:
        record = patients.find(request.path_params["key"])
        if record is None:
            return JSONResponse({"error": "no patient has this key"}, status_code=NOT_FOUND)
        return JSONResponse(patients.as_json(record))

    return [Route("/patients", _or_later(list_patients)), Route("/patients/{key}", _or_later(get_patient))]


def _or_later(handler: Handler) -> Handler:
    """The handler, answering 503 while the patients are not there yet."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except Transient as error:
            return JSONResponse(
                {"error": error.reason}, status_code=UNAVAILABLE, headers={"Retry-After": RETRY_AFTER_S}
            )

    return handle
