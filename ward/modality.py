"""A DICOM sender that keeps its association open, as a busy modality does; opening one costs more than an image."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from types import TracebackType
from typing import Any, Self

from ward.dicom import SOP_CLASSES

AE_TITLE = "VIGIL"
CALLING = "WARD"
NO_ANSWER = "no answer came"
ANSWER_TIMEOUT_S = 30


class Modality:
    """Stores one instance at a time. Use as an async context manager; it associates on the first `store`."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._association: Any = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="modality")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._release)
        self._thread.shutdown()

    async def store(self, instance: bytes) -> tuple[int | None, str]:
        """Status of the C-STORE and what was said with it; None when no answer came.

        instance: a DICOM file. After a broken connection the next call associates anew.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._store, instance)

    def _store(self, instance: bytes) -> tuple[int | None, str]:
        from pydicom import dcmread

        if not self._established():
            self._association = self._associate()
        if not self._established():
            return None, f"no association with {AE_TITLE} at {self._address[0]}:{self._address[1]}"
        try:
            answer = self._association.send_c_store(dcmread(BytesIO(instance)))
        except (ValueError, RuntimeError) as error:  # the context was not accepted, or the association is gone
            return None, str(error)
        if "Status" not in answer:
            return None, NO_ANSWER
        status = int(answer.Status)
        return status, str(answer.get("ErrorComment", "")) or f"status 0x{status:04X}"

    def _established(self) -> bool:
        return self._association is not None and bool(self._association.is_established)

    def _associate(self) -> Any:
        from pydicom.uid import ExplicitVRLittleEndian
        from pynetdicom import AE

        entity = AE(ae_title=CALLING)
        entity.maximum_pdu_size = 0
        entity.acse_timeout = entity.dimse_timeout = entity.connection_timeout = ANSWER_TIMEOUT_S
        entity.network_timeout = None  # idle between two pictures
        for sop_class in SOP_CLASSES.values():
            entity.add_requested_context(sop_class, ExplicitVRLittleEndian)
        return entity.associate(*self._address, ae_title=AE_TITLE)

    def _release(self) -> None:
        if self._established():
            with suppress(RuntimeError):
                self._association.release()
