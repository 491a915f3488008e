"""Where pictures are worked on, beside the event loop."""

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
    """One thread that takes small pictures in turn, and one a core for large ones."""

    def __init__(self) -> None:
        self._small = ThreadPoolExecutor(1, "small-picture")
        self._large = ThreadPoolExecutor(os.cpu_count(), "large-picture")

    async def run(self, size: int, work: Callable[[], T]) -> T:
        """What `work` returns, or raises. size: bytes of what it works on."""
        pool = self._small if size <= SMALL_BYTES else self._large
        return await asyncio.get_running_loop().run_in_executor(pool, work)
