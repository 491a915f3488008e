import asyncio
import os
import threading

import pytest

from services.image_router.threads import SMALL_BYTES, Threads


async def test_small_files_have_one_thread_and_large_ones_as_many_as_there_are_cores() -> None:
    threads = Threads()
    cores = os.cpu_count() or 1
    together = threading.Barrier(cores)
    small = await asyncio.gather(*(threads.with_file(SMALL_BYTES, threading.get_ident) for _ in range(8)))
    assert len(set(small)) == 1
    assert threading.get_ident() not in small
    await asyncio.gather(*(threads.with_file(SMALL_BYTES + 1, lambda: together.wait(10)) for _ in range(cores)))


async def test_small_pictures_are_worked_on_at_once_and_large_ones_beside_the_loop() -> None:
    threads = Threads()
    assert await threads.with_picture(SMALL_BYTES, threading.get_ident) == threading.get_ident()
    assert await threads.with_picture(SMALL_BYTES + 1, threading.get_ident) != threading.get_ident()


async def test_what_the_work_raises_comes_out() -> None:
    for run in (Threads().with_file, Threads().with_picture):
        with pytest.raises(ZeroDivisionError):
            await run(0, lambda: 1 // 0)
