"""How long images wait for Triton: an outage is waited for once, not anew for each image."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential_jitter

from services.common.triton import ModelUnavailable

T = TypeVar("T")
LONGEST_PAUSE_S = 1.0


@dataclass(slots=True)
class Outage:
    """Since when Triton has been away, shared by all images. wait_s: seconds of an outage that images wait."""

    wait_s: float
    now: Callable[[], float] = time.monotonic
    away_since: float | None = field(default=None, init=False)

    async def waited_for(self, ask: Callable[[], Awaitable[T]], on_wait: Callable[[], None]) -> T:
        """What `ask` answers, tried again until the outage has lasted `wait_s`.

        on_wait: called before each pause; who waits is alive. Raises ModelUnavailable once the time is over.
        """
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(ModelUnavailable),
            wait=wait_exponential_jitter(multiplier=0.05, max=LONGEST_PAUSE_S),
            stop=lambda _: self._is_over(),
            before_sleep=lambda _: on_wait(),
            reraise=True,
        ):
            with attempt:
                return await self._once(ask)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _once(self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            answer = await ask()
        except ModelUnavailable:
            if self.away_since is None:
                self.away_since = self.now()
            raise
        self.away_since = None
        return answer

    def _is_over(self) -> bool:
        return self.away_since is not None and self.now() - self.away_since >= self.wait_s
