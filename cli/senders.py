"""Clients for the protocols that hospitals send: MLLP, FHIR over REST, DICOM C-STORE.

Used by `vigil send` and by the sample ward. They only send and report the receiver's own answer.
"""

import asyncio
import json
import struct
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import httpx
    from pydicom import Dataset

START_BLOCK = b"\x0b"
END_BLOCK = b"\x1c\r"
MAX_ACK_BYTES = 1 << 20
ACK_ESCAPES = {"\\F\\": "|", "\\S\\": "^", "\\R\\": "~", "\\T\\": "&", "\\E\\": "\\"}
FHIR_JSON = "application/fhir+json"
WARNING = 0xB000  # DICOM PS3.7 C: stored, with something to say about it
MAX_PRESENTATION_CONTEXTS = 128  # DICOM PS3.8 9.3.2.2: context ids are odd numbers up to 255.


class SendError(ConnectionError):
    """The receiver could not be reached, or went away before it answered; whether it has the message is not known."""


@dataclass(frozen=True, slots=True)
class Ack:
    """An HL7 v2 acknowledgement.

    `code` is MSA-1 ("AA", "AE", "AR"), `control_id` MSA-2, `text` MSA-3 or ERR-8.
    """

    code: str
    control_id: str
    text: str
    raw: bytes

    @property
    def accepted(self) -> bool:
        """True for AA and CA."""
        return self.code in {"AA", "CA"}


@dataclass(frozen=True, slots=True)
class FhirAnswer:
    """What a FHIR server said: HTTP status, the texts of its OperationOutcome, the whole body."""

    status: int
    text: str
    body: Mapping[str, Any]
    retry_after_s: float | None = None

    @property
    def accepted(self) -> bool:
        """True for 2xx, when no entry of a batch was refused either."""
        statuses = (str(entry.get("response", {}).get("status", "200")) for entry in self.body.get("entry", ()))
        return self.status // 100 == 2 and all(status.startswith("2") for status in statuses)  # noqa: PLR2004 - success


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What a DICOM SCP said about one instance: `status` 0x0000 is success, None that no answer came."""

    name: str
    sop_instance_uid: str
    status: int | None
    text: str

    @property
    def accepted(self) -> bool:
        """True when the instance is stored (success, or one of the warnings 0xBxxx)."""
        return self.status is not None and (self.status == 0 or self.status & 0xF000 == WARNING)


def parse_ack(raw: bytes) -> Ack:
    """Read an acknowledgement.

    raw: the bytes between the MLLP marks. Raises SendError when it holds no MSA segment.
    """
    lines = raw.decode("utf-8", "replace").replace("\n", "\r").split("\r")
    separator = lines[0][3:4] or "|"
    segments = {line[:3]: line.split(separator) for line in reversed(lines) if line}
    msa = segments.get("MSA", [])
    if len(msa) < 2:  # noqa: PLR2004 (MSA-1 is required)
        message = "the receiver's answer is no HL7 acknowledgement"
        raise SendError(message)
    fields = [*msa, "", ""]
    err = [*segments.get("ERR", []), *[""] * 9]
    text = fields[3] or err[8] or err[7]
    for escape, character in ACK_ESCAPES.items():
        text = text.replace(escape, character)
    return Ack(code=fields[1], control_id=fields[2], text=text, raw=raw)


class MllpClient:
    """One MLLP connection, kept open; `send` may be called concurrently, answers come back in order.

    Connects on the first `send`. With `retries`, a message whose connection broke before its answer is sent again
    on a new connection: a receiver must therefore be idempotent.
    """

    def __init__(self, host: str, port: int, *, timeout_s: float = 30.0, retry_delay_s: float = 0.5) -> None:
        """`timeout_s` bounds connecting and each wait for an answer; `retry_delay_s` doubles up to 5 s."""
        self._address = (host, port)
        self._timeout_s = timeout_s
        self._retry_delay_s = retry_delay_s
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: deque[asyncio.Future[Ack]] = deque()
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, message: bytes, *, retries: int = 0) -> Ack:
        """Send one HL7 message and wait for its acknowledgement.

        message: without MLLP marks. retries: how often it is sent again after the connection broke.
        Raises SendError when no answer came. A negative acknowledgement is an answer.
        """
        delay_s = self._retry_delay_s
        for attempt in range(retries + 1):
            try:
                return await self._send_once(message)
            except SendError:
                if attempt == retries:
                    raise
                await asyncio.sleep(delay_s)  # the receiver is coming back
                delay_s = min(delay_s * 2, 5.0)
        raise AssertionError

    async def close(self) -> None:
        """Close the connection; messages without an answer end with SendError."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._drop("the connection was closed")

    async def _send_once(self, message: bytes) -> Ack:
        answer: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        try:
            async with self._lock, asyncio.timeout(self._timeout_s):
                writer = await self._connected()
                self._waiting.append(answer)
                writer.write(START_BLOCK + message + END_BLOCK)
                await writer.drain()
            async with asyncio.timeout(self._timeout_s):
                return await answer
        except TimeoutError:
            self._drop("an earlier message was not answered in time")
            reason = f"no answer from {self._address[0]}:{self._address[1]} within {self._timeout_s:g} s"
            raise SendError(reason) from None
        except OSError as error:
            if isinstance(error, SendError):
                raise
            self._drop("the connection broke")
            reason = f"cannot reach {self._address[0]}:{self._address[1]} ({error.strerror or error})"
            raise SendError(reason) from None

    async def _connected(self) -> asyncio.StreamWriter:
        if self._writer is not None and not self._writer.is_closing():
            return self._writer
        reader, writer = await asyncio.open_connection(*self._address, limit=MAX_ACK_BYTES)
        self._writer = writer
        self._reading = asyncio.create_task(self._read_answers(reader, writer))
        return writer

    async def _read_answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reason = "the receiver closed the connection before it answered"
        try:
            while True:
                frame = await reader.readuntil(END_BLOCK)
                answer = parse_ack(frame[frame.rfind(START_BLOCK) + 1 : -len(END_BLOCK)])
                if self._waiting and not (waiting := self._waiting.popleft()).done():
                    waiting.set_result(answer)
        except SendError as error:
            reason = str(error)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            if self._writer is writer:
                self._drop(reason)

    def _drop(self, reason: str) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        waiting, self._waiting = self._waiting, deque()
        for answer in waiting:
            if not answer.done():
                answer.set_exception(SendError(reason))
                answer.exception()  # a caller that timed out does not come for it


