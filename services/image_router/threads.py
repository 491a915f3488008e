"""Where pictures are worked on: beside the event loop, but for small ones."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
# Of what is worked on, a file or a picture's grey levels. Work on less is so many short steps that threads side by side
# take Python's lock from one another with each: a tenth of a slice's time (docs/benchmarks.md).
SMALL_BYTES = 2 * 1024 * 1024


class Threads:
    """One thread that takes small files in turn, and one a core for large files and pictures."""

    def __init__(self) -> None:
        self._small = ThreadPoolExecutor(1, "small-file")
        self._large = ThreadPoolExecutor(os.cpu_count(), "large-picture")

    async def with_file(self, size: int, work: Callable[[], T]) -> T:
        """What `work` on a file returns, or raises. size: bytes of the file, which may unpack to many more."""
        return await self._in(self._small if size <= SMALL_BYTES else self._large, work)

    async def with_picture(self, size: int, work: Callable[[], T]) -> T:
        """What `work` on a picture returns, or raises. size: bytes of its grey levels.

        A small one is worked on at once, in milliseconds: to go to a thread and back costs another tenth of a slice's.
        """
        return work() if size <= SMALL_BYTES else await self._in(self._large, work)

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)
