"""Requests to nlp-coder, one after the other."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from vigil.v1 import nlp_coder_service_pb2_grpc as service_grpc
from vigil.v1.nlp_coder_service_pb2 import AuditCodesRequest, AuditCodesResponse, CodeNoteRequest, CodeNoteResponse

from cli.calls import CONCURRENT
from cli.errors import CliError
from cli.notes import Asked, answers


class Echo(service_grpc.NlpCoderServiceServicer):
    async def CodeNote(self, request: CodeNoteRequest, context: Any) -> CodeNoteResponse:  # noqa: ARG002, N802
        return CodeNoteResponse()

    async def AuditCodes(self, request: AuditCodesRequest, context: Any) -> AuditCodesResponse:  # noqa: ARG002, N802
        return AuditCodesResponse(id=request.id)


@pytest.fixture
async def service(monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int) -> Any:
    server = grpc.aio.server()
    service_grpc.add_NlpCoderServiceServicer_to_server(Echo(), server)
    server.add_insecure_port(f"127.0.0.1:{unused_tcp_port}")
    monkeypatch.setenv("VIGIL_NLP_CODER_GRPC_PORT", str(unused_tcp_port))
    await server.start()
    yield server
    await server.stop(0)


def requests(count: int) -> Iterator[Asked | CliError]:
    for number in range(count):
        yield Asked(number, AuditCodesRequest(id=str(number)))
    raise CliError("Cannot read the file")


def with_slips(count: int) -> Iterator[Asked | CliError]:
    for number in range(count):
        yield CliError(f"line {number} cannot be audited")
        yield Asked(number, AuditCodesRequest(id=str(number)))


async def answered(asked: Iterator[Asked | CliError], into: list[tuple[str, Any]]) -> None:
    async for answer, own_id in answers(asked, "AuditCodes"):
        into.append((answer.id, own_id))


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("count", [0, 2 * CONCURRENT + 3])
async def test_what_was_read_before_a_file_failed_is_answered(count: int) -> None:
    found: list[tuple[str, Any]] = []
    with pytest.raises(CliError, match="Cannot read"):
        await answered(requests(count), found)
    assert found == [(str(number), number) for number in range(count)]


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(("count", "last"), [(1, "line 0 cannot be audited"), (25, "5 more lines were passed over.")])
async def test_lines_that_are_no_requests_are_named_and_the_others_answered(count: int, last: str) -> None:
    found: list[tuple[str, Any]] = []
    with pytest.raises(CliError) as slips:
        await answered(with_slips(count), found)
    assert found == [(str(number), number) for number in range(count)]
    assert str(slips.value).splitlines()[-1] == last