@asynccontextmanager
async def fhir_client(base_url: str, *, timeout_s: float = 30.0) -> AsyncIterator["httpx.AsyncClient"]:
    """HTTP client for `post_fhir`, its connections kept open. base_url: e.g. "http://localhost:8081/fhir"."""
    import httpx

    async with httpx.AsyncClient(base_url=base_url.rstrip("/") + "/", timeout=timeout_s) as client:
        yield client


async def post_fhir(client: "httpx.AsyncClient", resource: Mapping[str, Any] | bytes) -> FhirAnswer:
    """Post a resource to its own path, a Bundle that is no document to the root.

    resource: as a mapping, or as the bytes of a file. Raises SendError when the server did not answer.
    """
    import httpx

    content = resource if isinstance(resource, bytes) else json.dumps(resource).encode()
    path = _fhir_path(content)
    try:
        response = await client.post(path, content=content, headers={"content-type": FHIR_JSON})
    except httpx.HTTPError as error:
        reason = f"no answer from {client.base_url} ({type(error).__name__})"
        raise SendError(reason) from error
    body = _json_object(response.content)
    wait = response.headers.get("retry-after", "")
    return FhirAnswer(
        status=response.status_code,
        text="; ".join(_issues(body)) or response.reason_phrase,
        body=body,
        retry_after_s=float(wait) if wait.isdigit() else None,
    )


async def c_store(
    items: Sequence["Path | Dataset"], host: str, port: int, ae_title: str = "VIGIL", *, calling: str = "VIGIL-SEND"
) -> list[StoreAnswer]:
    """Store DICOM files or datasets over one association, in order.

    A dataset needs its `file_meta` with the transfer syntax. Returns one answer an item, also when no association
    came about; what is no DICOM or lacks a UID is not sent. Blocking work runs in a thread.
    """
    return await asyncio.to_thread(_c_store, list(items), host, port, ae_title, calling)


