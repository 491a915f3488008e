"""Calls of a service for many inputs: some under way at a time, answers in the order of the inputs."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Iterable
from typing import Any, TypeVar

Answer = TypeVar("Answer")
# Enough to keep a service busy, few enough to keep memory small.
CONCURRENT = 8


async def in_order(calls: Iterable[Coroutine[Any, Any, Answer]]) -> AsyncGenerator[Answer, None]:
    """The answer of each call, in order, `CONCURRENT` of them under way at a time; `calls` is read as they are needed.

    Raises what a call raises. Whatever is under way then, or when the caller stops (`aclosing`), is cancelled.
    """
    pending: deque[asyncio.Task[Answer]] = deque()
    try:
        for call in calls:
            pending.append(asyncio.create_task(call))
            if len(pending) >= CONCURRENT:
                yield await pending.popleft()
        while pending:
            yield await pending.popleft()
    finally:
        for task in pending:
            task.cancel()
