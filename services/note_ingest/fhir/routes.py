"""FHIR R4 REST under /fhir."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.common.outcomes import Transient
from services.note_ingest.drafts import Parsed, Protocol
from services.note_ingest.fhir import outcomes
from services.note_ingest.fhir.readers import READERS
from services.note_ingest.fhir.requests import Request, read_bundle, read_single
from services.note_ingest.fhir.resources import load_model, parse_json
from services.note_ingest.reception import Letter, Receipt, Reception
from services.note_ingest.refusals import BAD_VALUE, MALFORMED, TOO_LARGE, Refused

FHIR_JSON = "application/fhir+json"
JSON_TYPES = {FHIR_JSON, "application/json", "text/json", ""}
RETRY_AFTER_S = "5"
CREATED, OK, UNAVAILABLE, WRONG_MEDIA_TYPE, NOT_FOUND = 201, 200, 503, 415, 404


@dataclass(slots=True)
class _Understood:
    """Carries what was understood out of the parse that the reception calls."""

    request: Request | None = None


@dataclass(frozen=True, slots=True)
class FhirServer:
    """max_bytes: of one request. future: how far ahead of its arrival an event may lie.

    id_authority: as `References`.
    """

    reception: Reception
    max_bytes: int
    future: timedelta
    id_authority: str

    async def create(self, http: HttpRequest) -> Response:
        """POST of a resource to its type, or of a Bundle to the root."""
        arrived = self.reception.intake.clock()
        if http.headers.get("content-type", "").split(";")[0].strip().lower() not in JSON_TYPES:
            return _answer(WRONG_MEDIA_TYPE, outcomes.outcome("error", "not-supported", f"Send {FHIR_JSON}"))
        kind = http.path_params.get("kind", "")
        letter = Letter(Protocol.FHIR, kind if kind in READERS else "Bundle", b"", arrived)
        understood = _Understood()
        try:
            body = await self._body(http)
            letter = Letter(letter.protocol, letter.kind, body, arrived)
            receipt = await self.reception.receive(letter, lambda: self._parse(body, kind, arrived, understood))
        except Refused as refused:
            return _answer(refused.fault.http, outcomes.refusal(refused))
        except Transient:
            text = "Kafka does not answer, so nothing could be kept; send it again"
            return _answer(UNAVAILABLE, outcomes.outcome("error", "transient", text), {"retry-after": RETRY_AFTER_S})
        except ClientDisconnect:
            return Response(status_code=400)
        assert understood.request is not None
        await self._keep_refused(letter, understood.request)
        return _accepted(http, understood.request, receipt)

    async def metadata(self, _http: HttpRequest) -> Response:
        """GET of the CapabilityStatement."""
        return _answer(OK, outcomes.capability_statement(version("vigil")))

    async def not_found(self, http: HttpRequest) -> Response:
        """Anything else."""
        text = f"{http.method} is not taken here; see the CapabilityStatement under metadata"
        return _answer(NOT_FOUND, outcomes.outcome("error", "not-supported", text))

    async def _body(self, http: HttpRequest) -> bytes:
        body = bytearray()
        async for chunk in http.stream():
            body += chunk
            if len(body) > self.max_bytes:
                raise Refused(TOO_LARGE, f"The body is larger than {self.max_bytes} bytes")
        return bytes(body)

    def _parse(self, body: bytes, kind: str, arrived: datetime, understood: _Understood) -> Parsed:
        resource = parse_json(body)
        stated = resource["resourceType"]
        if kind and stated != kind:
            raise Refused(BAD_VALUE, "resourceType is not that of the address", "resourceType")
        if stated == "Bundle":
            understood.request = read_bundle(resource, arrived, self.future, self.id_authority)
        elif kind:
            understood.request = read_single(resource, arrived, self.future, self.id_authority)
        else:
            raise Refused(MALFORMED, "Only a Bundle is posted to the root; post a resource to its type", "resourceType")
        return understood.request.parsed()

    async def _keep_refused(self, letter: Letter, request: Request) -> None:
        """Entries of a batch that were refused while others were taken."""
        refused = [entry.refused for entry in request.entries if entry.refused is not None]
        await asyncio.gather(*(self.reception.refuse(letter, one) for one in refused[:1]))


def fhir_routes(reception: Reception, max_bytes: int, future: timedelta, id_authority: str = "") -> list[BaseRoute]:
    """Routes to mount beside health and metrics. Loads the models of FHIR R4, so that the first request need not."""
    for kind in (*READERS, "Bundle"):
        load_model(kind)
    server = FhirServer(reception, max_bytes, future, id_authority)
    return [
        Route("/fhir/metadata", server.metadata, methods=["GET"]),
        Route("/fhir", server.create, methods=["POST"]),
        Route("/fhir/", server.create, methods=["POST"]),
        Route("/fhir/{kind:str}", server.create, methods=["POST"]),
        Route("/fhir/{path:path}", server.not_found, methods=["GET", "PUT", "DELETE", "PATCH", "POST"]),
        Route("/fhir", server.not_found, methods=["GET", "PUT", "DELETE", "PATCH"]),
    ]


def _accepted(http: HttpRequest, request: Request, receipt: Receipt) -> Response:
    if request.bundle_type in {"transaction", "batch"}:
        return _answer(OK, outcomes.bundle_response(request))
    if request.bundle_type:
        return _answer(OK, outcomes.accepted(request))
    kind = request.entries[0].kind
    headers = {}
    if receipt.message_ids:
        # Names what was made of it, as `vigil tail` shows it; reading is not offered.
        headers["location"] = f"{str(http.url).split('/fhir')[0]}/fhir/{kind}/{receipt.message_ids[0]}"
    return _answer(CREATED, outcomes.accepted(request), headers)


def _answer(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(dict(body), status_code=status, media_type=FHIR_JSON, headers=dict(headers or {}))