def _fhir_path(content: bytes) -> str:
    kind = str(_json_object(content).get("resourceType", ""))
    return "" if kind in {"", "Bundle"} else kind


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _issues(body: Mapping[str, Any]) -> list[str]:
    outcomes = [body, *(entry.get("response", {}).get("outcome", {}) for entry in body.get("entry", ()))]
    found = [issue for outcome in outcomes for issue in outcome.get("issue", ())]
    return [_issue_text(issue) for issue in found]


def _issue_text(issue: Mapping[str, Any]) -> str:
    said = str(issue.get("diagnostics") or issue.get("details", {}).get("text") or issue.get("code", ""))
    where = ", ".join(issue.get("expression", ()))
    return f"{where}: {said}" if where else said


def _c_store(items: Sequence["Path | Dataset"], host: str, port: int, ae_title: str, calling: str) -> list[StoreAnswer]:
    read = [(_name_of(item), _instance(item)) for item in items]
    sendable = [dataset for _, dataset in read if not isinstance(dataset, str)]
    association = _associate(sendable, host, port, ae_title, calling) if sendable else None
    if association is not None and not association.is_established:
        why = f"no association with {ae_title} at {host}:{port}"
        return [_refusal(n, f) if isinstance(f, str) else _unanswered(n, f, why) for n, f in read]
    try:
        return [_refusal(n, f) if isinstance(f, str) else _store_one(association, n, f) for n, f in read]
    finally:
        if association is not None and association.is_established:
            association.release()


def _name_of(item: "Path | Dataset") -> str:
    return item.name if isinstance(item, Path) else str(item.get("SOPInstanceUID", ""))


def _instance(item: "Path | Dataset") -> "Dataset | str":
    """What can be sent, or why it cannot."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        dataset = dcmread(item) if isinstance(item, Path) else item
    except InvalidDicomError:
        return "this is no DICOM file"
    except (OSError, EOFError, ValueError, KeyError, AttributeError, NotImplementedError, struct.error) as error:
        return f"the file cannot be read ({type(error).__name__})"
    missing = _missing(dataset)
    return f"it has no valid {missing}" if missing else dataset


def _missing(dataset: "Dataset") -> str:
    """The first of what C-STORE needs and the dataset has not; "" when it has all."""
    from pydicom.uid import UID

    meta = getattr(dataset, "file_meta", {})
    needed = {
        "SOPClassUID": dataset.get("SOPClassUID"),
        "SOPInstanceUID": dataset.get("SOPInstanceUID"),
        "TransferSyntaxUID": meta.get("TransferSyntaxUID"),
    }
    return next((name for name, uid in needed.items() if not uid or not UID(str(uid)).is_valid), "")


def _associate(datasets: Sequence["Dataset"], host: str, port: int, ae_title: str, calling: str) -> Any:
    from pynetdicom import AE

    entity = AE(ae_title=calling)
    entity.maximum_pdu_size = 0
    contexts = {(str(d.SOPClassUID), str(d.file_meta.TransferSyntaxUID)) for d in datasets}
    for sop_class, syntax in sorted(contexts)[:MAX_PRESENTATION_CONTEXTS]:
        entity.add_requested_context(sop_class, syntax)
    return entity.associate(host, port, ae_title=ae_title)


def _refusal(name: str, why: str) -> StoreAnswer:
    return StoreAnswer(name, "", None, f"not sent: {why}")


def _unanswered(name: str, dataset: "Dataset", why: str) -> StoreAnswer:
    return StoreAnswer(name, str(dataset.SOPInstanceUID), None, why)


def _store_one(association: Any, name: str, dataset: "Dataset") -> StoreAnswer:
    try:
        answer = association.send_c_store(dataset)
    except (ValueError, RuntimeError) as error:  # the context was not accepted, or the association is gone
        return _unanswered(name, dataset, str(error))
    if "Status" not in answer:
        return _unanswered(name, dataset, "the connection ended before an answer came")
    comment = str(answer.get("ErrorComment", ""))
    status = int(answer.Status)
    return StoreAnswer(name, str(dataset.SOPInstanceUID), status, comment or f"status 0x{status:04X}")
