"""gRPC of nlp-coder: translates, and calls what the topic's handler calls."""

from __future__ import annotations

import grpc
from vigil.v1.meta_pb2 import Meta
from vigil.v1.nlp_coder_service_pb2 import (
    AuditCodesRequest,
    AuditCodesResponse,
    CodeNoteRequest,
    CodeNoteResponse,
)
from vigil.v1.nlp_coder_service_pb2_grpc import NlpCoderServiceServicer
from vigil.v1.notes_pb2 import AssignedCode, NoteReceived

from services.common.identity import message_id
from services.nlp_coder.audit_messages import REQUESTED, as_response
from services.nlp_coder.handlers import Coder, code_note


class NlpCoderApi(NlpCoderServiceServicer):
    """`vigil.v1.NlpCoderService`."""

    def __init__(self, deps: Coder) -> None:
        self._deps = deps

    async def CodeNote(  # noqa: N802 - the contract's name
        self,
        request: CodeNoteRequest,
        context: grpc.aio.ServicerContext[CodeNoteRequest, CodeNoteResponse],  # noqa: ARG002 - gRPC passes it
    ) -> CodeNoteResponse:
        """Answers every text; nothing is published."""
        note = _note(request)
        return CodeNoteResponse(note=await code_note(note, self._deps, request.spans))

    async def AuditCodes(  # noqa: N802 - the contract's name
        self,
        request: AuditCodesRequest,
        context: grpc.aio.ServicerContext[AuditCodesRequest, AuditCodesResponse],  # noqa: ARG002 - gRPC passes it
    ) -> AuditCodesResponse:
        """Answers every text with a verdict a code, unless it says why it was not read; nothing is published."""
        note = _note(request)
        note.assigned_codes.extend(AssignedCode(code=code, code_system=REQUESTED) for code in request.codes)
        return as_response(await code_note(note, self._deps, must_audit=True))


def _note(request: CodeNoteRequest | AuditCodesRequest) -> NoteReceived:
    return NoteReceived(
        meta=Meta(message_id=message_id("request", request.id, request.text), source="grpc", schema_version=1),
        document_id=request.id,
        kind=request.kind,
        text=request.text,
        language=request.language,
    )
