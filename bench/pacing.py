"""Open-loop pacing: when each message is due does not depend on how fast the others were answered."""

import asyncio
import time
from collections.abc import AsyncIterator


async def due_times(began: float, rate: float, count: int) -> AsyncIterator[int]:
    """Yield 0, 1, … `count` - 1, each when it is due: `began` (epoch seconds) plus its number by `rate`."""
    for number in range(count):
        wait = began + number / rate - time.time()
        if wait > 0:
            await asyncio.sleep(wait)
        yield number
