import asyncio
import errno
import os
from typing import Any

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from services.common.triton_memory import FOLDER, LEAST_BYTES, PREFIX, STEP_BYTES, Region, Regions, shared_bytes


class Triton:
    """Keeps the names it is told of. refuses: the status of every registration."""

    def __init__(self, refuses: str = "") -> None:
        self.names: list[str] = []
        self.told = 0
        self.refuses = refuses

    async def register_system_shared_memory(self, name: str, key: str, size: int) -> None:
        self.told += 1
        if self.refuses:
            raise InferenceServerException("no", status=self.refuses)
        assert (FOLDER / key.removeprefix("/")).stat().st_size == size
        self.names.append(name)

    async def unregister_system_shared_memory(self, name: str) -> None:
        self.names.remove(name)

    async def get_system_shared_memory_status(self) -> Any:
        return type("Status", (), {"regions": dict.fromkeys(self.names)})


async def region_of(regions: Regions, size: int) -> Region:
    region = await regions.taken(size)
    assert region is not None
    return region


async def test_a_region_is_used_again_once_triton_is_done_with_it() -> None:
    regions = Regions(Triton())
    first, second = await region_of(regions, 100), await region_of(regions, 100)
    assert first.name != second.name
    regions.given_back(first, answered=True)
    assert await region_of(regions, STEP_BYTES) is first
    larger = await region_of(regions, STEP_BYTES + 1)
    assert len(larger.memory) == 2 * STEP_BYTES


async def test_what_triton_may_still_read_nobody_gets_again() -> None:
    triton = Triton()
    regions = Regions(triton)
    late = await region_of(regions, 100)
    regions.given_back(late, answered=False)
    after = await region_of(regions, 100)
    assert triton.names == [after.name]


async def test_regions_leave_no_file_and_triton_lets_go_of_them_at_the_end() -> None:
    triton = Triton()
    regions = Regions(triton)
    taken = [await region_of(regions, 100) for _ in range(3)]
    for region, answered in zip(taken, (True, True, False), strict=True):
        assert not (FOLDER / region.name).exists()
        regions.given_back(region, answered=answered)
    await regions.close()
    assert triton.names == []


async def test_a_triton_that_hangs_does_not_keep_a_service_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.common.triton_memory.CLOSE_S", 0.01)
    triton = Triton()
    regions = Regions(triton)
    regions.given_back(await region_of(regions, 100), answered=True)
    monkeypatch.setattr(triton, "unregister_system_shared_memory", lambda _: asyncio.Event().wait())
    async with asyncio.timeout(10):
        await regions.close()


async def test_inputs_lie_one_after_another() -> None:
    region = await region_of(Regions(Triton()), 100)
    first, second = np.arange(6, dtype=np.float32).reshape(2, 3), np.array([7, 8], np.int64)
    tensors = region.filled({"a": first, "b": second})
    assert bytes(region.memory[:40]) == first.tobytes() + second.tobytes()
    assert [(one.name(), one.shape(), one.datatype()) for one in tensors] == [
        ("a", [2, 3], "FP32"),
        ("b", [2], "INT64"),
    ]


def test_small_inputs_and_texts_go_by_the_socket() -> None:
    many = LEAST_BYTES // 4
    assert shared_bytes({"a": np.zeros(many - 1, np.float32)}) == 0
    assert shared_bytes({"a": np.zeros(many - 1, np.float32), "b": np.zeros(1, np.float32)}) == LEAST_BYTES
    assert shared_bytes({"a": np.zeros(many, np.float32), "b": np.array(["text"], np.object_)}) == 0


async def test_full_memory_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    triton = Triton()
    assert await Regions(triton).taken(100) is None
    assert not list(FOLDER.glob(f"{PREFIX}-{os.getpid()}-*"))


async def test_a_triton_that_sees_no_memory_of_this_machine_is_not_asked_again() -> None:
    triton = Triton(refuses="StatusCode.INVALID_ARGUMENT")
    regions = Regions(triton)
    assert await regions.taken(100) is None
    assert await regions.taken(100) is None
    assert triton.told == 1


async def test_a_triton_that_is_away_is_asked_again() -> None:
    triton = Triton(refuses="StatusCode.UNAVAILABLE")
    regions = Regions(triton)
    assert await regions.taken(100) is None
    triton.refuses = ""
    assert await regions.taken(100) is not None


async def test_memory_of_processes_that_were_killed_is_let_go_of() -> None:
    triton = Triton()
    dead, alive, others = f"{PREFIX}-999999999-0a-0", f"{PREFIX}-{os.getpid()}-0b-0", "somebody-else"
    triton.names = [dead, alive, others]
    region = await region_of(Regions(triton), 100)
    assert triton.names == [alive, others, region.name]
