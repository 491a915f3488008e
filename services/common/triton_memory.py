"""Large inputs reach a Triton on the same machine by shared memory: a film through a socket costs half a ms more."""

import asyncio
import mmap
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import structlog
from numpy.typing import NDArray
from tritonclient.grpc import aio as triton
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

log = structlog.get_logger()

FOLDER = Path("/dev/shm")  # noqa: S108 - what POSIX shared memory is on Linux, the one system that Triton runs on
PREFIX = "vigil-input"
LEAST_BYTES = 64 * 1024  # of all inputs of a call
STEP_BYTES = 64 * 1024  # regions are multiples, so that inputs of about one size share them
OWNER_ONLY = 0o600
CLOSE_S = 1.0
AWAY = frozenset({"StatusCode.UNAVAILABLE", "StatusCode.DEADLINE_EXCEEDED", "StatusCode.CANCELLED"})


def shared_bytes(inputs: Mapping[str, NDArray[Any]]) -> int:
    """What a call's inputs take of a region; 0 when they go by the socket: small ones, and texts."""
    size = 0 if any(value.dtype.hasobject for value in inputs.values()) else sum(one.nbytes for one in inputs.values())
    return size if size >= LEAST_BYTES else 0


@dataclass(frozen=True, slots=True)
class Region:
    """Memory that Triton sees too, by its name there. One call at a time has it."""

    name: str
    memory: mmap.mmap

    def filled(self, inputs: Mapping[str, NDArray[Any]]) -> list[Any]:
        """The inputs, copied one after another, as tritonclient takes them."""
        made, at = [], 0
        for name, value in inputs.items():
            tensor = triton.InferInput(name, list(value.shape), np_to_triton_dtype(value.dtype))
            self.memory[at : at + value.nbytes] = np.ascontiguousarray(value).view(np.uint8).data
            tensor.set_shared_memory(self.name, value.nbytes, at)
            made.append(tensor)
            at += value.nbytes
        return made


class Regions:
    """Those of one client. A region has no name in the file system once Triton has it, so a crash leaves no file."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._free: list[Region] = []
        self._dropped: list[str] = []
        self._names = (f"{PREFIX}-{os.getpid()}-{secrets.token_hex(4)}-{number}" for number in count())
        self._usable: bool | None = None  # not known before the first

    async def taken(self, size: int) -> Region | None:
        """One of `size` bytes or more; None where Triton does not see this machine's memory."""
        for region in self._free:
            if len(region.memory) >= size:
                self._free.remove(region)
                return region
        if self._usable is None:
            await self._forget_the_dead()
        return await self._new(size) if self._usable is not False else None

    def given_back(self, region: Region, *, answered: bool) -> None:
        """answered: whether Triton is done with it; otherwise nobody gets it again."""
        if answered:
            self._free.append(region)
        else:
            self._dropped.append(region.name)

    async def close(self) -> None:
        """Triton lets go of all of them; one that does not answer is not waited for."""
        names = [*self._dropped, *(region.name for region in self._free)]
        self._free, self._dropped = [], []
        with suppress(InferenceServerException, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                for name in names:
                    await self._client.unregister_system_shared_memory(name)

    async def _new(self, size: int) -> Region | None:
        name = next(self._names)
        size = -(-size // STEP_BYTES) * STEP_BYTES
        path = FOLDER / name
        try:
            memory = _mapped(path, size)
            await self._client.register_system_shared_memory(name, f"/{name}", size)
            while self._dropped:
                await self._client.unregister_system_shared_memory(self._dropped.pop())
        except (OSError, InferenceServerException) as error:
            if not (isinstance(error, InferenceServerException) and error.status() in AWAY):
                self._usable = False
                log.info("inputs go to Triton by gRPC alone: it does not see memory of this machine")
            return None
        finally:
            path.unlink(missing_ok=True)
        self._usable = True
        return Region(name, memory)

    async def _forget_the_dead(self) -> None:
        """What processes that were killed had Triton keep."""
        with suppress(InferenceServerException):
            status = await self._client.get_system_shared_memory_status()
            for name in status.regions:
                if name.startswith(f"{PREFIX}-") and not psutil.pid_exists(int(name.split("-")[2])):
                    await self._client.unregister_system_shared_memory(name)


def _mapped(path: Path, size: int) -> mmap.mmap:
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER_ONLY)
    try:
        os.posix_fallocate(file, 0, size)  # a full /dev/shm says so here; later it would end the process
        return mmap.mmap(file, size)
    finally:
        os.close(file)
