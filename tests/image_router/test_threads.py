import asyncio
import os
import threading

import pytest

from services.image_router.threads import SMALL_BYTES, Threads


async def test_small_pictures_have_one_thread_and_large_ones_as_many_as_there_are_cores() -> None:
    threads = Threads()
    cores = os.cpu_count() or 1
    together = threading.Barrier(cores)
    small = await asyncio.gather(*(threads.run(SMALL_BYTES, threading.get_ident) for _ in range(8)))
    assert len(set(small)) == 1
    await asyncio.gather(*(threads.run(SMALL_BYTES + 1, lambda: together.wait(10)) for _ in range(cores)))


async def test_what_the_work_raises_comes_out() -> None:
    with pytest.raises(ZeroDivisionError):
        await Threads().run(0, lambda: 1 // 0)
