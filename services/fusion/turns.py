"""Which patients the models look at, so that bedside scores never wait behind them for long."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import nsmallest


@dataclass(slots=True)
class Turns:
    """Patients take turns: at most `most` a batch, and all together no more than `share` of the time.

    Whoever has waited longest goes first; a patient without a turn is asked for again with the next measurement. On a
    ward everybody has a turn each time; a flood of messages, or a backlog after an outage, is not held up.
    seconds: a clock that only goes on.
    """

    share: float = 1.0
    most: int = 64
    seconds: Callable[[], float] = time.monotonic
    _waiting_since: dict[str, float] = field(default_factory=dict)
    _free_at: float = field(default=0.0)

    def of(self, wanted: Collection[str]) -> Sequence[str]:
        """Those of the patients (keys) who have a turn now, sorted."""
        now, since = self.seconds(), self._waiting_since
        for key in wanted:
            since.setdefault(key, now)
        if now < self._free_at:
            return []
        return sorted(nsmallest(self.most, wanted, key=lambda key: (since[key], key)))

    @contextmanager
    def taken(self, patients: Sequence[str]) -> Iterator[None]:
        """Within it the patients have their turn; how long it takes says when the next one begins."""
        began = self.seconds()
        for key in patients:
            self._waiting_since.pop(key, None)
        try:
            yield
        finally:
            ended = self.seconds()
            self._free_at = ended + (ended - began) * (1 / self.share - 1)
